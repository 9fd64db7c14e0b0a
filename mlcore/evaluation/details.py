"""What lies behind the figures of one question: where a model is wrong, and how sure it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammaln, xlogy
from scipy.stats import betabinom

from mlcore.errors import InvalidInputError
from mlcore.evaluation.figures import inside_interval
from mlcore.evaluation.resampling import resampled_sums
from mlcore.votes.likelihood import check_votes, negative_log_likelihood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlcore.tree import DecisionTree

LEVELS = (0.5, 0.8, 0.9)
BINS = 10
#: Bins with fewer galaxies have no interval: a resampling of so few says nothing.
LEAST_IN_BIN = 5
WORST = 12


@dataclass(frozen=True)
class ReliabilityBin:
    """The (galaxy, answer) pairs whose predicted fraction lies in one bin.

    Attributes
    ----------
    low, high
        The bin's edges; the last holds its upper edge.
    galaxies, votes
        Galaxies with such an answer; votes on the question, once for each such answer.
    predicted, observed
        Mean predicted fraction, and share of those votes; each vote weighs as much.
    observed_low, observed_high
        Central 90% over resampled galaxies; None below 5 galaxies.
    """

    low: float
    high: float
    galaxies: int
    votes: float
    predicted: float
    observed: float
    observed_low: float | None
    observed_high: float | None


@dataclass(frozen=True)
class Coverage:
    """How much of the counts lies in the central intervals of a level.

    Attributes
    ----------
    level
        What it would be if the model were right.
    covered
        What it is; `low` and `high` are the central 90% over resampled galaxies.
    """

    level: float
    covered: float
    low: float
    high: float


@dataclass(frozen=True)
class PoorPrediction:
    """A galaxy whose votes the model did not expect.

    Attributes
    ----------
    id_str
        The galaxy.
    excess
        Negative log likelihood of its votes, less that under their own fractions, in
        nats: 0 for a model that was certain of them.
    votes
        By answer.
    predicted
        Predicted fraction by answer.
    low, high
        The central 90% of what the fractions of so many votes were expected to be.
    """

    id_str: str
    excess: float
    votes: tuple[float, ...]
    predicted: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class QuestionDetails:
    """One question on the galaxies that have votes on it.

    Attributes
    ----------
    answers
        K slugs, in the order of every list below.
    coverage
        Of central posterior predictive intervals, by level; none without votes.
    reliability
        The bins that hold anything, lowest first.
    confusion
        Votes for answer i (row) on galaxies for which the model expects answer j most
        (column), (K, K).
    worst
        The least expected votes first.
    """

    answers: tuple[str, ...]
    coverage: tuple[Coverage, ...]
    reliability: tuple[ReliabilityBin, ...]
    confusion: tuple[tuple[float, ...], ...]
    worst: tuple[PoorPrediction, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def detail(
    ids: Sequence[str],
    counts: NDArray[np.float64],
    concentrations: NDArray[np.float64],
    tree: DecisionTree,
    *,
    seed: int,
) -> dict[str, QuestionDetails]:
    """Return question slug to its details.

    Parameters
    ----------
    ids
        n galaxies.
    counts, concentrations, tree, seed
        As in `mlcore.evaluation.figures.evaluate`; no votes give empty details.

    Raises
    ------
    InvalidInputError
        For shapes that differ, NaN, negative counts or concentrations not positive.
    """
    counts, concentrations = check_votes(counts, concentrations, tree)
    if len(ids) != len(counts):
        raise InvalidInputError(f"ids must be as many as counts ({len(counts)}), are {len(ids)}")
    costs = negative_log_likelihood(counts, concentrations, tree)
    found = {}
    for place, question in enumerate(tree.questions):
        part = tree.question_slices[question.slug]
        asked = np.flatnonzero(counts[:, part].sum(axis=1) > 0)
        k, a = counts[asked, part], concentrations[asked, part]
        found[question.slug] = QuestionDetails(
            answers=tuple(answer.slug for answer in question.answers),
            coverage=coverage(k, a, seed=seed),
            reliability=reliability(k, a, seed=seed),
            confusion=_as_rows(confusion(k, a)),
            worst=_worst([ids[int(row)] for row in asked], k, a, costs[asked, place]),
        )
    return found


def coverage(
    counts: NDArray[np.float64], concentrations: NDArray[np.float64], *, seed: int
) -> tuple[Coverage, ...]:
    """Return the coverage of one question at `LEVELS`; none without galaxies."""
    if not len(counts):
        return ()
    inside = np.column_stack([inside_interval(counts, concentrations, each) for each in LEVELS])
    drawn = resampled_sums(inside, seed=seed) / len(counts)
    ends = np.quantile(drawn, [0.05, 0.95], axis=0).T
    return tuple(
        Coverage(level, float(covered), float(low), float(high))
        for level, covered, (low, high) in zip(LEVELS, inside.mean(axis=0), ends, strict=True)
    )


def reliability(
    counts: NDArray[np.float64], concentrations: NDArray[np.float64], *, seed: int
) -> tuple[ReliabilityBin, ...]:
    """Return the reliability curve of one question; counts and concentrations (n, K)."""
    n_votes = counts.sum(axis=1, keepdims=True)
    predicted = concentrations / concentrations.sum(axis=1, keepdims=True)
    bin_of = np.minimum((predicted * BINS).astype(int), BINS - 1)
    bins = []
    for place in np.unique(bin_of):
        inside = bin_of == place
        said = np.where(inside, counts, 0).sum(axis=1)
        asked = np.where(inside, n_votes, 0).sum(axis=1)
        expected = np.where(inside, n_votes * predicted, 0).sum(axis=1)
        here = asked > 0
        low, high = _interval(said[here], asked[here], seed)
        bins.append(
            ReliabilityBin(
                low=float(place / BINS),
                high=float((place + 1) / BINS),
                galaxies=int(here.sum()),
                votes=float(asked.sum()),
                predicted=float(expected.sum() / asked.sum()),
                observed=float(said.sum() / asked.sum()),
                observed_low=low,
                observed_high=high,
            )
        )
    return tuple(bins)


def _interval(
    said: NDArray[np.float64], asked: NDArray[np.float64], seed: int
) -> tuple[float | None, float | None]:
    if len(said) < LEAST_IN_BIN:
        return None, None
    sums = resampled_sums(np.column_stack([said, asked]), seed=seed)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.05, 0.95])
    return float(low), float(high)


def confusion(
    counts: NDArray[np.float64], concentrations: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return votes (K, K): for answer i, where answer j has the highest concentration."""
    expected = concentrations.argmax(axis=1)
    found = np.zeros((counts.shape[1], counts.shape[1]))
    np.add.at(found.T, expected, counts)
    return found


