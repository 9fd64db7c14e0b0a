"""Concentrations made as sure as they may be: one scale for each question.

A network that has learnt its galaxies by heart is too sure of others: the fractions are
right on average, their spread too narrow. Multiplying all concentrations of a question by
one scale changes how sure it is and not what it says, as a temperature does for classes
(Guo et al. 2017, ICML 70, 1321). The scale is the most likely one, by the
Dirichlet-multinomial of `mlcore.votes.likelihood`, for votes that the network did not see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from mlcore.errors import InvalidInputError
from mlcore.votes.likelihood import check_votes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mlcore.tree import DecisionTree

#: Questions with fewer votes than this, on galaxies with two or more, stay as they are.
MIN_VOTES = 50
#: Scales are sought in this range; a saturated head may need a hundredth.
SMALLEST, LARGEST = 1e-3, 1e3
#: How far a scale's logarithm lies from 0 before any vote is seen (standard deviation).
PRIOR_SPREAD = 1.0
_GRID = np.linspace(np.log(SMALLEST), np.log(LARGEST), 43)


@dataclass(frozen=True)
class QuestionCalibration:
    """The scale of one question, and what it was fitted to.

    Attributes
    ----------
    scale
        What its concentrations are multiplied by: below 1 where they were too sure.
    galaxies, votes
        Galaxies with two votes or more, and the votes on them; one vote alone says
        nothing of how sure to be.
    gain
        How much more likely the votes have become, in nats per vote; 0 where the scale
        is 1.
    """

    scale: float = 1.0
    galaxies: int = 0
    votes: float = 0.0
    gain: float = 0.0

    def __post_init__(self) -> None:
        if not SMALLEST <= self.scale <= LARGEST:
            raise InvalidInputError(f"scale must be in [{SMALLEST}, {LARGEST}], is {self.scale}")


@dataclass(frozen=True)
class Calibration:
    """The scales of a model.

    Attributes
    ----------
    questions
        Question slug to its scale; the concentrations of others stay as they are, so that
        none at all changes nothing.
    """

    questions: Mapping[str, QuestionCalibration]

    def apply(self, concentrations: NDArray[np.float32], tree: DecisionTree) -> NDArray[np.float32]:
        """Return the concentrations (..., A) scaled; raises as `factors` does."""
        return concentrations * self.factors(tree).astype(np.float32)

    def factors(self, tree: DecisionTree) -> NDArray[np.float64]:
        """Return what each concentration is multiplied by, shape (A,).

        Raises
        ------
        InvalidInputError
            For the scale of a question that the tree lacks.
        """
        unknown = sorted(set(self.questions) - set(tree.question_slices))
        if unknown:
            raise InvalidInputError(f"questions must be the tree's, {unknown[0]!r} is not")
        factors = np.ones(len(tree.label_cols))
        for slug, fitted in self.questions.items():
            factors[tree.question_slices[slug]] = fitted.scale
        return factors

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, by question."""
        return {slug: vars(fitted).copy() for slug, fitted in self.questions.items()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Return what `to_dict` gave; raises InvalidInputError for anything else."""
        try:
            return cls({slug: QuestionCalibration(**each) for slug, each in document.items()})
        except (TypeError, AttributeError) as error:
            raise InvalidInputError(f"document must be a calibration, is not: {error}") from error


#: What changes nothing.
IDENTITY = Calibration({})


def fit_calibration(
    counts: NDArray[np.float64], concentrations: NDArray[np.float64], tree: DecisionTree
) -> Calibration:
    """Return the most probable scale of each question.

    The prior of a scale's logarithm is Gaussian around 0 with spread `PRIOR_SPREAD`, so
    that few galaxies move it little; fewer than `MIN_VOTES` votes leave it at 1.

    Parameters
    ----------
    counts
        Votes that the network did not see, shape (n, A); weighted votes are allowed.
    concentrations
        What it predicted, shape (n, A), positive.
    tree
        The tree of the A columns.

    Raises
    ------
    InvalidInputError
        For shapes that differ, NaN, negative counts or concentrations not positive.
    """
    counts, concentrations = check_votes(counts, concentrations, tree)
    return Calibration(
        {
            slug: _fit_question(counts[:, part], concentrations[:, part])
            for slug, part in tree.question_slices.items()
        }
    )


def _fit_question(
    counts: NDArray[np.float64], concentrations: NDArray[np.float64]
) -> QuestionCalibration:
    telling = counts.sum(axis=1) > 1
    k, a = counts[telling], concentrations[telling]
    votes, galaxies = float(k.sum()), len(k)
    if votes < MIN_VOTES:
        return QuestionCalibration(1.0, galaxies, votes)

    def cost(log_scale: float) -> float:
        return _cost(k, np.exp(log_scale) * a) + 0.5 * (log_scale / PRIOR_SPREAD) ** 2

    # The likelihood need not have one peak alone: look everywhere, then near the best.
    best = int(np.argmin([cost(each) for each in _GRID]))
    near = (_GRID[max(best - 1, 0)], _GRID[min(best + 1, len(_GRID) - 1)])
    found = minimize_scalar(cost, bounds=near, method="bounded", options={"xatol": 1e-6})
    scale = float(np.clip(np.exp(found.x), SMALLEST, LARGEST))
    gain = (_cost(k, a) - _cost(k, scale * a)) / votes
    return QuestionCalibration(scale, galaxies, votes, float(gain))


def _cost(k: NDArray[np.float64], a: NDArray[np.float64]) -> float:
    """Return -log p of the counts (n, K) in nats, up to what the scale leaves alone."""
    total = a.sum(axis=1)
    of_totals = gammaln(total) - gammaln(total + k.sum(axis=1))
    return -float(of_totals.sum() + (gammaln(a + k) - gammaln(a)).sum())
