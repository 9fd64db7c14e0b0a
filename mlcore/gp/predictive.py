"""What a galaxy's votes should look like, to models that have not seen them.

The models are the CNN's out-of-fold concentrations and the GP's leave-one-out means. Both
go as fractions into one mixture per question (`mlcore.gp.mixture`), which is fitted to the
votes, pools the models, and gives each galaxy's posterior odds of wrong votes.

Labels that a catalogue is certain of say nothing of how volunteers err: each that contradicts
the models is either a rare galaxy or a wrong label. Whether votes are such labels is for the
caller to say; that nobody disagrees proves nothing, as nobody can where galaxies have one vote
each. `certain_counts` makes votes of such labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from mlcore.errors import InvalidInputError
from mlcore.gp.mixture import VoteMixture, fit_mixture, scatter_points, starting_mixture
from mlcore.gp.outcomes import log_fractions
from mlcore.gp.targets import base_concentrations

if TYPE_CHECKING:
    from mlcore.gp.arrays import Bools, Floats, Ints
    from mlcore.gp.mixture import LogTerms

MIN_GALAXIES = 20
MAX_FITTED = 5000
SMALLEST_CONCENTRATION = 1e-3
#: A certain label counts as this many volunteers, all of one mind.
CERTAIN_VOTES = 10
# Swaps are expected to be, in these parts, of any class, of common ones, of lookalikes.
ANY, COMMON, ALIKE = 0.8, 0.1, 0.1


@dataclass(frozen=True)
class VotePredictive:
    """The predictive of one question's votes for n galaxies.

    Parameters
    ----------
    mixture
        How votes come about.
    log_chances
        Log chance (n, K) that a galaxy is of each class.
    known
        Which galaxies (n,) any model has a prediction of.
    """

    mixture: VoteMixture
    log_chances: torch.Tensor
    known: Bools

    @property
    def mislabel_rate(self) -> float:
        """Return the share of galaxies whose votes are not their own."""
        return self.mixture.mislabel_rate

    @property
    def expected(self) -> Floats:
        """Return the expected vote fractions (n, K), NaN where nothing is known."""
        sharp = torch.sigmoid(self.mixture.sharp)
        of_classes = self.log_chances.exp() @ self.mixture.log_profiles.exp()
        points = scatter_points(of_classes.shape[1])
        graded = self.mixture.log_graded_fractions(self.log_chances, points).exp().mean(dim=1)
        expected: Floats = (sharp * of_classes + (1.0 - sharp) * graded).numpy()
        return np.where(self.known[:, None], expected, np.nan)

    def log_clean(self, outcomes: Floats | Ints, rows: Ints | slice) -> Floats:
        """Return log p (m, O) of vote counts (O, K) or (m, O, K) if they are right."""
        clean: Floats = self.log_terms(outcomes, rows).clean.numpy()
        return clean

    def log_odds(self, outcomes: Floats | Ints, rows: Ints | slice) -> Floats:
        """Return posterior log odds (m, O) that vote counts (O, K) or (m, O, K) are wrong."""
        terms = self.log_terms(outcomes, rows)
        odds: Floats = (terms.wrong - terms.right).numpy()
        return odds

    def sample_votes(self, n_votes: int, n: int, rows: Ints, rng: np.random.Generator) -> Ints:
        """Return `n` draws (m, n, K) of the votes on galaxies `rows` if they are right."""
        mixture, chances = self.mixture, self.log_chances[rows].exp().numpy()
        kind = (rng.random((len(rows), n, 1)) > np.cumsum(chances, axis=1)[:, None, :-1]).sum(-1)
        profiles = (mixture.log_agreement + mixture.log_profiles).exp().numpy()
        gamma = rng.standard_gamma(profiles[kind]) + 1e-300
        scatter = torch.from_numpy(rng.standard_normal(gamma.shape))
        graded = mixture.log_graded_fractions(self.log_chances[rows], scatter).exp().numpy()
        sharp = rng.random((len(rows), n, 1)) < float(torch.sigmoid(mixture.sharp))
        fractions = np.where(sharp, gamma / gamma.sum(axis=-1, keepdims=True), graded)
        votes: Ints = rng.multinomial(n_votes, fractions)
        return votes

    def log_terms(self, outcomes: Floats | Ints, rows: Ints | slice) -> LogTerms:
        """Return the mixture's terms (m, O) of vote counts (O, K) or (m, O, K)."""
        counts = torch.from_numpy(np.array(outcomes, dtype=np.float64))
        counts = counts if counts.ndim == 3 else counts[None]
        return self.mixture.log_terms(counts, self.log_chances[rows])


