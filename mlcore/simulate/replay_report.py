"""What a replay found out: scores on galaxies that no stage has seen, and the table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlcore.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mlcore.simulate.replay_folder import RejectedRow

#: Share of the judged galaxies that an expert has time to look at.
REVIEW_BUDGET = 0.05


@dataclass(frozen=True)
class RoundScore:
    """One round of one arm, judged on the test galaxies.

    Attributes
    ----------
    round
        From 1.
    galaxies, votes
        Galaxies with votes and their votes, the control panel's included.
    accuracy
        How often the answer with the highest predicted fraction is the published class.
    balanced_accuracy
        The same per class, averaged over the classes that the test galaxies have.
    binary_accuracy
        How often it is right about the commonest class or not.
    nats
        Negative log of the fraction predicted for the answer of one more volunteer, on
        average over volunteers and galaxies: less is better.
    """

    round: int
    galaxies: int
    votes: int
    accuracy: float
    balanced_accuracy: float
    binary_accuracy: float
    nats: float


def score_round(
    number: int,
    counts: NDArray[np.int32],
    fractions: NDArray[np.float64],
    truth: NDArray[np.intp],
    crowd: NDArray[np.float64],
) -> RoundScore:
    """Score the fractions predicted for the test galaxies.

    Parameters
    ----------
    number
        Of the round.
    counts
        Votes that the round had, shape (n, A).
    fractions
        Predicted for each test galaxy, shape (m, A), m >= 1, above 0.
    truth
        Published class of each, shape (m,).
    crowd
        How volunteers answer about each, shape (m, A).

    Raises
    ------
    InvalidInputError
        For no test galaxies, or shapes that differ.
    """
    if not len(truth) or fractions.shape != crowd.shape or len(fractions) != len(truth):
        raise InvalidInputError(
            "fractions, truth and crowd must be as many and at least 1, "
            f"are {fractions.shape}, {truth.shape} and {crowd.shape}"
        )
    predicted = fractions.argmax(axis=1)
    right = predicted == truth
    common = np.bincount(truth).argmax()
    return RoundScore(
        round=number,
        galaxies=int((counts.sum(axis=1) > 0).sum()),
        votes=int(counts.sum()),
        accuracy=float(right.mean()),
        balanced_accuracy=float(np.mean([right[truth == each].mean() for each in set(truth)])),
        binary_accuracy=float(np.mean((predicted == common) == (truth == common))),
        nats=float(-(crowd * np.log(fractions)).sum(axis=1).mean()),
    )


@dataclass(frozen=True)
class MislabelScore:
    """How well the planted wrong classes were found among the galaxies with votes.

    Attributes
    ----------
    planted, judged
        Galaxies with a wrong class planted, and all that have votes.
    flagged, flagged_planted
        Galaxies flagged at the round's false discovery rate, and how many were planted.
    average_precision
        Of the planted in the ranking by surprise; None where none was planted.
    recall_at_5_percent
        Share of the planted among the first 5% of that ranking; None likewise.
    """

    planted: int
    judged: int
    flagged: int
    flagged_planted: int
    average_precision: float | None
    recall_at_5_percent: float | None


def score_mislabels(planted: NDArray[np.bool_], flagged: NDArray[np.bool_]) -> MislabelScore:
    """Score a ranking of the galaxies with votes, the most surprising first.

    Parameters
    ----------
    planted, flagged
        In the ranking's order, shape (n,). None gives zeros.
    """
    number = int(planted.sum())
    budget = int(np.ceil(REVIEW_BUDGET * len(planted)))
    places = np.flatnonzero(planted) + 1
    return MislabelScore(
        planted=number,
        judged=len(planted),
        flagged=int(flagged.sum()),
        flagged_planted=int((flagged & planted).sum()),
        average_precision=float(np.mean(np.arange(1, number + 1) / places)) if number else None,
        recall_at_5_percent=float(planted[:budget].sum() / number) if number else None,
    )


@dataclass(frozen=True)
class ReplayReport:
    """Everything that a replay has to say.

    Attributes
    ----------
    rounds, control, thin
        Scores of the arm that chooses each vote, of random choice with several votes on each
        galaxy, and of random choice with the votes spread over as many galaxies as there are.
        The first round is the same in all.
    mislabels
        Of the last round of random choice with several votes on each galaxy.
    rejected
        Rows that were left out.
    seed, seconds
        Where the randomness came from, and how long it took.
    facts
        What else is to be known, as JSON values: the split, the sizes, the settings.
    """

    rounds: tuple[RoundScore, ...]
    control: tuple[RoundScore, ...]
    thin: tuple[RoundScore, ...]
    mislabels: MislabelScore
    rejected: tuple[RejectedRow, ...]
    seed: int
    seconds: float
    facts: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "rounds": [asdict(score) for score in self.rounds],
            "control": {"rounds": [asdict(score) for score in self.control]},
            "thin": {"rounds": [asdict(score) for score in self.thin]},
            "mislabels": asdict(self.mislabels),
            "seed": self.seed,
            "seconds": self.seconds,
            "rejected": [asdict(row) for row in self.rejected],
            **self.facts,
        }

    def lines(self) -> list[str]:
        """Return the table for a person."""
        common, each = self.facts["commonest_class"], self.facts["votes_per_galaxy"]
        heading = (
            f"{'':30}{'votes':>8}{'galaxies':>10}{'nats':>8}{'accuracy':>10}{'balanced':>10}"
            f"  {common} or not"
        )
        return [
            heading,
            *(_line(_chosen(score), score) for score in self.rounds),
            *(
                _line(f"{score.round}, random, {each} votes each", score)
                for score in self.control[1:]
            ),
            *(_line(f"{score.round}, random, spread thin", score) for score in self.thin[1:]),
            f"on {self.facts['test_galaxies']:,} galaxies that no stage has seen",
            f"({self.facts['split']})",
            "",
            *self._mislabel_lines(),
            f"Left out: {len(self.rejected)} rows; seed {self.seed}; {self.seconds:.0f} seconds",
        ]

    def _mislabel_lines(self) -> list[str]:
        found = self.mislabels
        said = (
            f"Wrong classes: {found.planted} planted among {found.judged:,} galaxies with votes; "
            f"{found.flagged} flagged, {found.flagged_planted} of them rightly"
        )
        if found.average_precision is None:
            return [said]
        precision, recall = found.average_precision, found.recall_at_5_percent
        return [said, f"  average precision {precision:.3f}, recall {recall:.3f} in the first 5%"]


def _chosen(score: RoundScore) -> str:
    return "1, random start" if score.round == 1 else f"{score.round}, chosen vote by vote"


def _line(name: str, score: RoundScore) -> str:
    return (
        f"round {name:<24}{score.votes:>8,}{score.galaxies:>10,}{score.nats:>8.3f}"
        f"{score.accuracy:>10.3f}{score.balanced_accuracy:>10.3f}  {score.binary_accuracy:.3f}"
    )
