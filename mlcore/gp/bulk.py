"""Latents of a million galaxies: the same posterior, made quick.

Three things save most of the time of `VoteGP.latent`. Means are the same to 1e-3;
variances differ by some per cent, and hardly change the order of the scores
(``python tests/benchmarks gp_ranking``):

- all questions share one matrix of distances;
- everything is in single precision;
- the answers of a question see the landmarks along common directions, about a hundred of
  them: sum_j d_aj (k v_j)^2 in place of |k B_a|^2. With every direction, the average
  variance of the galaxies learned from is exact for each answer, and all variances are
  where the answers' votes are equally noisy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.linalg import solve_triangular

from mlcore.gp.arrays import Floats, Ints, as_features
from mlcore.gp.hyperparameters import Hyperparameters, correlate, correlation
from mlcore.gp.linalg import factorise

if TYPE_CHECKING:
    from mlcore.gp.model import VoteGP
    from mlcore.gp.posterior import QuestionPosterior

# Votes never remove more of the prior variance than this.
MOST_EXPLAINED = 1.0 - 1e-6
# Directions that explain little are dropped, while this raises the variance of the galaxies
# learned from by no more than this share of it, on average.
RAISED = 0.05


@dataclass(frozen=True)
class BulkLatents:
    """The latents of a `VoteGP`, for many galaxies at a time.

    Parameters
    ----------
    questions
        One per question that has learned something.
    inputs
        Features (n, d) of all galaxies that any question has learned from.
    centre, prior_variance, scatter_variance
        Mean, variance, and variance about the smooth function (A,), where nothing is known.
    """

    questions: tuple[_Question, ...]
    inputs: torch.Tensor
    centre: Floats
    prior_variance: Floats
    scatter_variance: Floats

    @classmethod
    def of(cls, gp: VoteGP) -> BulkLatents:
        """Prepare the latents of a fitted GP."""
        stacked = np.concatenate([posterior.inputs for posterior in gp.posteriors])
        inputs, places = np.unique(stacked, axis=0, return_inverse=True)
        ends = np.cumsum([len(posterior.inputs) for posterior in gp.posteriors])
        parts = np.split(places.reshape(-1), ends[:-1])
        return cls(
            questions=tuple(
                _Question.of(columns, posterior, rows)
                for (_, columns), posterior, rows in zip(
                    gp.questions, gp.posteriors, parts, strict=True
                )
                if len(rows)
            ),
            inputs=_single(inputs),
            centre=np.concatenate([each.centre for each in gp.posteriors]),
            prior_variance=np.concatenate([each.prior_variance for each in gp.posteriors]),
            scatter_variance=np.concatenate([each.scatter_variance for each in gp.posteriors]),
        )

    def latent(self, features: Floats) -> tuple[Floats, Floats]:
        """Return mean and variance (m, A) of the smooth function at features (m, d).

        Galaxies with a non-finite feature get the prior. Give it some hundred galaxies at
        a time, as it holds their correlations with all `inputs`.
        """
        known = as_features(features)
        usable = np.isfinite(known).all(axis=1)
        mean = np.tile(self.centre, (len(known), 1))
        variance = np.tile(self.prior_variance, (len(known), 1))
        if self.questions and usable.any():
            # A row for each input: picking a question's rows then copies whole lines.
            distances = torch.cdist(self.inputs, _single(known[usable]))
            for question in self.questions:
                pull, explained = question.at(distances)
                mean[usable, question.columns] += pull
                variance[usable, question.columns] *= 1.0 - explained
        return mean, variance


@dataclass(frozen=True)
class _Question:
    """One question: `places` (n,) of its galaxies among the inputs, and what they teach.

    `weights` (K, n) and `landmarks` (p,) are as in `QuestionPosterior`; `directions` (r, p)
    are common to the answers, which they explain to the shares (K, r).
    """

    columns: slice
    hyper: Hyperparameters
    places: torch.Tensor
    weights: torch.Tensor
    landmarks: torch.Tensor
    directions: torch.Tensor
    shares: torch.Tensor

    @classmethod
    def of(cls, columns: slice, posterior: QuestionPosterior, places: Ints) -> _Question:
        directions, shares = _common_directions(posterior)
        return cls(
            columns=columns,
            hyper=posterior.hyper,
            places=torch.from_numpy(places),
            weights=_single((posterior.weights * posterior.scale).T),
            landmarks=torch.from_numpy(posterior.landmarks),
            directions=_single(directions.T),
            shares=_single(shares.T),
        )

    def at(self, distances: torch.Tensor) -> tuple[Floats, Floats]:
        """Return the mean less the centre, and the share of variance explained, (m, K).

        `distances` (N, m) are those of the inputs from the galaxies.
        """
        kernel = correlate(distances[self.places], self.hyper)
        seen = self.shares @ (self.directions @ kernel[self.landmarks]).square_()
        explained = np.minimum(seen.T.double().numpy(), MOST_EXPLAINED)
        return (self.weights @ kernel).T.double().numpy(), explained


def _common_directions(posterior: QuestionPosterior) -> tuple[Floats, Floats]:
    """Return directions (p, r), and the shares (r, K) to which they explain each answer.

    The directions make the galaxies' correlations with the landmarks uncorrelated, each of
    mean square 1, and the average answer's explained variance a plain sum of squares.
    """
    landmarks = posterior.inputs[posterior.landmarks]
    kernel = correlation(posterior.inputs, landmarks, posterior.hyper).numpy()
    root = factorise(kernel.T @ kernel / len(kernel), "the spread of the correlations")
    factors = root.T @ posterior.reduction
    means, turn = np.linalg.eigh((factors @ factors.transpose(0, 2, 1)).mean(axis=0))
    explained = np.cumsum(means[::-1])
    enough = explained[-1] - RAISED * max(1.0 - explained[-1], 0.0)
    number = 1 + int(np.searchsorted(explained, enough))
    turn = turn[:, ::-1][:, :number]
    shares = np.square(factors.transpose(0, 2, 1) @ turn).sum(axis=1).T
    directions: Floats = solve_triangular(root, turn, lower=True, trans="T")
    return directions, shares


def _single(values: Floats) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
