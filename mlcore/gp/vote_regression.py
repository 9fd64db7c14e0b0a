"""Vote fractions from features, by the votes' own likelihood: good from the first vote on.

One multinomial Gaussian process per question in weight space: the log-fractions are linear
in Nystroem features of a Matern-5/2 kernel (Williams & Seeger 2001), the votes are
multinomial, the weights are found by penalised maximum likelihood and their spread by
Laplace's method (Rasmussen & Williams 2006, chapter 3). `mlcore.gp.fit` turns counts into
Gaussian targets instead, which is no good approximation for galaxies with one or two votes.

Galaxies that look alike are not the same, so that the n votes of one galaxy are worth fewer
than n votes on n galaxies: n / (1 + (n - 1) rho), where rho is the correlation of two votes
on one galaxy beyond what the features explain (the design effect of cluster sampling,
Kish 1965). 40 votes at rho = 0.3 are worth three.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize
from scipy.spatial.distance import cdist, pdist
from scipy.special import log_softmax, softmax

from mlcore.errors import InvalidInputError
from mlcore.gp.acquisition import asked_probability
from mlcore.gp.arrays import Floats, Ints, as_counts, as_matrix, require_at_least
from mlcore.gp.linalg import factorise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlcore.tree import DecisionTree

JITTER = 1e-6
# The start of each answer is free to move; this only keeps an unseen answer finite.
_INTERCEPT_PENALTY = 0.1
_CHUNK = 1024


@dataclass(frozen=True)
class RegressionConfig:
    """How votes are regressed on features.

    Parameters
    ----------
    landmarks
        Galaxies that the kernel is seen through.
    penalty
        Inverse prior variance of the log-fractions, above 0.
    rho
        Correlation of two votes on one galaxy beyond its features, in [0, 1].
    max_steps
        Of the optimiser, for each question.
    """

    landmarks: int = 256
    penalty: float = 0.3
    rho: float = 0.3
    max_steps: int = 60

    def __post_init__(self) -> None:
        require_at_least("landmarks", self.landmarks, 1)
        require_at_least("max_steps", self.max_steps, 1)
        if not self.penalty > 0:
            raise InvalidInputError(f"penalty must be above 0, is {self.penalty}")
        if not 0 <= self.rho <= 1:
            raise InvalidInputError(f"rho must be in [0, 1], is {self.rho}")


def effective_votes(n_votes: npt.ArrayLike, rho: float) -> Floats:
    """Return what `n_votes` votes on one galaxy are worth, in votes on as many galaxies.

    0 votes are worth 0, and 1 is worth 1; for rho = 1 all are worth 1.
    """
    votes = np.asarray(n_votes, dtype=np.float64)
    worth: Floats = votes / (1.0 + np.maximum(votes - 1.0, 0.0) * rho)
    return worth


@dataclass(frozen=True)
class KernelBasis:
    """Nystroem features whose products are a Matern-5/2 kernel seen through p landmarks.

    Parameters
    ----------
    landmarks
        Different points (p, d).
    length
        Of the kernel, above 0, in the units of the features.
    """

    landmarks: Floats
    length: float

    @classmethod
    def among(cls, features: npt.ArrayLike, number: int, seed: int) -> KernelBasis:
        """Draw at most `number` landmarks among the rows (n, d) that are finite.

        The length is the median distance between them.

        Raises
        ------
        InvalidInputError
            Where no row is finite.
        """
        offered = as_matrix(features, "features")
        offered = offered[np.isfinite(offered).all(axis=1)]
        if not len(offered):
            raise InvalidInputError("features must have a row that is finite, have none")
        distinct = np.unique(offered, axis=0)
        chosen = distinct[np.random.default_rng(seed).permutation(len(distinct))[:number]]
        return cls(chosen, _median_distance(chosen))

    def of(self, features: npt.ArrayLike) -> Floats:
        """Return the basis (n, p) of features (n, d).

        A row with a non-finite feature gets zeros, for which every prediction is the
        survey's mean.
        """
        known = as_matrix(features, "features")
        usable = np.asarray(np.isfinite(known).all(axis=1))
        seen = _matern(self.landmarks, known[usable], self.length)
        basis = np.zeros((len(known), len(self.landmarks)))
        basis[usable] = solve_triangular(self._root, seen, lower=True).T
        return basis

    @cached_property
    def _root(self) -> Floats:
        kernel = _matern(self.landmarks, self.landmarks, self.length)
        return factorise(kernel + JITTER * np.eye(len(kernel)), "kernel of the landmarks")


def kernel_basis(
    features: npt.ArrayLike, landmarks: int, seed: int, *, among: Ints | None = None
) -> Floats:
    """Return the basis (n, p) of features (n, d) with landmarks drawn from them.

    Parameters
    ----------
    features
        Standardised features (n, d); see `KernelBasis.of` for those that are not finite.
    landmarks
        Rows drawn at random to be the landmarks; fewer where there are fewer.
    seed
        Draws them.
    among
        Rows that the landmarks are drawn from; all when None.

    Raises
    ------
    InvalidInputError
        For no such row with finite features.
    """
    known = as_matrix(features, "features")
    offered = known if among is None else known[among]
    return KernelBasis.among(offered, landmarks, seed).of(known)


def _median_distance(points: Floats) -> float:
    median = float(np.median(pdist(points))) if len(points) > 1 else 0.0
    return median if median > 0 else 1.0


def _matern(left: Floats, right: Floats, length: float) -> Floats:
    scaled = cdist(left, right) * (5.0**0.5 / length)
    kernel: Floats = np.exp(-scaled) * (1.0 + scaled + scaled**2 / 3.0)
    return kernel


@dataclass(frozen=True)
class VoteRegression:
    """Fitted weights of every question.

    Parameters
    ----------
    tree
        The decision tree of the A answers.
    config
        How it was fitted.
    weights
        (p, A), columns of one question together.
    intercept
        (A,).
    covariance
        (Q, p, p): of the weights of one answer, alike for the answers of a question.
    """

    tree: DecisionTree
    config: RegressionConfig
    weights: Floats
    intercept: Floats
    covariance: Floats

    def mean_fractions(self, basis: Floats) -> Floats:
        """Return the predicted vote fractions (m, A) for basis (m, p)."""
        return question_softmax(basis @ self.weights + self.intercept, self.tree)

    def variance(self, basis: Floats) -> Floats:
        """Return the variance (m, Q) of each question's log-fractions."""
        return np.stack([((basis @ each) * basis).sum(axis=1) for each in self.covariance], axis=1)

    def iterate_fractions(
        self, features: npt.ArrayLike, n_draws: int, seed: int
    ) -> Iterator[tuple[slice, Floats]]:
        """Yield (rows, draws (T, chunk, A)); `features` is a basis (m, p).

        All galaxies share the same normal numbers, so that their scores compare.
        """
        basis = as_matrix(features, "features")
        require_at_least("n_draws", n_draws, 1)
        normals = np.random.default_rng(seed).standard_normal((n_draws, 1, len(self.intercept)))
        widths = [span.stop - span.start for span in self.tree.question_slices.values()]
        for start in range(0, len(basis), _CHUNK):
            rows = slice(start, min(start + _CHUNK, len(basis)))
            spread = np.repeat(np.sqrt(self.variance(basis[rows])), widths, axis=1)
            latent = basis[rows] @ self.weights + self.intercept
            yield rows, question_softmax(latent + spread * normals, self.tree)


