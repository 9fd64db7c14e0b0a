"""Whom to ask next, vote by vote: where one more vote improves the survey's predictions most.

The mean over the whole survey of a prediction's excess loss, in nats per volunteer, is to
second order one half of the variance of its log-fractions times the curvature of the vote's
entropy there. What one vote on galaxy i takes off it is, for each question, with S the
covariance of the weights, phi_i the galaxy's basis, d what the next vote on it is worth and
M the survey's mean of curvature times phi phi^T,

    gain_i = 1/2 * d h_i phi_i^T S M S phi_i / (1 + d h_i phi_i^T S phi_i)

(variance reduction: Cohn 1996; Schein & Ungar 2007 for logistic regression; the Gaussian
form of the expected predictive information of Bickford Smith et al. 2023). Information
about the model (BALD) prefers what is unlike everything else; this prefers what many
galaxies are like. Votes are chosen one by one, each with all before it taken into account,
so that a batch is diverse, votes that are out already count, and how many votes a galaxy
should get falls out: a second vote on it is worth d = (1 - rho) / (1 + rho), not 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlcore.errors import InvalidInputError
from mlcore.gp.arrays import Floats, Ints, require_at_least
from mlcore.gp.vote_regression import (
    asked_curvature,
    effective_votes,
    posterior_covariance,
)

if TYPE_CHECKING:
    from mlcore.gp.vote_regression import RegressionConfig
    from mlcore.tree import DecisionTree


@dataclass(frozen=True)
class VoteDesign:
    """What is known when votes are chosen.

    Parameters
    ----------
    basis
        (n, p), of every galaxy that may be asked about. They also stand for the survey.
    fractions
        Predicted vote fractions (n, A).
    votes
        Volunteers (n,) who have answered, or have been asked to.
    tree
        The decision tree of the A answers.
    config
        Of the regression that the votes are for.
    """

    basis: Floats
    fractions: Floats
    votes: Ints
    tree: DecisionTree
    config: RegressionConfig

    def __post_init__(self) -> None:
        n = len(self.basis)
        if self.fractions.shape != (n, len(self.tree.label_cols)) or self.votes.shape != (n,):
            raise InvalidInputError(
                f"fractions and votes must be of {n} galaxies, are {self.fractions.shape} "
                f"and {self.votes.shape}"
            )
        if n and self.votes.min() < 0:
            raise InvalidInputError(f"votes must be at least 0, is {self.votes.min()}")

    def choose(self, n_votes: int, *, max_votes: int = 40) -> tuple[Ints, Floats]:
        """Choose whom the next `n_votes` volunteers are asked about.

        Parameters
        ----------
        n_votes
            At least 0; fewer are chosen where every galaxy has `max_votes`.
        max_votes
            That a galaxy may get in all, at least 1.

        Returns
        -------
        chosen, gains
            Rows (b,) in order, with repeats, and how much each is expected to take off the
            survey's mean loss, in nats per volunteer; gains need not fall.

        Raises
        ------
        InvalidInputError
            For a number out of its range.
        """
        require_at_least("n_votes", n_votes, 0)
        require_at_least("max_votes", max_votes, 1)
        left = int(np.maximum(max_votes - self.votes, 0).sum())
        state = _State.start(self)
        chosen = np.empty(min(n_votes, left), dtype=np.int64)
        gains = np.empty(len(chosen))
        for place in range(len(chosen)):
            chosen[place], gains[place] = state.take_best(max_votes)
        return chosen, gains


@dataclass
class _State:
    """The survey as the votes chosen so far will leave it."""

    design: VoteDesign
    curvature: Floats
    votes: Ints
    covariance: Floats
    weighted: Floats
    spread: Floats
    reach: Floats

    @classmethod
    def start(cls, design: VoteDesign) -> _State:
        """Take account of all votes so far.

        `weighted` (Q, p, p) is S M; `spread` (n, Q) is phi^T S phi; `reach` (n, Q) is
        phi^T S M S phi.
        """
        basis, config = design.basis, design.config
        heights = asked_curvature(design.fractions, design.tree)
        seen = effective_votes(design.votes, config.rho)[:, None] * heights
        covariance = posterior_covariance(basis, seen, config.penalty)
        # A question's excess loss grows with the directions in which it can be wrong.
        directions = [
            max(span.stop - span.start - 1, 1) for span in design.tree.question_slices.values()
        ]
        targets = heights * directions / (2.0 * max(len(basis), 1))
        moments = [(basis * each[:, None]).T @ basis for each in targets.T]
        pulled = covariance @ np.stack(moments) @ covariance
        return cls(
            design,
            heights,
            design.votes.astype(np.float64).copy(),
            covariance,
            pulled,
            _quadratic(basis, covariance),
            _quadratic(basis, pulled),
        )

    def take_best(self, max_votes: int) -> tuple[int, float]:
        """Choose one vote, and take it into account as if it had been given."""
        rho = self.design.config.rho
        worth = effective_votes(self.votes + 1, rho) - effective_votes(self.votes, rho)
        told = worth[:, None] * self.curvature
        gain = (told * self.reach / (1.0 + told * self.spread)).sum(axis=1)
        gain[self.votes >= max_votes] = -1.0
        best = int(gain.argmax())
        self._learn(best, told[best])
        self.votes[best] += 1
        return best, float(gain[best])

    def _learn(self, row: int, told: Floats) -> None:
        """Condition on a vote that tells `told` (Q,) about one galaxy."""
        point = self.design.basis[row]
        moved = self.covariance @ point
        shrunk = told / (1.0 + told * (moved @ point))
        pulled = self.weighted @ point
        along = self.design.basis @ moved.T
        across = self.design.basis @ pulled.T
        height = pulled @ point
        self.covariance -= shrunk[:, None, None] * moved[:, :, None] * moved[:, None, :]
        mixed = moved[:, :, None] * pulled[:, None, :]
        self.weighted += (shrunk**2 * height)[:, None, None] * (
            moved[:, :, None] * moved[:, None, :]
        ) - shrunk[:, None, None] * (mixed + mixed.transpose(0, 2, 1))
        self.spread -= shrunk * along**2
        self.reach += shrunk**2 * height * along**2 - 2.0 * shrunk * along * across


def _quadratic(basis: Floats, matrices: Floats) -> Floats:
    """Return basis_i^T matrix_q basis_i, shape (n, Q)."""
    return np.stack([((basis @ each) * basis).sum(axis=1) for each in matrices], axis=1)
