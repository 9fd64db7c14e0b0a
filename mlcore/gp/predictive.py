"""What a galaxy's votes should look like, to models that have not seen them.

The models are the CNN's out-of-fold concentrations and the GP's leave-one-out draws,
these matched by a Dirichlet (a mixture of a hundred multinomials is all noise far from
its draws, which is where mislabels are). Question by question, votes k on galaxy i are
explained by

- the galaxy's class, which the models guess (`mlcore.gp.classes`): right for galaxies
  of sharp kinds, where a doubtful prediction means one kind *or* the other;
- each model's own Dirichlet-multinomial, its concentrations scaled by s: right for
  fractions that vary from galaxy to galaxy, where it means a bit of both;
- or a wrong label: the votes of another class.

The weights of the first two (stacking; Yao et al. 2018), the scales, which have a weak
log-normal prior, and the rate of the third, are fitted on the votes themselves by
expectation-maximisation. The mixture gives each galaxy's posterior odds of a wrong label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

from mlcore.errors import InvalidInputError
from mlcore.gp.classes import (
    VoteClasses,
    fit_classes,
    fit_mislabel_rate,
    log_means,
    mixed,
    starting_classes,
)
from mlcore.gp.outcomes import log_dirichlet_multinomial
from mlcore.gp.targets import base_concentrations

if TYPE_CHECKING:
    from mlcore.gp.arrays import Bools, Floats, Ints

SCALES = np.exp(np.linspace(-4.0, 2.0, 13))
SCALE_PRIOR_WIDTH = 1.5
MIN_GALAXIES = 20
EM_STEPS = 60
MAX_FITTED = 2000
SMALLEST_CONCENTRATION = 1e-3
MIN_MATCHED, MAX_MATCHED = 0.1, 1e4


@dataclass(frozen=True)
class VotePredictive:
    """The predictive of one question's votes for n galaxies.

    Parameters
    ----------
    models
        Scaled Dirichlet concentrations (S, n, K) of each model, NaN rows where missing.
    classes
        The latent classes.
    chances
        Chance (n, K) that a galaxy is of each class.
    weights
        Weights (1 + S,) of the classes and of each model, adding up to 1.
    mislabel_rate
        Share of galaxies with a wrong label.
    scales
        What the concentrations (S,) of each model were multiplied by.
    """

    models: Floats
    classes: VoteClasses
    chances: Floats
    weights: Floats
    mislabel_rate: float
    scales: Floats

    @property
    def known(self) -> Bools:
        """Return which galaxies (n,) have a predictive at all."""
        known: Bools = np.asarray(_usable(self.models).any(axis=1))
        return known

    @property
    def expected(self) -> Floats:
        """Return the expected vote fractions (n, K), NaN where nothing is known."""
        shares = self.row_weights(slice(None))
        profiles = self.classes.concentrations
        expected = shares[:, :1] * (self.chances @ _normalised(profiles))
        for place, alpha in enumerate(self.models, start=1):
            expected += shares[:, place : place + 1] * np.nan_to_num(_normalised(alpha))
        expected[~self.known] = np.nan
        return expected

    def row_weights(self, rows: Ints | slice) -> Floats:
        """Return the weights (m, 1 + S) of each galaxy: a missing model gives up its own."""
        usable = _usable(self.models[:, rows])
        weights = self.weights * np.insert(usable.astype(np.float64), 0, 1.0, axis=1)
        weights[:, 0] += 1e-12
        shares: Floats = weights / weights.sum(axis=1, keepdims=True)
        return shares

    def log_clean(self, outcomes: Floats | Ints, rows: Ints | slice) -> Floats:
        """Return log p (m, O) of vote counts (O, K) or (m, O, K) if the label is right."""
        logs = [self._log_classes(outcomes, self.chances[rows])]
        logs += [_log_model(outcomes, alpha[rows]) for alpha in self.models]
        with np.errstate(divide="ignore"):
            weights = np.log(self.row_weights(rows))
        clean: Floats = logsumexp(np.stack(logs, axis=2) + weights[:, None, :], axis=2)
        return clean

    def log_wrong(self, outcomes: Floats | Ints, rows: Ints | slice) -> Floats:
        """Return log p (m, O) of vote counts (O, K) or (m, O, K) if the label is wrong."""
        return self._log_classes(outcomes, self.classes.swapped(self.chances[rows]))

    def sample_votes(self, n_votes: int, n: int, rows: Ints, rng: np.random.Generator) -> Ints:
        """Return `n` draws (m, n, K) of the votes on galaxies `rows` if the labels are right."""
        edges = np.cumsum(self.row_weights(rows), axis=1)[:, None, :-1]
        picked = (rng.random((len(rows), n, 1)) > edges).sum(axis=2)
        of_class = np.cumsum(self.chances[rows], axis=1)[:, None, :-1]
        kind = (rng.random((len(rows), n, 1)) > of_class).sum(axis=2)
        alpha = self.classes.concentrations[kind]
        for place, own in enumerate(self.models, start=1):
            alpha = np.where((picked == place)[..., None], own[rows][:, None, :], alpha)
        gamma = rng.standard_gamma(alpha) + 1e-300
        votes: Ints = rng.multinomial(n_votes, _normalised(gamma))
        return votes

    def _log_classes(self, outcomes: Floats | Ints, chances: Floats) -> Floats:
        if outcomes.ndim == 2:
            likelihood = np.exp(self.classes.log_votes(outcomes))
            logs: Floats = np.log(np.maximum(chances @ likelihood.T, 1e-300))
            return logs
        flat = self.classes.log_votes(outcomes.reshape(-1, outcomes.shape[2]))
        of_each = np.repeat(chances, outcomes.shape[1], axis=0)
        return mixed(flat, of_each).reshape(outcomes.shape[:2])


def calibrate(
    counts: Floats, concentrations: Floats | None, draws: Floats | None, seed: int = 0
) -> VotePredictive:
    """Fit the predictive of one question to its votes.

    With fewer than 20 galaxies that have votes and a prediction nothing is fitted:
    scale 1, even weights, and wrong labels for one galaxy in fifty. At most 2,000 galaxies
    are used.

    Parameters
    ----------
    counts
        Votes (n, K).
    concentrations
        Out-of-fold Dirichlet concentrations (n, K), or None. NaN rows are missing.
    draws
        Leave-one-out draws (T, n, K), or None. Galaxies with a NaN are missing.
    seed
        Chooses the galaxies of the fit.

    Raises
    ------
    InvalidInputError
        If there is neither.
    """
    if concentrations is None and draws is None:
        raise InvalidInputError("concentrations or draws must be given, both are None")
    given = [] if concentrations is None else [np.maximum(concentrations, SMALLEST_CONCENTRATION)]
    given += [] if draws is None else [matching_dirichlet(draws)]
    models = np.stack(given)
    base = base_concentrations(counts, 1.0)
    means = [log_means(alpha, base) for alpha in models]
    known = _usable(models).any(axis=1) & (counts.sum(axis=1) > 0)
    used = np.random.default_rng(seed).permutation(np.flatnonzero(known))[:MAX_FITTED]
    if len(used) < MIN_GALAXIES:
        return _unfitted(starting_classes(base, len(models)), means, models)
    classes = fit_classes(counts[used], [logs[used] for logs in means], base)
    return _stacked(classes, classes.chances(means), models, counts, used)


def matching_dirichlet(draws: Floats) -> Floats:
    """Return the concentrations (n, K) with the mean and total variance of draws (T, n, K).

    Minka 2000, "Estimating a Dirichlet distribution". The sum of the concentrations is
    kept between 0.1 and 10,000; a galaxy with a NaN gets NaN.
    """
    mean, variance = draws.mean(axis=0), draws.var(axis=0).sum(axis=1)
    total = (mean * (1.0 - mean)).sum(axis=1) / np.maximum(variance, 1e-12) - 1.0
    matched = mean * np.clip(total, MIN_MATCHED, MAX_MATCHED)[:, None]
    concentrations: Floats = np.maximum(matched, SMALLEST_CONCENTRATION)
    return concentrations


def _unfitted(classes: VoteClasses, means: list[Floats], models: Floats) -> VotePredictive:
    even = np.full(1 + len(models), 1.0 / (1 + len(models)))
    return VotePredictive(
        models=models,
        classes=classes,
        chances=classes.chances(means),
        weights=even,
        mislabel_rate=classes.mislabel_rate,
        scales=np.ones(len(models)),
    )


def _stacked(
    classes: VoteClasses, chances: Floats, models: Floats, counts: Floats, used: Ints
) -> VotePredictive:
    """Scale each model, then weigh classes, models and wrong labels against each other."""
    votes, rate = counts[used], classes.mislabel_rate
    logs = classes.log_votes(votes)
    wrong = mixed(logs, classes.swapped(chances[used]))
    scales = np.array([_best_scale(alpha[used], votes, wrong, rate) for alpha in models])
    scaled = models * scales[:, None, None]
    own = [_log_model(votes[:, None, :], alpha[used])[:, 0] for alpha in scaled]
    weights, rate = _fit_weights(np.column_stack([mixed(logs, chances[used]), *own]), wrong, rate)
    return VotePredictive(scaled, classes, chances, weights, rate, scales)


def _best_scale(alpha: Floats, votes: Floats, wrong: Floats, rate: float) -> float:
    merits = []
    for scale in SCALES:
        clean = _log_model(votes[:, None, :], scale * alpha)[:, 0]
        fit = np.logaddexp(clean + np.log1p(-rate), wrong + np.log(rate))
        known = np.isfinite(clean)
        merits.append(fit[known].sum() - 0.5 * (np.log(scale) / SCALE_PRIOR_WIDTH) ** 2)
    return float(SCALES[int(np.argmax(merits))])


def _fit_weights(clean: Floats, wrong: Floats, rate: float) -> tuple[Floats, float]:
    """Return the weights (1 + S,) and the rate of wrong labels, by EM.

    `clean` (n, 1 + S) are log probabilities under the classes and each model, -inf where
    a model is missing; `wrong` (n,) under a wrong label.
    """
    weights = np.full(clean.shape[1], 1.0 / clean.shape[1])
    for _ in range(EM_STEPS):
        joint = clean + np.log(weights)
        right = logsumexp(joint, axis=1)
        rate = fit_mislabel_rate(right, wrong, rate, 1)
        blame = np.exp(joint - np.logaddexp(right + np.log1p(-rate), wrong + np.log(rate))[:, None])
        kept = blame.sum(axis=0) + 1e-9
        weights = kept / kept.sum()
    return weights, rate


def _log_model(outcomes: Floats | Ints, alpha: Floats) -> Floats:
    """Return log p (m, O) under a model's concentrations (m, K), -inf where they are NaN."""
    logs = log_dirichlet_multinomial(outcomes, np.nan_to_num(alpha, nan=1.0))
    return np.where(_usable(alpha[None]), logs, -np.inf)


def _usable(models: Floats) -> Bools:
    """Return whether each of S models knows each galaxy (n, S), from (S, n, K)."""
    usable: Bools = np.asarray(np.isfinite(models).all(axis=2).T)
    return usable


def _normalised(values: Floats) -> Floats:
    shares: Floats = values / values.sum(axis=-1, keepdims=True)
    return shares