def certain_counts(labels: npt.ArrayLike, n_answers: int) -> Floats:
    """Return the votes (n, K) that stand for certain labels: ten on each, all alike.

    Parameters
    ----------
    labels
        Index (n,) of each galaxy's answer; -1 for a galaxy without a label, which gets none.
    n_answers
        K.

    Raises
    ------
    InvalidInputError
        For an index that is no answer's.
    """
    places = np.asarray(labels, dtype=np.int64)
    if ((places < -1) | (places >= n_answers)).any():
        raise InvalidInputError(f"labels must be from -1 to {n_answers - 1}, but some are not")
    counts = np.zeros((len(places), n_answers))
    rows = np.flatnonzero(places >= 0)
    counts[rows, places[rows]] = CERTAIN_VOTES
    return counts


def calibrate(
    counts: Floats,
    concentrations: Floats | None,
    left_out: Floats | None,
    seed: int = 0,
    *,
    certain: bool = False,
) -> VotePredictive:
    """Fit the predictive of one question to its votes.

    With fewer than 20 galaxies that have votes and a prediction nothing is fitted: the models
    count evenly, four votes in five agree, and one galaxy in fifty is wrong. At most 5,000
    galaxies are used.

    Parameters
    ----------
    counts
        Votes (n, K).
    concentrations
        Out-of-fold Dirichlet concentrations (n, K), or None. NaN rows are missing.
    left_out
        Leave-one-out mean fractions (n, K), or None. NaN rows are missing.
    seed
        Chooses the galaxies of the fit.
    certain
        Whether the votes are certain labels, all alike on each galaxy, and not what people said.

    Raises
    ------
    InvalidInputError
        If there is neither, or votes that are certain differ on a galaxy.
    """
    if concentrations is None and left_out is None:
        raise InvalidInputError("concentrations or left_out must be given, both are None")
    if certain and (counts.max(axis=1) < counts.sum(axis=1)).any():
        raise InvalidInputError("certain votes must be alike on each galaxy, but some are not")
    given = [] if concentrations is None else [np.maximum(concentrations, SMALLEST_CONCENTRATION)]
    means = np.stack(given + ([] if left_out is None else [left_out]))
    base = base_concentrations(counts, 1.0)
    usable = np.isfinite(means).all(axis=2)
    log_means = _log_shares(np.where(usable[:, :, None], means, base))
    known = usable.any(axis=0)
    rows = np.flatnonzero(known & (counts.sum(axis=1) > 0))
    swaps = _expected_swaps(np.exp(log_means[:, rows]).mean(axis=0), base)
    mixture = starting_mixture(len(means), base, swaps, certain=certain)
    if len(rows) >= MIN_GALAXIES:
        used = np.random.default_rng(seed).permutation(rows)[:MAX_FITTED]
        mixture = fit_mixture(mixture, counts[used], log_means[:, used], certain=certain)
    return VotePredictive(mixture, mixture.log_chances(torch.from_numpy(log_means)), known)


def _log_shares(values: Floats) -> Floats:
    return log_fractions(values / values.sum(axis=-1, keepdims=True))


def _expected_swaps(chances: Floats, base: Floats) -> Floats:
    """Return the chance (K, K) of each wrong class given the true one; rows add up to 1.

    `chances` (n, K) tell which classes look alike: how often both are likely.
    """
    if len(base) == 1:
        return np.ones((1, 1))
    kinds = (np.ones((len(base), len(base))), np.tile(base, (len(base), 1)), chances.T @ chances)
    parts = zip((ANY, COMMON, ALIKE), kinds, strict=True)
    swaps: Floats = np.sum([share * _of_others(kind) for share, kind in parts], axis=0)
    return swaps


def _of_others(weights: Floats) -> Floats:
    others = (weights + 1e-12) * (1.0 - np.eye(len(weights)))
    shares: Floats = others / others.sum(axis=1, keepdims=True)
    return shares
