"""What a galaxy's votes should look like, to models that have not seen them.

Two predictives are mixed, question by question: the CNN's out-of-fold
concentrations (a Dirichlet-multinomial) and the GP's leave-one-out draws (a mixture
of multinomials). Tail probabilities mean what they say only when the predictive is
calibrated, so we fit on the votes themselves, by expectation-maximisation:

- a scale s and a blend e for the concentrations, alpha' = s * A * ((1 - e) m + e b),
  with A = sum(alpha), m = alpha / A and b the survey's vote fractions (a network that
  is too sure of itself gets s < 1 or e > 0), with a weak log-normal prior on s;
- the weights of the two predictives (stacking; Yao et al. 2018);
- the share of galaxies explained by neither, whose votes look like those of some other
  galaxy of the survey. It keeps the mislabels that we look for from widening the
  predictive, and is at most 0.1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

from mlcore.errors import InvalidInputError
from mlcore.gp.outcomes import (
    log_dirichlet_multinomial,
    log_multinomial_mixture,
)
from mlcore.gp.targets import base_concentrations

if TYPE_CHECKING:
    from mlcore.gp.arrays import Bools, Floats, Ints

SCALES = np.exp(np.linspace(-4.0, 2.0, 13))
BLENDS = (0.0, 0.03, 0.1, 0.2, 0.4)
SCALE_PRIOR_WIDTH = 1.5
MIN_GALAXIES = 20
MAX_CONTAMINATION = 0.1
EM_STEPS = 15
MAX_FITTED = 2000
MAX_REFERENCES = 128
SMALLEST_CONCENTRATION = 1e-3
NO_SUPPORT = -1e300


@dataclass(frozen=True)
class VotePredictive:
    """The predictive of one question's votes for n galaxies.

    Parameters
    ----------
    concentrations
        Calibrated Dirichlet concentrations (n, K), NaN rows where there are none.
    draws
        Posterior draws (T, n, K) of vote fractions, NaN where there are none; T may be 0.
    weight
        Weight of the concentrations where both are known, 0 to 1.
    references
        Vote fractions (R, K) drawn for galaxies chosen at random, with the same spread as
        the predictive itself, so that scattered votes are no evidence either way.
    contamination
        Share of galaxies whose votes neither explains.
    scale
        What the concentrations were multiplied by.
    """

    concentrations: Floats
    draws: Floats
    weight: float
    references: Floats
    contamination: float
    scale: float

    @property
    def known(self) -> Bools:
        """Return which galaxies (n,) have a predictive at all."""
        has_cnn, has_gp = _available(self.concentrations, self.draws)
        return has_cnn | has_gp

    @property
    def expected(self) -> Floats:
        """Return the expected vote fractions (n, K), NaN where nothing is known."""
        shares = np.exp(self._log_weights(np.arange(len(self.concentrations))))
        total = self.concentrations.sum(axis=1, keepdims=True)
        cnn = np.nan_to_num(self.concentrations / total)
        gp = np.nan_to_num(self.draws.mean(axis=0)) if len(self.draws) else np.zeros_like(cnn)
        expected: Floats = shares[:, :1] * cnn + shares[:, 1:] * gp
        expected[~self.known] = np.nan
        return expected

    def log_probability(self, outcomes: Floats | Ints, rows: Ints | slice) -> Floats:
        """Return log p (m, O) of vote counts (O, K) or (m, O, K) for the galaxies `rows`."""
        logs = _component_logs(self.concentrations[rows], self.draws[:, rows], outcomes)
        weights = self._log_weights(rows)
        mixed: Floats = logsumexp(logs + weights[:, None, :], axis=2)
        return mixed

    def log_population(self, outcomes: Floats | Ints) -> Floats:
        """Return log p (O,) of vote counts (O, K) for a galaxy picked at random."""
        logs: Floats = log_multinomial_mixture(outcomes, self.references[:, None, :])[0]
        return logs

    def sample_fractions(self, n: int, rows: Ints, rng: np.random.Generator) -> Floats:
        """Return `n` draws (m, n, K) of the fractions of galaxies `rows`."""
        share = np.exp(self._log_weights(rows)[:, 0])
        alpha = np.nan_to_num(self.concentrations[rows], nan=1.0)
        gamma = rng.standard_gamma(np.repeat(alpha[:, None, :], n, axis=1)) + 1e-300
        fractions: Floats = gamma / gamma.sum(axis=2, keepdims=True)
        if len(self.draws):
            from_gp = rng.random((len(alpha), n)) >= share[:, None]
            picked = rng.integers(len(self.draws), size=(len(alpha), n))
            places = np.broadcast_to(np.arange(len(alpha))[:, None], picked.shape)
            drawn = self.draws[:, rows][picked, places]
            fractions[from_gp] = drawn[from_gp]
        return fractions

    def _log_weights(self, rows: Ints | slice) -> Floats:
        cnn, gp = _available(self.concentrations[rows], self.draws[:, rows])
        raw = np.column_stack([cnn * self.weight, gp * (1.0 - self.weight)])
        lone = raw.sum(axis=1) <= 0
        raw[lone] = np.column_stack([cnn, gp])[lone]
        total = np.maximum(raw.sum(axis=1, keepdims=True), 1e-300)
        with np.errstate(divide="ignore"):
            logs: Floats = np.maximum(np.log(raw / total), NO_SUPPORT)
        return logs


def calibrate(
    counts: Floats, concentrations: Floats | None, draws: Floats | None, seed: int = 0
) -> VotePredictive:
    """Fit the predictive of one question to its votes.

    With fewer than 20 galaxies that have votes and a prediction nothing is fitted:
    scale 1, no blend and even weights. At most 2,000 galaxies are used.

    Parameters
    ----------
    counts
        Votes (n, K).
    concentrations
        Out-of-fold Dirichlet concentrations (n, K), or None. NaN rows are missing.
    draws
        Leave-one-out draws (T, n, K), or None.
    seed
        Chooses the galaxies of the fit and the references.

    Raises
    ------
    InvalidInputError
        If there is neither.
    """
    if concentrations is None and draws is None:
        raise InvalidInputError("concentrations or draws must be given, both are None")
    rng = np.random.default_rng(seed)
    alpha = np.full(counts.shape, np.nan) if concentrations is None else concentrations
    alpha = np.maximum(alpha, SMALLEST_CONCENTRATION)
    drawn = np.empty((0, *counts.shape)) if draws is None else draws
    base = base_concentrations(counts, 1.0)
    cnn, gp = _available(alpha, drawn)
    plain = VotePredictive(
        concentrations=alpha,
        draws=drawn,
        weight=float(cnn.any()) / max(int(cnn.any()) + int(gp.any()), 1),
        references=_references(counts, base, rng),
        contamination=0.0,
        scale=1.0,
    )
    used = rng.permutation(np.flatnonzero((counts.sum(axis=1) > 0) & (cnn | gp)))[:MAX_FITTED]
    if len(used) < MIN_GALAXIES:
        return plain
    fitted = _fit(plain, counts, used, base)
    strangers = fitted.sample_fractions(1, used[:MAX_REFERENCES], rng)[:, 0]
    return replace(fitted, references=strangers)


def _fit(plain: VotePredictive, counts: Floats, used: Ints, base: Floats) -> VotePredictive:
    """Return the predictive with the scale, blend and weights that explain the votes best."""
    alpha, draws = plain.concentrations, plain.draws[:, used]
    stray = plain.log_population(counts[used])
    drawn = _component_logs(np.full_like(alpha[used], np.nan), draws, counts[used][:, None, :])
    has_cnn = bool(np.isfinite(alpha[used]).all(axis=1).any())
    best, best_merit = plain, -np.inf
    for scale, blend in product(SCALES, BLENDS) if has_cnn else [(1.0, 0.0)]:
        blended = _recalibrated(alpha[used], scale, blend, base)
        logs = _component_logs(blended, draws[:0], counts[used][:, None, :])[:, 0, 0]
        fitted = _fit_weights(np.column_stack([logs, drawn[:, 0, 1], stray]))
        merit = fitted[0] - 0.5 * (np.log(scale) / SCALE_PRIOR_WIDTH) ** 2
        if merit > best_merit:
            best_merit = merit
            best = replace(
                plain,
                concentrations=_recalibrated(alpha, scale, blend, base),
                weight=fitted[1],
                contamination=fitted[2],
                scale=float(scale),
            )
    return best


def _recalibrated(alpha: Floats, scale: float, blend: float, base: Floats) -> Floats:
    total = alpha.sum(axis=1, keepdims=True)
    blended: Floats = scale * ((1.0 - blend) * alpha + blend * total * base / base.sum())
    return blended


def _references(counts: Floats, base: Floats, rng: np.random.Generator) -> Floats:
    """Return smoothed vote fractions (R, K) of up to 128 galaxies; the survey's if none."""
    voted = rng.permutation(np.flatnonzero(counts.sum(axis=1) > 0))[:MAX_REFERENCES]
    smoothed = np.concatenate([counts[voted] + base, base[None]])
    fractions: Floats = smoothed / smoothed.sum(axis=1, keepdims=True)
    return fractions


