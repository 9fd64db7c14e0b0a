"""Vote counts, totals, fractions, and the chance that a question is asked.

The label of a galaxy is the distribution of its votes, question by question (Willett
et al. 2013, MNRAS 435, 2835; Walmsley et al. 2022, MNRAS 509, 3966).

Shapes: A label columns, Q questions; a leading axis n for subjects may be left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlcore.errors import AnnotationError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from mlcore.tree import DecisionTree, Step


def count_votes(paths: Iterable[Sequence[Step]], tree: DecisionTree) -> NDArray[np.int64]:
    """Count the votes of one subject.

    Parameters
    ----------
    paths
        One path of (question, answer) pairs per volunteer, as `DecisionTree.validate`
        gives them; partial paths count as far as they go.
    tree
        The tree that was walked.

    Returns
    -------
    ndarray
        Shape (A,); zeros where there are no paths.

    Raises
    ------
    AnnotationError
        For a (question, answer) that the tree lacks.
    """
    counts = np.zeros(len(tree.label_cols), dtype=np.int64)
    for path in paths:
        for step in path:
            if step not in tree.column_index:
                raise AnnotationError(f"tree {tree.slug!r} has no question and answer {step!r}")
            counts[tree.column_index[step]] += 1
    return counts


def checked_counts(counts: ArrayLike, tree: DecisionTree) -> NDArray[np.float64]:
    """Return vote counts as floats of shape (..., A).

    Counts may be weighted, so need not be whole; NaN passes through.

    Raises
    ------
    InvalidInputError
        Where the last axis is not A, or a count is negative or infinite.
    """
    array = checked_columns(counts, tree, "counts")
    wrong = array[(array < 0) | np.isinf(array)]
    if wrong.size:
        raise InvalidInputError(f"counts must be finite and at least 0, is {wrong[0]}")
    return array


def checked_columns(values: ArrayLike, tree: DecisionTree, name: str) -> NDArray[np.float64]:
    """Return `values` as floats; raises InvalidInputError where the last axis is not A."""
    array = np.asarray(values, dtype=np.float64)
    width = len(tree.label_cols)
    if array.ndim == 0 or array.shape[-1] != width:
        raise InvalidInputError(f"{name} must have {width} columns, has shape {array.shape}")
    return array


def totals(counts: ArrayLike, tree: DecisionTree) -> NDArray[np.float64]:
    """Return the votes that each question got: (..., A) to (..., Q).

    NaN in any answer makes its question's total NaN. Raises InvalidInputError for counts
    of the wrong width, negative or infinite.
    """
    starts = [span.start for span in tree.question_slices.values()]
    return np.asarray(np.add.reduceat(checked_counts(counts, tree), starts, axis=-1))


def per_answer(values: NDArray[np.float64], tree: DecisionTree) -> NDArray[np.float64]:
    """Repeat each question's value for each of its answers: (..., Q) to (..., A)."""
    lengths = [span.stop - span.start for span in tree.question_slices.values()]
    return np.repeat(values, lengths, axis=-1)


def fractions(counts: ArrayLike, tree: DecisionTree) -> NDArray[np.float64]:
    """Return vote fractions, ``votes / total votes of the question``; shape (..., A).

    NaN, never 0, where a question has no votes. Raises as `totals` does.
    """
    votes = checked_counts(counts, tree)
    total = per_answer(totals(votes, tree), tree)
    unknown = np.full(votes.shape, np.nan)
    return np.asarray(np.divide(votes, total, out=unknown, where=total != 0))


def relevance(fractions: ArrayLike, tree: DecisionTree) -> NDArray[np.float64]:
    """Return the chance that each question is asked; shape (..., Q).

    A path is followed with the product of its answers' fractions; a question is asked
    with the sum over the paths to it. The start is always asked (1).

    Parameters
    ----------
    fractions
        Shape (..., A): vote fractions, or any per-question distribution such as a
        model's mean prediction. NaN is allowed where a question has no votes: it
        contributes nothing where the question is never asked (relevance 0), and makes
        what follows NaN where it is.
    tree
        The tree of the columns.

    Raises
    ------
    InvalidInputError
        Where the last axis is not A.
    """
    share = checked_columns(fractions, tree, "fractions")
    order = {question.slug: place for place, question in enumerate(tree.questions)}
    asked = np.zeros((*share.shape[:-1], len(order)))
    asked[..., 0] = 1.0
    for slug, place in order.items():
        for parent, answer in tree.parents(slug):
            reached = asked[..., order[parent]]
            followed = reached * share[..., tree.column_index[parent, answer]]
            asked[..., place] += np.where(reached == 0, 0.0, followed)
    return asked
