"""What the votes say about the answer that the crowd as a whole would give.

A question with counts k and a Dirichlet prior a has the posterior Dirichlet(a + k); the
marginal of one answer is Beta(a_j + k_j, sum of the others) (Gelman et al., Bayesian
Data Analysis, 3.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincinv

from mlcore.errors import InvalidInputError
from mlcore.votes.tallies import checked_columns, checked_counts, per_answer, totals

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from mlcore.tree import DecisionTree


def posterior_mean(
    counts: ArrayLike, tree: DecisionTree, prior: ArrayLike = 1.0
) -> NDArray[np.float64]:
    """Return the mean vote fraction under the posterior; shape (..., A).

    Parameters
    ----------
    counts
        Votes, shape (..., A); weighted counts are allowed. With no votes the answer is the
        prior's own mean; NaN in a question makes that question NaN.
    tree
        The tree of the columns.
    prior
        Dirichlet concentration of each answer: a number, or anything that broadcasts to
        `counts`, as a model's predicted concentrations do.

    Raises
    ------
    InvalidInputError
        For counts or a prior of the wrong width, negative counts, or a prior that is not
        positive and finite.
    """
    concentration = _concentration(counts, tree, prior)
    return concentration / per_answer(totals(concentration, tree), tree)


def credible_interval(
    counts: ArrayLike, tree: DecisionTree, prior: ArrayLike = 1.0, level: float = 0.9
) -> NDArray[np.float64]:
    """Return the equal-tailed credible interval of each answer's fraction; shape (..., A, 2).

    Parameters
    ----------
    counts, tree, prior
        As in `posterior_mean`, NaN and missing votes included.
    level
        Posterior probability inside the interval, between 0 and 1.

    Raises
    ------
    InvalidInputError
        As `posterior_mean`, and for a level that is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise InvalidInputError(f"level must be between 0 and 1, is {level}")
    own = _concentration(counts, tree, prior)
    others = per_answer(totals(own, tree), tree) - own
    tails = ((1 - level) / 2, (1 + level) / 2)
    return np.stack([betaincinv(own, others, tail) for tail in tails], axis=-1)


def _concentration(counts: ArrayLike, tree: DecisionTree, prior: ArrayLike) -> NDArray[np.float64]:
    votes = checked_counts(counts, tree)
    strength = np.asarray(prior, dtype=np.float64)
    if strength.ndim:
        strength = checked_columns(strength, tree, "prior")
    wrong = ~(np.isfinite(strength) & (strength > 0))
    if wrong.any():
        first = np.atleast_1d(strength)[np.atleast_1d(wrong)][0]
        raise InvalidInputError(f"prior must be positive and finite, is {first}")
    return votes + strength
