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

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from mlcore.errors import InvalidInputError
from mlcore.gp.arrays import (
    Bools,
    Floats,
    Ints,
    as_counts,
    as_matrix,
    require_at_least,
)
from mlcore.gp.hyperparameters import KERNELS, fit_hyperparameters
from mlcore.gp.posterior import (
    LeaveOneOut,
    QuestionPosterior,
    exact_posterior,
    inducing_posterior,
    prior_posterior,
)
from mlcore.gp.targets import base_concentrations, dirichlet_targets
from mlcore.progress import OnProgress, ShouldStop, report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlcore.tree import DecisionTree

CHUNK = 1024
MAX_JOINT = 4096
MEAN_DRAWS = 128
# Features that agree to this many decimals are one galaxy seen twice.
DUPLICATE_DECIMALS = 9


@dataclass(frozen=True)
class VoteGPConfig:
    """How the vote GP is fitted.

    Parameters
    ----------
    kernel
        ``matern52`` or ``rbf``, with one lengthscale.
    max_exact
        Labelled galaxies up to which a question's posterior is exact.
    landmarks
        Inducing points beyond that, and for the variance.
    hyperparameter_labels
        Random labelled galaxies on which the kernel is fitted.
    optimiser_steps
        Adam steps on the marginal likelihood.
    min_labels
        Labelled galaxies below which a question keeps its prior.
    prior_strength
        Prior votes per galaxy and question.
    """

    kernel: str = "matern52"
    max_exact: int = 1500
    landmarks: int = 256
    hyperparameter_labels: int = 300
    optimiser_steps: int = 30
    min_labels: int = 5
    prior_strength: float = 1.0

    def __post_init__(self) -> None:
        if self.kernel not in KERNELS:
            raise InvalidInputError(f"kernel must be one of {KERNELS}, is {self.kernel!r}")
        require_at_least("max_exact", self.max_exact, 1)
        require_at_least("landmarks", self.landmarks, 1)
        require_at_least("hyperparameter_labels", self.hyperparameter_labels, 2)
        require_at_least("optimiser_steps", self.optimiser_steps, 0)
        require_at_least("min_labels", self.min_labels, 2)
        require_at_least("prior_strength", self.prior_strength, 1e-3)


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
    """

    questions: tuple[tuple[str, slice], ...]
    posteriors: tuple[QuestionPosterior, ...]
    left_out: LatentLeaveOneOut
    n_features: int

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

    def leave_one_out_fractions(self, n_draws: int, seed: int) -> Floats:
        """Return leave-one-out draws (T, n, A) of the vote fractions."""
        normals = _antithetic_normals(n_draws, self.n_answers, seed)
        spread = np.sqrt(self.left_out.variance)
        return self._fractions(self.left_out.mean + spread * normals[:, None, :])

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
        known = as_matrix(features, "features")
        if known.shape[1] != self.n_features:
            raise InvalidInputError(
                f"features must have {self.n_features} columns, has {known.shape[1]}"
            )
        return known


def fit_vote_gp(
    features: npt.ArrayLike,
    counts: npt.ArrayLike,
    tree: DecisionTree,
    config: VoteGPConfig | None = None,
    *,
    seed: int,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> VoteGP:
    """Fit one GP per question of the tree.

    Galaxies with the same features are merged and their votes added. A galaxy with
    a non-finite feature teaches nothing. A question with fewer than
    `config.min_labels` labelled galaxies keeps its prior: the survey's own vote
    fractions, loosely held.

    Parameters
    ----------
    features
        Reduced, standardised representations (n, d).
    counts
        Votes (n, A), in the order of `tree.label_cols`.
    tree
        The decision tree that the votes belong to.
    config
        Settings; the defaults when None.
    seed
        Chooses the landmarks and the galaxies that the kernel is fitted on.
    on_progress
        Called with ("gp", fraction, question) after each question.
    should_stop
        Asked between optimiser steps.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit or a count is negative or NaN.
    CancelledError
        If `should_stop` says so.
    """
    known = as_matrix(features, "features")
    votes = as_counts(counts, len(tree.label_cols))
    if len(known) != len(votes):
        raise InvalidInputError(f"features must have {len(votes)} rows, has {len(known)}")
    config = config or VoteGPConfig()
    galaxies = _Galaxies.merge(known, votes)
    questions = tuple(tree.question_slices.items())
    left_out = LatentLeaveOneOut(np.empty_like(votes), np.empty_like(votes))
    posteriors = []
    for done, (slug, columns) in enumerate(questions, start=1):
        rng = np.random.default_rng([seed, done])
        posterior = _fit_question(
            galaxies, columns, config, rng=rng, left_out=left_out, should_stop=should_stop
        )
        posteriors.append(posterior)
        report(on_progress, "gp", done / len(questions), slug)
    return VoteGP(questions, tuple(posteriors), left_out, known.shape[1])


@dataclass(frozen=True)
class _Galaxies:
    """Distinct galaxies with usable features, and which of the given rows each is.

    `place` (n,) is a row's index among the distinct ones, or -1 when unusable.
    """

    given: Floats
    features: Floats
    counts: Floats
    place: Ints

    @classmethod
    def merge(cls, features: Floats, counts: Floats) -> _Galaxies:
        usable = np.isfinite(features).all(axis=1)
        rounded = np.round(features[usable], DUPLICATE_DECIMALS) + 0.0
        distinct, inverse = np.unique(rounded, axis=0, return_inverse=True)
        merged = np.zeros((len(distinct), counts.shape[1]))
        np.add.at(merged, inverse.reshape(-1), counts[usable])
        place = np.full(len(features), -1, dtype=np.int64)
        place[usable] = inverse.reshape(-1)
        return cls(features, distinct, merged, place)


def _fit_question(
    galaxies: _Galaxies,
    columns: slice,
    config: VoteGPConfig,
    *,
    rng: np.random.Generator,
    left_out: LatentLeaveOneOut,
    should_stop: ShouldStop | None,
) -> QuestionPosterior:
    """Fit one question and fill its columns of `left_out`."""
    counts = galaxies.counts[:, columns]
    labelled = counts.sum(axis=1) > 0
    prior = base_concentrations(counts[labelled], config.prior_strength)
    if labelled.sum() < config.min_labels:
        posterior = _loose_prior(prior, galaxies.features.shape[1])
        _predict_left_out(left_out, galaxies, columns, posterior)
        return posterior
    targets, noise = dirichlet_targets(counts[labelled], prior)
    posterior, own = _condition(
        galaxies.features[labelled], targets, noise, config, rng=rng, should_stop=should_stop
    )
    _predict_left_out(left_out, galaxies, columns, posterior)
    _fill_left_out(
        left_out,
        galaxies,
        columns,
        labelled=labelled,
        posterior=posterior,
        own=own,
        noise=noise,
    )
    return posterior


def _loose_prior(prior: Floats, n_features: int) -> QuestionPosterior:
    """Return a prior worth K votes, centred on the survey's fractions."""
    alpha = len(prior) * prior / prior.sum()
    targets, noise = dirichlet_targets(np.zeros((1, len(prior))), alpha)
    return prior_posterior(targets[0], noise[0], n_features)