def fit_vote_regression(
    basis: Floats, counts: npt.ArrayLike, tree: DecisionTree, config: RegressionConfig
) -> VoteRegression:
    """Fit every question to its votes.

    Parameters
    ----------
    basis
        (n, p), as `kernel_basis` gives it.
    counts
        Votes (n, A). A question without any keeps even fractions.
    tree
        The decision tree.
    config
        Settings.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit or a count is negative or NaN.
    """
    known, votes = as_matrix(basis, "basis"), as_counts(counts, len(tree.label_cols))
    if len(known) != len(votes):
        raise InvalidInputError(f"basis must have {len(votes)} rows, has {len(known)}")
    weights = np.zeros((known.shape[1], votes.shape[1]))
    intercept = np.zeros(votes.shape[1])
    for columns in tree.question_slices.values():
        weights[:, columns], intercept[columns] = _fit_question(known, votes[:, columns], config)
    fractions = question_softmax(known @ weights + intercept, tree)
    worth = question_votes(votes, tree)
    seen = effective_votes(worth, config.rho) * curvature(fractions, tree)
    return VoteRegression(
        tree, config, weights, intercept, posterior_covariance(known, seen, config.penalty)
    )


def question_votes(counts: Floats, tree: DecisionTree) -> Floats:
    """Return the votes (n, Q) on each question, of counts (n, A)."""
    columns = tree.question_slices.values()
    return np.stack([counts[:, each].sum(axis=1) for each in columns], axis=1)


