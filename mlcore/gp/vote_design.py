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
should get falls out: a second vote on it is worth d = (1 - rho) / (1 + rho), not 1, and h_i
is the curvature at what the galaxy's own votes and the prediction say together, so that
three votes for the same answer make a fourth worth little, and two against one do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlcore.errors import InvalidInputError
from mlcore.gp.arrays import Bools, Floats, Ints, require_at_least
from mlcore.gp.vote_regression import (
    asked_curvature,
    effective_votes,
    posterior_covariance,
    question_votes,
)

if TYPE_CHECKING:
    from mlcore.gp.vote_regression import RegressionConfig
    from mlcore.tree import DecisionTree

# With no correlation at all, own votes still count for something.
_LEAST_RHO = 0.01


@dataclass(frozen=True)
class VoteDesign:
    """What is known when votes are chosen.

    Parameters
    ----------
    basis
        (n, p), of every galaxy that may be asked about. They also stand for the survey.
    fractions
        Predicted vote fractions (n, A).
    counts
        Votes (n, A) so far.
    votes
        Volunteers (n,) who have answered, or have been asked to.
    tree
        The decision tree of the A answers.
    config
        Of the regression that the votes are for.
    """

    basis: Floats
    fractions: Floats
    counts: Floats
    votes: Ints
    tree: DecisionTree
    config: RegressionConfig

    def __post_init__(self) -> None:
        n = len(self.basis)
        wanted = [(n, len(self.tree.label_cols))] * 2 + [(n,)]
        shapes = [self.fractions.shape, self.counts.shape, self.votes.shape]
        if shapes != wanted:
            raise InvalidInputError(
                f"fractions, counts and votes must be of {n} galaxies, are {shapes}"
            )
        for name in ("basis", "fractions", "counts"):
            if not np.isfinite(getattr(self, name)).all():
                raise InvalidInputError(f"{name} must be finite, but some are not")
        if n and self.votes.min() < 0:
            raise InvalidInputError(f"votes must be at least 0, is {self.votes.min()}")

    def own_fractions(self) -> Floats:
        """Return what is expected of each galaxy's next vote, (n, A), its own votes known.

        The prediction counts as (1 - rho) / rho votes, as in the Dirichlet-multinomial of
        that correlation.
        """
        rho = max(self.config.rho, _LEAST_RHO)
        prior = (1.0 - rho) / rho
        total = np.repeat(
            question_votes(self.counts, self.tree),
            [span.stop - span.start for span in self.tree.question_slices.values()],
            axis=1,
        )
        own: Floats = (prior * self.fractions + self.counts) / (prior + total)
        return own

    def choose(
        self,
        n_votes: int,
        *,
        max_votes: int = 40,
        block: int = 1,
        allowed: Bools | None = None,
    ) -> tuple[Ints, Floats]:
        """Choose whom the next `n_votes` volunteers are asked about.

        Parameters
        ----------
        n_votes
            At least 0; fewer are chosen where every galaxy has `max_votes`.
        max_votes
            That a galaxy may get in all, at least 1.
        block
            Galaxies chosen at a time, at least 1. They do not know of each other, so that
            1 is the exact greedy choice, and some 8 is faster and much the same.
        allowed
            Galaxies (n,) that may be asked about; all when None. The others still stand for
            the survey.

        Returns
        -------
        chosen, gains
            Rows (b,) in order, with repeats, and how much each is expected to take off the
            survey's mean loss, in nats per volunteer.

        Raises
        ------
        InvalidInputError
            For a number out of its range, or `allowed` of another length.
        """
        require_at_least("n_votes", n_votes, 0)
        require_at_least("max_votes", max_votes, 1)
        require_at_least("block", block, 1)
        limits = self._limits(max_votes, allowed)
        state = _State.start(self)
        chosen, gains = [np.empty(0, dtype=np.int64)], [np.empty(0)]
        left = min(n_votes, int(np.maximum(limits - self.votes, 0).sum()))
        while left > 0:
            rows, gain = state.take(min(block, left), limits)
            chosen.append(rows)
            gains.append(gain)
            left -= len(rows)
        return np.concatenate(chosen), np.concatenate(gains)

    def _limits(self, max_votes: int, allowed: Bools | None) -> Ints:
        """Return the votes (n,) that each galaxy may get in all."""
        limits = np.full(len(self.votes), max_votes, dtype=np.int64)
        if allowed is not None:
            if np.shape(allowed) != limits.shape:
                raise InvalidInputError(f"allowed must be ({len(limits)},), is {np.shape(allowed)}")
            limits[~np.asarray(allowed, dtype=bool)] = 0
        return limits


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

        `weighted` (Q, p, p) is S M S; `spread` (n, Q) is phi^T S phi; `reach` (n, Q) is
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
            asked_curvature(design.own_fractions(), design.tree),
            design.votes.copy(),
            covariance,
            pulled,
            _quadratic(basis, covariance),
            _quadratic(basis, pulled),
        )

    def take(self, number: int, limits: Ints) -> tuple[Ints, Floats]:
        """Choose up to `number` galaxies, and count a vote on each as given."""
        rho = self.design.config.rho
        worth = effective_votes(self.votes + 1, rho) - effective_votes(self.votes, rho)
        told = worth[:, None] * self.curvature
        gain = (told * self.reach / (1.0 + told * self.spread)).sum(axis=1)
        gain[self.votes >= limits] = -np.inf
        best = np.argsort(-gain, kind="stable")[:number]
        best = best[np.isfinite(gain[best])]
        self._learn(best, told[best])
        self.votes[best] += 1
        return best, gain[best]

    def _learn(self, rows: Ints, told: Floats) -> None:
        """Condition on votes (b,) that tell `told` (b, Q) about their galaxies.

        S becomes S - U C U^T with U = S Phi^T and C = (diag(1 / told) + Phi U)^-1.
        """
        basis, points = self.design.basis, self.design.basis[rows]
        moved, pulled = self.covariance @ points.T, self.weighted @ points.T
        root = np.sqrt(told.T)[:, :, None]
        inner = np.eye(len(rows)) + root * (points @ moved) * root.transpose(0, 2, 1)
        shrunk = root * np.linalg.inv(inner) * root.transpose(0, 2, 1)
        twice = shrunk @ (points @ pulled) @ shrunk
        mixed = moved @ shrunk @ pulled.transpose(0, 2, 1)
        back = moved.transpose(0, 2, 1)
        self.covariance -= moved @ shrunk @ back
        self.weighted += moved @ twice @ back - mixed - mixed.transpose(0, 2, 1)
        along, across = basis @ moved, basis @ pulled
        self.spread -= ((along @ shrunk) * along).sum(axis=2).T
        self.reach += (
            ((along @ twice) * along).sum(axis=2) - 2.0 * ((along @ shrunk) * across).sum(axis=2)
        ).T


def _quadratic(basis: Floats, matrices: Floats) -> Floats:
    """Return basis_i^T matrix_q basis_i, shape (n, Q)."""
    return np.stack([((basis @ each) * basis).sum(axis=1) for each in matrices], axis=1)