def excess(counts: NDArray[np.float64], costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `costs` (n,) less the cost of the votes (n, K) under their own fractions.

    A Dirichlet-multinomial is a mixture of multinomials, so it is never below 0.
    """
    total = counts.sum(axis=1, keepdims=True)
    best = xlogy(counts, counts / np.maximum(total, 1)).sum(axis=1)
    return np.asarray(np.maximum(costs + _log_ways(counts) + best, 0.0))


def _log_ways(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    ways: NDArray[np.float64] = gammaln(counts.sum(axis=1) + 1) - gammaln(counts + 1).sum(axis=1)
    return ways


def _worst(
    ids: Sequence[str],
    counts: NDArray[np.float64],
    concentrations: NDArray[np.float64],
    costs: NDArray[np.float64],
) -> tuple[PoorPrediction, ...]:
    by_excess = excess(counts, costs)
    rows = np.argsort(-by_excess, kind="stable")[:WORST]
    k, a = counts[rows], concentrations[rows]
    n = np.maximum(np.rint(k.sum(axis=1, keepdims=True)), 1)
    total = a.sum(axis=1, keepdims=True)
    low, high = (betabinom.ppf(tail, n, a, total - a) / n for tail in (0.05, 0.95))
    return tuple(
        PoorPrediction(
            ids[row],
            float(by_excess[row]),
            *(tuple(float(each) for each in part[place]) for part in (k, a / total, low, high)),
        )
        for place, row in enumerate(rows)
    )


def _as_rows(matrix: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(each) for each in row) for row in matrix)
