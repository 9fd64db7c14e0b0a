"""How often a question of the tree is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mlcore.gp.arrays import Floats
    from mlcore.tree import DecisionTree


def asked_probability(fractions: Floats, tree: DecisionTree) -> Floats:
    """Return the probability (..., Q) that each question is asked, from fractions (..., A).

    The sum, over the answers that lead to a question, of the probability that the
    answer's own question is asked times the answer's fraction. The start has 1.
    """
    columns = {column: place for place, column in enumerate(tree.label_cols)}
    asked: dict[str, Floats] = {}
    for question in tree.questions:
        parents = tree.parents(question.slug)
        asked[question.slug] = (
            sum((asked[q] * fractions[..., columns[f"{q}_{a}"]] for q, a in parents), np.zeros(()))
            if parents
            else np.ones(fractions.shape[:-1])
        )
    return np.stack([asked[question.slug] for question in tree.questions], axis=-1)


def sum_over_questions(scores: list[Floats], fractions: Floats, tree: DecisionTree) -> Floats:
    """Return the sum (m,) of each question's score (m,), weighted by how often it is asked.

    Parameters
    ----------
    scores
        One (m,) per question, in the tree's order.
    fractions
        Vote fractions (m, A), or draws (T, m, A) of them, over which P(asked) is averaged.
    """
    asked = asked_probability(fractions, tree)
    if asked.ndim == 3:
        asked = asked.mean(axis=0)
    total: Floats = np.einsum("qm,mq->m", np.stack(scores), asked)
    return total
