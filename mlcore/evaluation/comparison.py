"""Whether one model is worse than another on the same galaxies: what the gate reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlcore.errors import InvalidInputError
from mlcore.votes.likelihood import negative_log_likelihood, require_votes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlcore.tree import DecisionTree


@dataclass(frozen=True)
class Comparison:
    """Whether a new model may replace an old one.

    Attributes
    ----------
    difference
        New less old negative log likelihood per vote, in nats: below zero is better.
    low, high
        The central 90% of its paired bootstrap, so that `high` is a one-sided 95% bound.
    margin
        How much worse a model may be and still count as not worse.
    not_worse
        Whether `high` is at most `margin`.
    n
        Galaxies with votes that both were judged on.
    """

    difference: float
    low: float
    high: float
    margin: float
    not_worse: bool
    n: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def compare(
    counts: NDArray[np.float64],
    new: NDArray[np.float64],
    old: NDArray[np.float64],
    tree: DecisionTree,
    *,
    seed: int,
    n_bootstrap: int = 2000,
    margin: float = 0.02,
) -> Comparison:
    """Compare two models on the same galaxies; the gate before a model is published.

    The rule is one of non-inferiority: the new model is "not worse" when we are 95% sure
    that it costs at most `margin` nats per vote more than the old. A model equal to the
    old passes; too few galaxies to tell do not.

    Parameters
    ----------
    counts
        Votes on galaxies that neither model trained on, shape (n, A).
    new, old
        Concentrations, shape (n, A).
    seed, n_bootstrap
        Galaxies are drawn with replacement, `n_bootstrap` times, both models' costs
        together.
    margin
        In nats per vote, at least 0.

    Raises
    ------
    NotEnoughVotesError
        When there is no vote at all.
    InvalidInputError
        As `evaluate`; and for `n_bootstrap` below 1 or a negative margin.
    """
    if n_bootstrap < 1:
        raise InvalidInputError(f"n_bootstrap must be at least 1, is {n_bootstrap}")
    if not margin >= 0:
        raise InvalidInputError(f"margin must be at least 0, is {margin}")
    new_costs = negative_log_likelihood(counts, new, tree).sum(axis=1)
    excess = new_costs - negative_log_likelihood(counts, old, tree).sum(axis=1)
    votes = np.asarray(counts, dtype=np.float64).sum(axis=1)
    require_votes(votes)
    excess, votes = excess[votes > 0], votes[votes > 0]
    drawn = _bootstrap(excess, votes, np.random.default_rng(seed), n_bootstrap)
    low, high = (float(each) for each in np.quantile(drawn, [0.05, 0.95]))
    difference = float(excess.sum() / votes.sum())
    return Comparison(difference, low, high, margin, bool(high <= margin), len(votes))


def _bootstrap(
    excess: NDArray[np.float64],
    votes: NDArray[np.float64],
    rng: np.random.Generator,
    n_bootstrap: int,
) -> NDArray[np.float64]:
    differences = np.empty(n_bootstrap)
    for draw in range(n_bootstrap):
        chosen = rng.integers(0, len(votes), len(votes))
        differences[draw] = excess[chosen].sum() / votes[chosen].sum()
    return differences
