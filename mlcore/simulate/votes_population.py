"""Whether fractions of the whole survey can be recovered from votes that a machine chose.

The galaxies that our rule asks about stand for nothing but themselves. The control panel
(docs/reference/selection-function.md) is a simple random sample with a known inclusion
probability, whose inverse is each of its galaxies' weight (Horvitz & Thompson 1952). Three
estimates of the population's mean fractions of the first question are compared with what
the crowd would say of every galaxy:

unweighted
    the mean over all galaxies with votes, the panel's and the chosen;
inverse probability
    the panel's galaxies, each weighted by the inverse of its inclusion probability;
inverse probability and model
    the mean of the predictions for every galaxy, plus the panel's mean difference between
    its votes and its predictions (the difference estimator of Sarndal et al. 1992). It is
    unbiased whatever the model is, so long as the model does not depend on the panel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from mlcore.errors import InvalidInputError
from mlcore.simulate.votes_replay import World
from mlcore.simulate.votes_strategies import FULL_VOTES, Designed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlcore.simulate.votes_replay import VotesPlan
    from mlcore.simulate.votes_survey import VoteSurvey

UNWEIGHTED, WEIGHTED, ASSISTED = (
    "unweighted",
    "inverse probability",
    "inverse probability and model",
)
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class PopulationScore:
    """One estimator, over seeds, panels and answers.

    Attributes
    ----------
    estimator
        Its name.
    bias
        Largest absolute mean error of an answer's fraction.
    error
        Root mean square error.
    width
        Mean width of the 95% intervals.
    coverage
        Share of them that hold the truth.
    estimates
        How many there are.
    """

    estimator: str
    bias: float
    error: float
    width: float
    coverage: float
    estimates: int

    def row(self) -> dict[str, str]:
        """Return the figures by heading."""
        return {
            "fractions of the survey": self.estimator,
            "largest bias": f"{self.bias:.4f}",
            "error (rms)": f"{self.error:.4f}",
            "width of 95% intervals": f"{self.width:.4f}",
            "coverage": f"{self.coverage:.1%}",
            "estimates": f"{self.estimates:,}",
        }


def score_population(
    survey: VoteSurvey,
    plan: VotesPlan,
    seeds: Sequence[int],
    *,
    panel_share: float = 0.1,
    votes: int = 1500,
    panels: int = 25,
) -> tuple[PopulationScore, ...]:
    """Score the three estimators.

    For each seed our rule spends `votes` on the pool, and the model is fitted to them; then
    panels are drawn again and again, each answered by 40 volunteers a galaxy, and taken out
    of what our rule chose.

    Parameters
    ----------
    survey, plan
        As `mlcore.simulate.votes_replay.replay_seed` takes them.
    seeds
        At least one.
    panel_share
        Inclusion probability, in (0, 1).
    votes
        That our rule spends, at least `plan.first`.
    panels
        Panels for each seed, at least 1.

    Raises
    ------
    InvalidInputError
        When a rule above is broken.
    """
    if not 0 < panel_share < 1:
        raise InvalidInputError(f"panel_share must be in (0, 1), is {panel_share}")
    if not seeds or panels < 1 or votes < plan.first:
        raise InvalidInputError(
            f"seeds and panels must be at least 1 and votes {plan.first}, are {len(seeds)}, "
            f"{panels} and {votes}"
        )
    errors: dict[str, list[NDArray[np.float64]]] = {}
    halves: dict[str, list[NDArray[np.float64]]] = {}
    for seed in seeds:
        population = _Population.of(World.of(survey, plan, seed), votes)
        rng = np.random.default_rng([seed, 17])
        for _ in range(panels):
            panel = rng.permutation(len(population.said))[
                : round(panel_share * len(population.said))
            ]
            for name, (estimate, half) in population.estimates(panel).items():
                errors.setdefault(name, []).append(estimate - population.truth)
                halves.setdefault(name, []).append(half)
    return tuple(_score(name, np.array(errors[name]), np.array(halves[name])) for name in errors)


def _score(name: str, errors: NDArray[np.float64], halves: NDArray[np.float64]) -> PopulationScore:
    """Sum up errors and half-widths, each (estimates, K)."""
    return PopulationScore(
        estimator=name,
        bias=float(np.abs(errors.mean(axis=0)).max()),
        error=float(np.sqrt((errors**2).mean())),
        width=float(2 * halves.mean()),
        coverage=float((np.abs(errors) <= halves).mean()),
        estimates=errors.size,
    )


@dataclass(frozen=True)
class _Population:
    """One seed's pool of m galaxies.

    `said` (m, K) is what 40 volunteers say of each, `seen` (m, K) what the chosen votes
    say (NaN without any), and `predicted` (m, K) what their model says.
    """

    said: NDArray[np.float64]
    seen: NDArray[np.float64]
    predicted: NDArray[np.float64]

    @classmethod
    def of(cls, world: World, votes: int) -> _Population:
        asked, model = next(
            (asked, model) for asked, model in world.rounds(Designed()) if asked.sum() >= votes
        )
        first = world.tree.question_slices[world.tree.start]
        whole = world.record.counts(np.full(len(asked), FULL_VOTES))[:, first]
        some = world.record.counts(asked)[:, first]
        total = some.sum(axis=1, keepdims=True)
        seen = np.divide(some, total, out=np.full(some.shape, np.nan), where=total > 0)
        return cls(
            whole / whole.sum(axis=1, keepdims=True),
            seen,
            model.mean_fractions(world.basis)[:, first],
        )

    @property
    def truth(self) -> NDArray[np.float64]:
        """What the crowd says of the whole pool, (K,)."""
        mean: NDArray[np.float64] = self.said.mean(axis=0)
        return mean

    def estimates(
        self, panel: NDArray[np.intp]
    ) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Return each estimator's fractions (K,) and half-widths (K,)."""
        chosen = np.isfinite(self.seen[:, 0])
        chosen[panel] = False
        left = 1.0 - len(panel) / len(self.said)
        residual, half = _mean((self.said - self.predicted)[panel], left)
        return {
            UNWEIGHTED: _mean(np.concatenate([self.said[panel], self.seen[chosen]]), 1.0),
            WEIGHTED: _mean(self.said[panel], left),
            ASSISTED: (self.predicted.mean(axis=0) + residual, half),
        }


def _mean(
    values: NDArray[np.float64], left: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean (K,) of values (n, K), and its half-width.

    `left` is the share of the population that was not sampled.
    """
    spread = np.sqrt(left * values.var(axis=0, ddof=1) / len(values))
    return values.mean(axis=0), norm.ppf((1 + _CONFIDENCE) / 2) * spread