def _fit_weights(logs: Floats) -> tuple[float, float, float]:
    """Return the log likelihood, the CNN's weight and the contamination, by EM.

    `logs` (n, 3) are the log probabilities under the CNN, the GP and neither.
    """
    shares = np.array([0.49, 0.49, 0.02])
    for _ in range(EM_STEPS):
        joint = logs + np.log(shares + 1e-12)
        blame = np.exp(joint - logsumexp(joint, axis=1, keepdims=True)).mean(axis=0)
        stray = min(float(blame[2]), MAX_CONTAMINATION)
        kept = blame[:2] + 1e-9
        shares = np.array([*(kept / kept.sum() * (1.0 - stray)), stray])
    likelihood = float(logsumexp(logs + np.log(shares + 1e-12), axis=1).sum())
    return likelihood, float(shares[0] / (shares[0] + shares[1])), float(shares[2])


def _available(alpha: Floats, draws: Floats) -> tuple[Bools, Bools]:
    cnn: Bools = np.asarray(np.isfinite(alpha).all(axis=1))
    gp: Bools = np.asarray(np.isfinite(draws).all(axis=(0, 2)))
    return cnn, gp if len(draws) else np.zeros_like(gp)


def _component_logs(alpha: Floats, draws: Floats, outcomes: Floats | Ints) -> Floats:
    """Return log p (m, O, 2) under the concentrations and under the draws."""
    cnn, gp = _available(alpha, draws)
    logs = np.full((len(alpha), outcomes.shape[-2], 2), NO_SUPPORT)
    per_galaxy = outcomes.ndim == 3
    if cnn.any():
        some = outcomes[cnn] if per_galaxy else outcomes
        logs[cnn, :, 0] = log_dirichlet_multinomial(some, alpha[cnn])
    if gp.any():
        some = outcomes[gp] if per_galaxy else outcomes
        logs[gp, :, 1] = log_multinomial_mixture(some, draws[:, gp])
    return logs
