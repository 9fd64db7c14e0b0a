"""One Gaussian process per question: vote fractions from what galaxies look like.

Each question's answers are independent Gaussian processes that share a
lengthscale, fitted on the Dirichlet-classification scale (`mlcore.gp.targets`),
so that 3 votes and 40 votes weigh as they should. A softmax of latent draws gives
vote fractions. The latent has two parts: a smooth function of the features, which
votes on *other* galaxies teach, and each galaxy's own scatter about it, which only
its own votes can. Acquisition needs the first alone; the surprise of a galaxy's
votes needs both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from mlcore.errors import InvalidInputError
from mlcore.gp.arrays import Floats, as_features, require_at_least

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlcore.gp.posterior import QuestionPosterior

CHUNK = 1024
MAX_JOINT = 4096
MEAN_DRAWS = 128
SMALLEST_VARIANCE = 1e-9


@dataclass(frozen=True)
class LatentLeaveOneOut:
    """Each labelled galaxy's latent log-fractions, as seen without its own votes.

    Parameters
    ----------
    mean, variance
        (n, A). The variance has the galaxy's own scatter, but not the noise of its
        votes, which the vote likelihood adds.
    """

    mean: Floats
    variance: Floats


@dataclass(frozen=True)
class VoteGP:
    """A fitted GP over the vote fractions of every question of a tree.

    Parameters
    ----------
    questions
        Slug and column slice of each question, in the tree's order.
    posteriors
        One per question.
    left_out
        Leave-one-out latents of the n galaxies it was fitted on.
    n_features
        d, the width of the features.
    fallbacks
        Slug of each question that could not be fitted as it should, to the reason.
    """

    questions: tuple[tuple[str, slice], ...]
    posteriors: tuple[QuestionPosterior, ...]
    left_out: LatentLeaveOneOut
    n_features: int
    fallbacks: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_learned(self) -> bool:
        """Whether any question has more than its prior."""
        return any(len(posterior.inputs) for posterior in self.posteriors)

    @property
    def n_answers(self) -> int:
        """Return A, the number of answers over all questions."""
        return sum(len(posterior.centre) for posterior in self.posteriors)

    def latent(self, features: npt.ArrayLike, *, scatter: bool = False) -> tuple[Floats, Floats]:
        """Return mean and variance (m, A) of the latent log-fractions at features (m, d).

        Galaxies with a non-finite feature get the prior. With `scatter` the
        variance includes each galaxy's own departure from the smooth function.

        Raises
        ------
        InvalidInputError
            If the features do not have the width that was fitted.
        """
        known = self._checked(features)
        mean = np.empty((len(known), self.n_answers))
        variance = np.empty_like(mean)
        for start in range(0, len(known), CHUNK):
            rows = slice(start, start + CHUNK)
            for (_, columns), posterior in zip(self.questions, self.posteriors, strict=True):
                found, spread = posterior.latent(known[rows])
                mean[rows, columns] = found
                variance[rows, columns] = spread + scatter * posterior.scatter_variance
        return mean, variance

    def sample_fractions(
        self,
        features: npt.ArrayLike,
        n_draws: int,
        seed: int,
        *,
        scatter: bool = False,
        joint: bool = False,
    ) -> Floats:
        """Return posterior draws (T, m, A) of vote fractions at features (m, d).

        Marginal by default: the draws of one galaxy are right on their own, and all
        galaxies share the same standard normal numbers (in antithetic pairs), so
        that scores made from few draws compare galaxies without extra noise. With
        `joint` the draws of different galaxies are correlated as the posterior is
        (at most 4,096 galaxies). No galaxies give (T, 0, A). The fractions of each
        question add up to 1 and are never NaN.

        Raises
        ------
        InvalidInputError
            If `n_draws` is below 1, the width is wrong, or too many galaxies are
            asked for jointly.
        """
        if joint:
            return self._joint_fractions(self._checked(features), n_draws, seed, scatter=scatter)
        chunks = list(self.iterate_fractions(features, n_draws, seed, scatter=scatter))
        empty = np.empty((n_draws, 0, self.n_answers))
        return np.concatenate([empty, *(draws for _, draws in chunks)], axis=1)

    def iterate_fractions(
        self, features: npt.ArrayLike, n_draws: int, seed: int, *, scatter: bool = False
    ) -> Iterator[tuple[slice, Floats]]:
        """Yield (rows, draws (T, chunk, A)) in chunks of at most 1,024 galaxies.

        The draws are those of `sample_fractions`, without holding all of them.
        """
        normals = _antithetic_normals(n_draws, self.n_answers, seed)
        known = self._checked(features)
        for start in range(0, len(known), CHUNK):
            rows = slice(start, min(start + CHUNK, len(known)))
            mean, variance = self.latent(known[rows], scatter=scatter)
            yield rows, self._fractions(mean + np.sqrt(variance) * normals[:, None, :])

    def mean_fractions(self, features: npt.ArrayLike) -> Floats:
        """Return the expected vote fractions (m, A), each galaxy's own scatter included."""
        known = self._checked(features)
        mean = np.empty((len(known), self.n_answers))
        for rows, draws in self.iterate_fractions(known, MEAN_DRAWS, 0, scatter=True):
            mean[rows] = draws.mean(axis=0)
        return mean

    def leave_one_out(self) -> LatentLeaveOneOut:
        """Return the leave-one-out latents (n, A) of the galaxies it was fitted on.

        Galaxies with identical features are left out together. A galaxy without
        votes on a question, or without usable features, gets the plain prediction.
        """
        return self.left_out

    def leave_one_out_means(self, n_draws: int, seed: int) -> Floats:
        """Return the mean vote fractions (n, A) of T leave-one-out draws.

        One draw (n, A) is held at a time. Raises InvalidInputError if `n_draws` is below 1.
        """
        spread = np.sqrt(self.left_out.variance)
        total = np.zeros_like(spread)
        for normals in _antithetic_normals(n_draws, self.n_answers, seed):
            total += self._fractions(self.left_out.mean + spread * normals)
        total /= n_draws
        return total

    def covariance(
        self, features: npt.ArrayLike, question_weights: npt.ArrayLike | None = None
    ) -> Floats:
        """Return the posterior covariance (m, m) of galaxies, averaged over answers.

        It says how much a vote on one galaxy would teach about another, and is what
        `mlcore.gp.acquisition.select_batch` needs.

        Parameters
        ----------
        features
            Features (m, d) of at most 4,096 galaxies.
        question_weights
            Weights (Q,) of the questions, even by default.

        Raises
        ------
        InvalidInputError
            If there are too many galaxies or the widths do not fit.
        """
        known = self._checked(features)
        _require_few(known)
        weights = np.ones(len(self.questions)) if question_weights is None else question_weights
        shares = np.asarray(weights, dtype=np.float64)
        if shares.shape != (len(self.questions),) or not shares.sum() > 0:
            raise InvalidInputError(
                f"question_weights must be ({len(self.questions)},) with a sum above 0"
            )
        total = np.zeros((len(known), len(known)))
        for share, posterior in zip(shares / shares.sum(), self.posteriors, strict=True):
            total += share * posterior.latent_covariance(known).mean(axis=0)
        # Rounding must not leave a galaxy without any variance.
        total[np.diag_indices_from(total)] = np.maximum(np.diag(total), SMALLEST_VARIANCE)
        return total

    def _joint_fractions(
        self, features: Floats, n_draws: int, seed: int, *, scatter: bool
    ) -> Floats:
        _require_few(features)
        require_at_least("n_draws", n_draws, 1)
        rng = np.random.default_rng(seed)
        latent = np.empty((n_draws, len(features), self.n_answers))
        for (_, columns), posterior in zip(self.questions, self.posteriors, strict=True):
            mean, _ = posterior.latent(features)
            own = scatter * posterior.scatter_variance
            for answer, covariance in enumerate(posterior.latent_covariance(features)):
                covariance[np.diag_indices_from(covariance)] += own[answer]
                normals = rng.standard_normal((n_draws, len(features)))
                latent[:, :, columns.start + answer] = mean[:, answer] + normals @ _symmetric_root(
                    covariance
                )
        return self._fractions(latent)

    def _fractions(self, latent: Floats) -> Floats:
        for _, columns in self.questions:
            latent[..., columns] = softmax(latent[..., columns], axis=-1)
        return latent

    def _checked(self, features: npt.ArrayLike) -> Floats:
        known = as_features(features)
        if known.shape[1] != self.n_features:
            raise InvalidInputError(
                f"features must have {self.n_features} columns, has {known.shape[1]}"
            )
        return known


def _antithetic_normals(n_draws: int, width: int, seed: int) -> Floats:
    """Return standard normals (T, width) in pairs of opposite sign."""
    require_at_least("n_draws", n_draws, 1)
    half = np.random.default_rng(seed).standard_normal(((n_draws + 1) // 2, width))
    return np.concatenate([half, -half])[:n_draws]


def _symmetric_root(covariance: Floats) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    root: Floats = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root


def _require_few(features: Floats) -> None:
    if len(features) > MAX_JOINT:
        raise InvalidInputError(
            f"features must have at most {MAX_JOINT} rows for a joint answer, has {len(features)}"
        )
