"""What the seeds of a votes-needed replay say together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import t as student

from mlcore.simulate.votes_strategies import Designed, RandomWhole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlcore.simulate.votes_population import PopulationScore
    from mlcore.simulate.votes_replay import Curve, SeedResult

SHARES = (0.90, 0.95, 0.99)
BUDGETS = (500, 1000, 2000, 5000, 10_000, 20_000, 40_000)
REFERENCE, OURS = RandomWhole.name, Designed.name
_CONFIDENCE = 0.95


def votes_to_reach(votes: Sequence[int], score: Sequence[float], goal: float) -> float | None:
    """Return the votes at which a curve first reaches `goal`; None where it never does.

    Between two rounds the score is taken as linear in the logarithm of the votes.
    """
    for place, value in enumerate(score):
        if value < goal:
            continue
        if place == 0:
            return float(votes[0])
        before, after = np.log(votes[place - 1]), np.log(votes[place])
        share = (goal - score[place - 1]) / (value - score[place - 1])
        return float(np.exp(before + share * (after - before)))
    return None


@dataclass(frozen=True)
class Needed:
    """Votes that one strategy needed.

    Attributes
    ----------
    strategy, share
        Which, and the share of the full pool's skill.
    votes
        By seed; None where it was not reached.
    mean, low, high
        Geometric mean with its 95% interval (Student's t on the logarithms), over the
        seeds where it was reached; None for fewer than 1, and no interval for fewer than 2.
    saved, saved_low, saved_high
        Share of the votes of 40 on each of random galaxies that is saved, in the same way
        (paired by seed).
    worse
        Seeds in which it needed more than that, or did not get there.
    """

    strategy: str
    share: float
    votes: tuple[float | None, ...]
    mean: float | None
    low: float | None
    high: float | None
    saved: float | None
    saved_low: float | None
    saved_high: float | None
    worse: int


@dataclass(frozen=True)
class VotesReport:
    """All seeds of one survey.

    Attributes
    ----------
    survey
        Its name.
    results
        One per seed.
    population
        How well fractions of the whole survey are recovered; may be empty.
    facts
        What else is to be known, as JSON values.
    """

    survey: str
    results: tuple[SeedResult, ...]
    population: tuple[PopulationScore, ...]
    facts: Mapping[str, Any]

    def needed(self, *, accuracy: bool = False) -> list[Needed]:
        """Return a row for each strategy and share.

        With `accuracy`, of the full pool's accuracy beyond that of the commonest answer.
        """
        return [
            _needed(
                name,
                share,
                [_to_reach(each, each.curves[place], share, accuracy) for each in self.results],
                [_to_reach(each, _reference(each), share, accuracy) for each in self.results],
            )
            for place, name in enumerate(self._names())
            for share in SHARES
        ]

    def worse_than(self, share: float) -> dict[str, int]:
        """Return, for each other strategy, in how many seeds ours needed more votes."""
        by_name = {row.strategy: row.votes for row in self.needed() if row.share == share}
        ours = by_name.pop(OURS, ())
        return {
            name: sum(_more(mine, theirs) for mine, theirs in zip(ours, votes, strict=True))
            for name, votes in by_name.items()
            if ours
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "survey": self.survey,
            "needed": [asdict(row) for row in self.needed()],
            "needed_for_accuracy": [asdict(row) for row in self.needed(accuracy=True)],
            "ours_needs_more_at_95_percent": self.worse_than(0.95),
            "population": [asdict(score) for score in self.population],
            "seeds": [asdict(result) for result in self.results],
            **self.facts,
        }

    def lines(self) -> list[str]:
        """Return the tables for a person."""
        full = np.mean([result.full_skill for result in self.results])
        best = np.mean([result.best_skill for result in self.results])
        pool, test = self.results[0].pool, self.results[0].test
        names, seeds = self._names(), len(self.results)
        return [
            f"{self.survey}: {pool:,} galaxies in the pool, {test:,} to test on, {seeds} seeds",
            f"Skill of the full pool with 40 votes each: {full:.3f} nats per volunteer",
            f"(of the true fractions themselves: {best:.3f})",
            "",
            *_table([self.votes_row(name) for name in names]),
            "",
            *_table([self.curve_row(name) for name in names]),
            *([""] if self.population else []),
            *_table([score.row() for score in self.population]),
        ]

    def votes_row(self, name: str) -> dict[str, str]:
        """Return the votes needed by one strategy, by heading."""
        rows = {row.share: row for row in self.needed() if row.strategy == name}
        middle = rows[0.95]
        return {
            "votes needed": name,
            **{f"{share:.0%}": _said(rows[share]) for share in SHARES},
            "saved at 95%": _said_saved(middle),
            "seeds worse": f"{middle.worse} of {len(middle.votes)}",
        }

    def curve_row(self, name: str) -> dict[str, str]:
        """Return the mean share of the full skill at some numbers of votes, by heading."""
        place = self._names().index(name)
        shares = [
            np.interp(
                np.log(BUDGETS),
                np.log(result.curves[place].votes),
                np.array(result.curves[place].skill) / result.full_skill,
            )
            for result in self.results
        ]
        most = min(result.curves[place].votes[-1] for result in self.results)
        return {"skill, share of the full pool's": name} | {
            f"{budget:,}": f"{share:.2f}" if budget <= most else "done"
            for budget, share in zip(BUDGETS, np.mean(shares, axis=0), strict=True)
        }

    def _names(self) -> list[str]:
        return [curve.strategy for curve in self.results[0].curves]


def _reference(result: SeedResult) -> Curve | None:
    return next((curve for curve in result.curves if curve.strategy == REFERENCE), None)


def _to_reach(
    result: SeedResult, curve: Curve | None, share: float, accuracy: bool
) -> float | None:
    if curve is None:
        return None
    if not accuracy:
        return votes_to_reach(curve.votes, curve.skill, share * result.full_skill)
    floor = result.majority_accuracy
    goal = floor + share * (result.full_accuracy - floor)
    return votes_to_reach(curve.votes, curve.accuracy, goal)


def _needed(
    strategy: str, share: float, votes: list[float | None], reference: list[float | None]
) -> Needed:
    reached = [each for each in votes if each is not None]
    both = [
        each / other
        for each, other in zip(votes, reference, strict=True)
        if each is not None and other is not None
    ]
    mean, low, high = _log_interval(reached)
    ratio, ratio_low, ratio_high = _log_interval(both)
    return Needed(
        strategy=strategy,
        share=share,
        votes=tuple(votes),
        mean=mean,
        low=low,
        high=high,
        saved=None if ratio is None else 1.0 - ratio,
        saved_low=None if ratio_high is None else 1.0 - ratio_high,
        saved_high=None if ratio_low is None else 1.0 - ratio_low,
        worse=sum(_more(each, other) for each, other in zip(votes, reference, strict=True)),
    )


def _more(mine: float | None, theirs: float | None) -> bool:
    """Whether `mine` is more votes than `theirs`; None is never getting there."""
    return (np.inf if mine is None else mine) > (np.inf if theirs is None else theirs)


def _log_interval(values: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """Return the geometric mean and its interval; None where there are too few values."""
    if not values:
        return None, None, None
    logs = np.log(values)
    mean = float(logs.mean())
    if len(logs) < 2:
        return float(np.exp(mean)), None, None
    half = student.ppf((1 + _CONFIDENCE) / 2, len(logs) - 1) * logs.std(ddof=1) / len(logs) ** 0.5
    return float(np.exp(mean)), float(np.exp(mean - half)), float(np.exp(mean + half))


def _said(row: Needed) -> str:
    missed = sum(each is None for each in row.votes)
    if row.mean is None:
        return "never"
    interval = "" if row.low is None else f" ({row.low:,.0f} to {row.high:,.0f})"
    return f"{row.mean:,.0f}{interval}" + (f", never in {missed}" if missed else "")


def _said_saved(row: Needed) -> str:
    if row.saved is None:
        return "-"
    interval = "" if row.saved_low is None else f" ({row.saved_low:.1%} to {row.saved_high:.1%})"
    return f"{row.saved:.1%}{interval}"


def _table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Return a Markdown table with aligned columns; none for no rows."""
    if not rows:
        return []
    lines = [list(rows[0]), *([*row.values()] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    cells = [
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines
    ]
    said = [f"| {' | '.join(line)} |" for line in cells]
    return [said[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *said[1:]]