def _condition(
    inputs: Floats,
    targets: Floats,
    noise: Floats,
    config: VoteGPConfig,
    *,
    rng: np.random.Generator,
    should_stop: ShouldStop | None,
) -> tuple[QuestionPosterior, LeaveOneOut]:
    """Standardise, fit the kernel, condition on all galaxies, and undo the scaling."""
    precision = 1.0 / (noise + targets.var(axis=0) + 1e-6)
    centre = (precision * targets).sum(axis=0) / precision.sum(axis=0)
    scale = np.sqrt(np.maximum(targets.var(axis=0), 1e-2))
    y, spread = (targets - centre) / scale, noise / scale**2
    few = rng.permutation(len(inputs))[: config.hyperparameter_labels]
    hyper = fit_hyperparameters(
        inputs[few],
        y[few],
        spread[few],
        kernel=config.kernel,
        steps=config.optimiser_steps,
        should_stop=should_stop,
    )
    landmarks = inputs[np.sort(rng.permutation(len(inputs))[: config.landmarks])]
    solve = exact_posterior if len(inputs) <= config.max_exact else inducing_posterior
    posterior, own = solve(inputs, y, spread, hyper, landmarks)
    restored = LeaveOneOut(centre + scale * own.mean, scale**2 * own.variance)
    return replace(posterior, centre=centre, scale=scale), restored


def _predict_left_out(
    left_out: LatentLeaveOneOut, galaxies: _Galaxies, columns: slice, posterior: QuestionPosterior
) -> None:
    for start in range(0, len(galaxies.given), CHUNK):
        rows = slice(start, start + CHUNK)
        mean, variance = posterior.latent(galaxies.given[rows])
        left_out.mean[rows, columns] = mean
        left_out.variance[rows, columns] = variance + posterior.scatter_variance


def _fill_left_out(
    left_out: LatentLeaveOneOut,
    galaxies: _Galaxies,
    columns: slice,
    *,
    labelled: Bools,
    posterior: QuestionPosterior,
    own: LeaveOneOut,
    noise: Floats,
) -> None:
    """Overwrite the labelled galaxies' rows with their leave-one-out latents."""
    index = np.cumsum(labelled) - 1
    rows = np.flatnonzero((galaxies.place >= 0) & labelled[galaxies.place])
    found = index[galaxies.place[rows]]
    latent = np.maximum(own.variance - noise, posterior.scatter_variance + 1e-9)
    left_out.mean[rows, columns] = own.mean[found]
    left_out.variance[rows, columns] = latent[found]


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