def curvature(fractions: Floats, tree: DecisionTree) -> Floats:
    """Return what one vote on each question tells of its log-fractions, (n, Q).

    (1 - sum p^2) / (K - 1): the mean, over the K - 1 directions in which K log-fractions
    can differ, of the multinomial's Fisher information.
    """
    columns = tree.question_slices.values()
    return np.stack(
        [
            (1.0 - (fractions[:, each] ** 2).sum(axis=1)) / max(each.stop - each.start - 1, 1)
            for each in columns
        ],
        axis=1,
    )


def asked_curvature(fractions: Floats, tree: DecisionTree) -> Floats:
    """Return `curvature` (n, Q) times the probability that the question is asked."""
    return curvature(fractions, tree) * asked_probability(fractions, tree)


def posterior_covariance(basis: Floats, seen: Floats, penalty: float) -> Floats:
    """Return the inverse (Q, p, p) of penalty I + sum_i seen_iq basis_i basis_i^T."""
    eye = np.eye(basis.shape[1])
    return np.stack(
        [
            cho_solve(cho_factor(penalty * eye + (basis * each[:, None]).T @ basis), eye)
            for each in seen.T
        ]
    )


def _fit_question(basis: Floats, counts: Floats, config: RegressionConfig) -> tuple[Floats, Floats]:
    """Return the weights (p, K) and the intercept (K,) of one question."""
    total = counts.sum(axis=1)
    asked = total > 0
    start = np.log((counts.sum(axis=0) + 1.0) / (total.sum() + counts.shape[1]))
    if not asked.any():
        return np.zeros((basis.shape[1], counts.shape[1])), start
    problem = _Likelihood(
        basis[asked],
        counts[asked] * (effective_votes(total[asked], config.rho) / total[asked])[:, None],
        start,
        config.penalty,
    )
    found = minimize(
        problem.loss,
        np.zeros((basis.shape[1] + 1) * counts.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": config.max_steps},
    )
    solved = found.x.reshape(-1, counts.shape[1])
    return solved[1:], start + solved[0]


@dataclass(frozen=True)
class _Likelihood:
    """Penalised multinomial likelihood of one question: basis (n, p), votes (n, K)."""

    basis: Floats
    votes: Floats
    start: Floats
    penalty: float

    def loss(self, flat: Floats) -> tuple[float, Floats]:
        """Return the loss of an intercept and weights (1 + p, K), and its gradient."""
        given = flat.reshape(-1, len(self.start))
        logs = log_softmax(self.basis @ given[1:] + given[0] + self.start, axis=1)
        excess = self.votes.sum(axis=1, keepdims=True) * np.exp(logs) - self.votes
        slope = np.empty_like(given)
        slope[0] = excess.sum(axis=0) + _INTERCEPT_PENALTY * given[0]
        slope[1:] = self.basis.T @ excess + self.penalty * given[1:]
        squares = _INTERCEPT_PENALTY * (given[0] ** 2).sum() + self.penalty * (given[1:] ** 2).sum()
        return float(squares / 2 - (self.votes * logs).sum()), slope.ravel()


def question_softmax(latent: Floats, tree: DecisionTree) -> Floats:
    """Return the fractions (..., A) of log-fractions (..., A), question by question."""
    fractions = np.empty_like(latent)
    for columns in tree.question_slices.values():
        fractions[..., columns] = softmax(latent[..., columns], axis=-1)
    return fractions
