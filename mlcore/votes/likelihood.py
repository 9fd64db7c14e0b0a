"""Dirichlet-multinomial likelihood of votes, question by question.

For one question with concentrations a, votes k, A = sum(a) and n = sum(k):
``-log p = -[lnG(A) + lnG(n + 1) - lnG(n + A) + sum(lnG(k + a) - lnG(a) - lnG(k + 1))]``
(Walmsley et al. 2022, MNRAS 509, 3966, equation 5). A question without votes costs
nothing, so the tree enters through the counts alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from mlcore.errors import InvalidInputError, NotEnoughVotesError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlcore.tree import DecisionTree


def negative_log_likelihood(
    counts: NDArray[np.float64], concentrations: NDArray[np.float64], tree: DecisionTree
) -> NDArray[np.float64]:
    """Return -log p of the votes in float64; for evaluation.

    Parameters
    ----------
    counts
        Votes, shape (n, A).
    concentrations
        Dirichlet concentrations, shape (n, A), positive.
    tree
        The tree of the A columns.

    Returns
    -------
    ndarray
        Shape (n, Q), in nats; exactly zero where a question has no votes; (0, Q) for no
        rows.

    Raises
    ------
    InvalidInputError
        For shapes that differ, counts that are negative or not finite, or concentrations
        that are not positive and finite.
    """
    counts, concentrations = check_votes(counts, concentrations, tree)
    votes = gammaln(concentrations + counts) - gammaln(concentrations) - gammaln(counts + 1)
    answers = list(tree.question_slices.values())
    result = np.zeros((len(counts), len(answers)))
    for question, columns in enumerate(answers):
        total, asked = concentrations[:, columns].sum(axis=1), counts[:, columns].sum(axis=1)
        of_totals = gammaln(total) + gammaln(asked + 1) - gammaln(total + asked)
        result[:, question] = np.where(asked > 0, -(of_totals + votes[:, columns].sum(axis=1)), 0.0)
    return result


def check_votes(
    counts: NDArray[np.float64], concentrations: NDArray[np.float64], tree: DecisionTree
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both as float64 once they fit the tree and each other.

    Raises
    ------
    InvalidInputError
        See `negative_log_likelihood`.
    """
    counts = check_counts(counts, tree)
    concentrations = np.asarray(concentrations, dtype=np.float64)
    if concentrations.shape != counts.shape:
        raise InvalidInputError(
            f"concentrations must have the shape of counts {counts.shape}, "
            f"have {concentrations.shape}"
        )
    if not (np.isfinite(concentrations).all() and (concentrations > 0).all()):
        worst = concentrations[~(np.isfinite(concentrations) & (concentrations > 0))][0]
        raise InvalidInputError(f"concentrations must be positive and finite, one is {worst}")
    return counts, concentrations


def check_counts(counts: NDArray[np.float64], tree: DecisionTree) -> NDArray[np.float64]:
    """Return counts as float64, shape (n, A), once they can be votes on this tree.

    Raises
    ------
    InvalidInputError
        For another shape, or for counts that are negative or not finite.
    """
    counts = np.asarray(counts, dtype=np.float64)
    width = len(tree.label_cols)
    if counts.ndim != 2 or counts.shape[1] != width:
        raise InvalidInputError(f"counts must have shape (n, {width}), have {counts.shape}")
    if not (np.isfinite(counts).all() and (counts >= 0).all()):
        worst = counts[~(np.isfinite(counts) & (counts >= 0))][0]
        raise InvalidInputError(f"counts must be finite and at least 0, one is {worst}")
    return counts


def require_votes(counts: NDArray[np.float64]) -> None:
    """Raise NotEnoughVotesError where counts, a row per galaxy, hold no vote at all."""
    if not counts.sum() > 0:
        raise NotEnoughVotesError(f"counts must hold a vote, none of {len(counts)} galaxies has")
