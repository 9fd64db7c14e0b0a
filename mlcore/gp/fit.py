"""Fitting the vote GP: one Gaussian process per question, on merged galaxies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlcore.errors import FitError, InvalidInputError
from mlcore.gp.arrays import Bools, Floats, Ints, as_counts, as_features, require_at_least
from mlcore.gp.hyperparameters import KERNELS, fit_hyperparameters
from mlcore.gp.model import CHUNK, LatentLeaveOneOut, VoteGP
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
    from mlcore.tree import DecisionTree

# Features that agree to this many decimals are one galaxy seen twice.
DUPLICATE_DECIMALS = 9
SPARSE = ("fitc", "svgp")


@dataclass(frozen=True)
class VoteGPConfig:
    """How the vote GP is fitted.

    Parameters
    ----------
    kernel
        ``matern52`` or ``rbf``, with one lengthscale.
    max_exact
        Labelled galaxies up to which a question's posterior is exact.
    sparse
        What it is beyond: ``fitc`` or ``svgp``, see `mlcore.gp.posterior`.
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
    sparse: str = "fitc"
    landmarks: int = 256
    hyperparameter_labels: int = 300
    optimiser_steps: int = 30
    min_labels: int = 5
    prior_strength: float = 1.0

    def __post_init__(self) -> None:
        if self.kernel not in KERNELS:
            raise InvalidInputError(f"kernel must be one of {KERNELS}, is {self.kernel!r}")
        if self.sparse not in SPARSE:
            raise InvalidInputError(f"sparse must be one of {SPARSE}, is {self.sparse!r}")
        require_at_least("max_exact", self.max_exact, 1)
        require_at_least("landmarks", self.landmarks, 1)
        require_at_least("hyperparameter_labels", self.hyperparameter_labels, 2)
        require_at_least("optimiser_steps", self.optimiser_steps, 0)
        require_at_least("min_labels", self.min_labels, 2)
        require_at_least("prior_strength", self.prior_strength, 1e-3)


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
    `config.min_labels` labelled galaxies, or whose fit fails for numerical reasons,
    keeps its prior: the survey's own vote fractions, loosely held. `VoteGP.fallbacks`
    says where, and why.

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
    known = as_features(features)
    votes = as_counts(counts, len(tree.label_cols))
    if len(known) != len(votes):
        raise InvalidInputError(f"features must have {len(votes)} rows, has {len(known)}")
    config = config or VoteGPConfig()
    galaxies = _Galaxies.merge(known, votes)
    questions = tuple(tree.question_slices.items())
    left_out = LatentLeaveOneOut(np.empty_like(votes), np.empty_like(votes))
    posteriors, fallbacks = [], {}
    for done, (slug, columns) in enumerate(questions, start=1):
        rng = np.random.default_rng([seed, done])
        posterior, reason = _fit_question(
            galaxies, columns, config, rng=rng, left_out=left_out, should_stop=should_stop
        )
        posteriors.append(posterior)
        if reason:
            fallbacks[slug] = reason
        report(on_progress, "gp", done / len(questions), slug)
    return VoteGP(questions, tuple(posteriors), left_out, known.shape[1], fallbacks)


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
) -> tuple[QuestionPosterior, str]:
    """Fit one question, fill its columns of `left_out`, and say what it fell back to."""
    counts = galaxies.counts[:, columns]
    labelled = counts.sum(axis=1) > 0
    prior = base_concentrations(counts[labelled], config.prior_strength)
    own: LeaveOneOut | None = None
    if labelled.sum() < config.min_labels:
        posterior = _loose_prior(prior, galaxies.features.shape[1])
        reason = f"{labelled.sum()} distinct galaxies with votes, {config.min_labels} are needed"
    else:
        targets, noise = dirichlet_targets(counts[labelled], prior)
        inputs = galaxies.features[labelled]
        try:
            posterior, own = _condition(
                inputs, targets, noise, config, rng=rng, should_stop=should_stop
            )
            reason = _doubts(counts, posterior, config)
        except FitError as error:
            posterior, reason = _loose_prior(prior, inputs.shape[1]), str(error)
    _predict_left_out(left_out, galaxies, columns, posterior)
    if own is not None:
        _fill_left_out(
            left_out,
            galaxies,
            columns,
            labelled=labelled,
            posterior=posterior,
            own=own,
            noise=noise,
        )
    return posterior, reason


def _doubts(counts: Floats, posterior: QuestionPosterior, config: VoteGPConfig) -> str:
    """Return what a question's fit lacks though it has one, or nothing."""
    if (counts.sum(axis=0) > 0).sum() == 1:
        return "all votes are for one answer"
    if posterior.hyper.steps < config.optimiser_steps:
        steps = f"{posterior.hyper.steps} of {config.optimiser_steps}"
        return f"the kernel is that of {steps} steps, as the next was not finite"
    return ""


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
    landmarks = np.sort(rng.permutation(len(inputs))[: config.landmarks])
    if len(inputs) <= config.max_exact:
        posterior, own = exact_posterior(inputs, y, spread, hyper, landmarks)
    else:
        posterior, own = inducing_posterior(
            inputs, y, spread, hyper, landmarks, sparse=config.sparse
        )
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
