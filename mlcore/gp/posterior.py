"""The posterior of one question's Gaussian process, in closed form.

Up to a limit the posterior is exact. Beyond it galaxies are seen through inducing
points. With a Gaussian likelihood of known noise that needs no stochastic optimiser,
only one pass over the galaxies, in either of its two forms (Quinonero-Candela &
Rasmussen 2005):

- SVGP: the posterior at which a stochastic variational fit (Hensman et al. 2013) ends
  for given inducing points, the optimum of Titsias 2009;
- FITC (Snelson & Ghahramani 2006), which adds to each galaxy's noise the variance that
  the inducing points miss. It predicted held-out votes better on drawn galaxies and as
  well on real ones, in the same time (``python tests/benchmarks gp_sparse``), and is the
  default.

In all cases the variance at new galaxies goes through at most 256 landmarks, because an
exact variance would cost n^2 per candidate and answer. The mean of an exact fit stays
exact; the variance is never too small, since seeing a galaxy through landmarks can only
hide information.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.linalg import cho_solve, solve_triangular
from scipy.linalg.lapack import dpotri

from mlcore.gp.hyperparameters import Hyperparameters, correlation
from mlcore.gp.linalg import factorise

if TYPE_CHECKING:
    from mlcore.gp.arrays import Floats, Ints

JITTER = 1e-6
# Directions that explain less of the variance than this are not worth their time.
NEGLIGIBLE = 0.01


@dataclass(frozen=True)
class QuestionPosterior:
    """The latent log-fractions of one question's K answers, given the votes.

    Parameters
    ----------
    hyper
        Kernel of the standardised problem.
    centre, scale
        Mean and standard deviation (K,) that standardised the targets.
    inputs, weights
        Features (n, d) and weights (n, K): mean = correlation(x, inputs) @ weights.
    landmarks
        Rows (p,) of the inputs through which the variance is computed.
    reduction
        Factors (K, p, r): the prior correlation falls by
        |correlation(x, inputs[landmarks]) @ B|^2.
    """

    hyper: Hyperparameters
    centre: Floats
    scale: Floats
    inputs: Floats
    weights: Floats
    landmarks: Ints
    reduction: Floats

    @property
    def prior_variance(self) -> Floats:
        """Return the latent variance (K,) where nothing is known."""
        return self.hyper.outputscale * self.scale**2

    @property
    def scatter_variance(self) -> Floats:
        """Return the variance (K,) of galaxies about the smooth function."""
        return self.hyper.scatter * self.scale**2

    def latent(self, features: Floats) -> tuple[Floats, Floats]:
        """Return the mean and variance (m, K) of the smooth function at features (m, d).

        A galaxy with a non-finite feature gets the prior.
        """
        usable = np.isfinite(features).all(axis=1)
        mean = np.tile(self.centre, (len(features), 1))
        variance = np.tile(self.prior_variance, (len(features), 1))
        if len(self.inputs) and usable.any():
            kernel = correlation(features[usable], self.inputs, self.hyper)
            mean[usable] += (kernel @ torch.from_numpy(self.weights)).numpy() * self.scale
            variance[usable] *= 1.0 - self._explained(kernel[:, self.landmarks])
        return mean, variance

    def latent_covariance(self, features: Floats) -> Floats:
        """Return the posterior covariance (K, m, m) of the smooth function.

        A galaxy with a non-finite feature is independent of all others.
        """
        usable = np.isfinite(features).all(axis=1)
        joint = np.tile(np.eye(len(features)), (len(self.centre), 1, 1))
        if usable.any():
            known = features[usable]
            block = correlation(known, known, self.hyper).numpy()
            kernel = correlation(known, self.inputs[self.landmarks], self.hyper).numpy()
            seen = kernel @ self.reduction
            both = np.ix_(np.arange(len(self.centre)), usable, usable)
            joint[both] = block - seen @ seen.transpose(0, 2, 1)
        return joint * self.prior_variance[:, None, None]

    def _explained(self, kernel: torch.Tensor) -> Floats:
        """Return the share (m, K) of the prior variance that the votes have removed.

        In single precision, which is twice as fast and right to about 0.001.
        """
        seen = kernel.float() @ torch.from_numpy(self.reduction).float()
        shares: Floats = seen.square_().sum(dim=2).T.double().numpy()
        return np.minimum(shares, 1.0 - JITTER)


@dataclass(frozen=True)
class LeaveOneOut:
    """What each galaxy's votes look like to a model that has not seen them.

    Parameters
    ----------
    mean, variance
        Predictive mean and variance (n, K) of the target, its noise included.
    """

    mean: Floats
    variance: Floats


def prior_posterior(centre: Floats, variance: Floats, n_features: int) -> QuestionPosterior:
    """Return the posterior of a question with too few galaxies: its prior.

    Parameters
    ----------
    centre, variance
        Prior mean and variance (K,) of the latent log-fractions.
    n_features
        d, the width of the features.
    """
    n_answers = len(centre)
    none = np.empty((0, n_features))
    hyper = Hyperparameters("rbf", 1.0, variance, np.zeros(n_answers))
    return QuestionPosterior(
        hyper=hyper,
        centre=centre,
        scale=np.ones(n_answers),
        inputs=none,
        weights=np.empty((0, n_answers)),
        landmarks=np.empty(0, dtype=np.int64),
        reduction=np.empty((n_answers, 0, 0)),
    )


def exact_posterior(
    inputs: Floats, targets: Floats, noise: Floats, hyper: Hyperparameters, landmarks: Ints
) -> tuple[QuestionPosterior, LeaveOneOut]:
    """Condition the GP on every galaxy: O(K n^3).

    Parameters
    ----------
    inputs
        Features (n, d), finite, without duplicates.
    targets, noise
        Targets and noise variances (n, K), standardised with `hyper`.
    hyper
        Fixed hyperparameters.
    landmarks
        Rows (p,) of the inputs; all of them make the variance exact.

    Returns
    -------
    posterior, leave_one_out
        Both in standardised units. With C the covariance of the noisy targets,
        mu_i = y_i - [C^-1 y]_i / [C^-1]_ii and var_i = 1 / [C^-1]_ii
        (Rasmussen & Williams 2006, eq. 5.12).

    Raises
    ------
    FitError
        If the kernel is not finite or not positive definite; see `factorise`.
    """
    kernel = correlation(inputs, inputs, hyper).numpy()
    root = _landmark_root(kernel[np.ix_(landmarks, landmarks)])
    projected = solve_triangular(root, kernel[landmarks], lower=True)
    weights, factors = np.empty_like(targets), []
    left_out = LeaveOneOut(np.empty_like(targets), np.empty_like(targets))
    for answer, outputscale in enumerate(hyper.outputscale):
        diagonal = noise[:, answer] + hyper.scatter[answer] + JITTER * outputscale
        inverse = _inverse(outputscale * kernel, diagonal)
        solved = inverse @ targets[:, answer]
        weights[:, answer] = outputscale * solved
        _leave_out(left_out, answer, targets, solved, np.diag(inverse))
        factors.append(_reduction(root, outputscale * projected @ inverse @ projected.T))
    posterior = _standardised(hyper, inputs, weights, landmarks, _stack(factors))
    return posterior, left_out


def inducing_posterior(
    inputs: Floats,
    targets: Floats,
    noise: Floats,
    hyper: Hyperparameters,
    landmarks: Ints,
    *,
    sparse: str = "fitc",
) -> tuple[QuestionPosterior, LeaveOneOut]:
    """Condition the GP on every galaxy through the landmarks: O(K n p^2).

    The other parameters, returns and errors are those of `exact_posterior`, to which
    this tends as the landmarks become all of the inputs.

    Parameters
    ----------
    sparse
        ``fitc`` or ``svgp``.
    """
    kernel = correlation(inputs[landmarks], inputs, hyper).numpy()
    root = _landmark_root(kernel[:, landmarks])
    projected = solve_triangular(root, kernel, lower=True)
    missed = np.maximum(1.0 - np.square(projected).sum(axis=0), 0.0)
    weights, factors = np.empty((len(landmarks), targets.shape[1])), []
    left_out = LeaveOneOut(np.empty_like(targets), np.empty_like(targets))
    for answer, outputscale in enumerate(hyper.outputscale):
        known = noise[:, answer] + hyper.scatter[answer] + JITTER * outputscale
        diagonal = known + (outputscale * missed if sparse == "fitc" else 0.0)
        scaled = np.sqrt(outputscale) * projected / diagonal
        inner = _inner_factor(np.sqrt(outputscale) * scaled @ projected.T)
        pulled = cho_solve(inner, scaled @ targets[:, answer])
        weights[:, answer] = np.sqrt(outputscale) * solve_triangular(
            root, pulled, lower=True, trans="T"
        )
        solved = targets[:, answer] / diagonal - scaled.T @ pulled
        inverse = 1.0 / diagonal - np.einsum("pn,pn->n", scaled, cho_solve(inner, scaled))
        _leave_out(left_out, answer, targets, solved, inverse)
        left_out.variance[:, answer] += known + outputscale * missed - diagonal
        shrunk = np.eye(len(landmarks)) - cho_solve(inner, np.eye(len(landmarks)))
        factors.append(_reduction(root, shrunk))
    places = np.arange(len(landmarks))
    posterior = _standardised(hyper, inputs[landmarks], weights, places, _stack(factors))
    return posterior, left_out


def _standardised(
    hyper: Hyperparameters, inputs: Floats, weights: Floats, landmarks: Ints, reduction: Floats
) -> QuestionPosterior:
    n_answers = weights.shape[1]
    return QuestionPosterior(
        hyper, np.zeros(n_answers), np.ones(n_answers), inputs, weights, landmarks, reduction
    )


def _landmark_root(kernel: Floats) -> Floats:
    return factorise(kernel + JITTER * np.eye(len(kernel)), "the kernel of the landmarks")


def _inner_factor(precision: Floats) -> tuple[Floats, bool]:
    return factorise(np.eye(len(precision)) + precision, "the inducing points' precision"), True


def _inverse(kernel: Floats, diagonal: Floats) -> Floats:
    noisy = kernel.copy()
    noisy[np.diag_indices_from(noisy)] += diagonal
    root = factorise(noisy, "the kernel of the galaxies")
    lower, _ = dpotri(root, lower=1)
    inverse: Floats = np.tril(lower) + np.tril(lower, -1).T
    return inverse


def _leave_out(
    left_out: LeaveOneOut, answer: int, targets: Floats, solved: Floats, diagonal: Floats
) -> None:
    left_out.mean[:, answer] = targets[:, answer] - solved / diagonal
    left_out.variance[:, answer] = 1.0 / diagonal


def _reduction(root: Floats, shrunk: Floats) -> Floats:
    """Return B (p, p) with B B^T = root^-T shrunk root^-1, by a symmetric square root."""
    values, vectors = np.linalg.eigh((shrunk + shrunk.T) / 2)
    values[values < NEGLIGIBLE] = 0.0
    half = vectors * np.sqrt(np.minimum(values, 1.0))
    factor: Floats = solve_triangular(root, half, lower=True, trans="T")
    return factor


def _stack(factors: list[Floats]) -> Floats:
    """Stack factors (K, p, r) with the columns that are zero for every answer left out."""
    stacked = np.stack(factors)
    used = (stacked != 0.0).any(axis=(0, 1))
    return np.ascontiguousarray(stacked[:, :, used])
