"""A batch of galaxies that are informative and differ from each other.

The best galaxies one by one are often the same galaxy over and over. Here each galaxy
chosen lowers the gain of those like it, as far as its votes will explain them, and so do
galaxies that votes are promised to. With votes that explain everything this is the greedy
maximum of a determinantal point process (Kulesza & Taskar 2012; Chen et al. 2018 for the
incremental form).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlcore.errors import InvalidInputError
from mlcore.gp.arrays import require_at_least

if TYPE_CHECKING:
    import numpy.typing as npt

    from mlcore.gp.arrays import Floats, Ints

# A galaxy whose latent is this nearly known from those already chosen adds nothing.
KNOWN = 1e-9


def select_batch(
    scores: npt.ArrayLike,
    covariance: npt.ArrayLike,
    batch_size: int,
    *,
    noise: npt.ArrayLike = 0.0,
    promised_noise: npt.ArrayLike = np.inf,
) -> tuple[Ints, Floats]:
    """Choose a batch that is informative and diverse, greedily.

    The gain of galaxy i is its score times the share of its latent variance that the votes
    of the *other* galaxies chosen, and promised, leave unexplained. It is never more than
    the information left, which falls more slowly than the variance. Taking the largest
    gain each time needs O(batch m) per choice, by an incremental Cholesky factor.

    Parameters
    ----------
    scores
        Acquisition scores (m,), at least 0, that allow for a galaxy's own promised votes.
    covariance
        Posterior covariance (m, m) of the galaxies' latents, as `VoteGP.covariance` gives.
    batch_size
        How many to choose; fewer are returned when the rest gain nothing.
    noise
        Noise of the votes that a galaxy gets when chosen, relative to its variance
        (`vote_noise`): one number or (m,), at least 0. Without any, a twin of a chosen
        galaxy gains nothing.
    promised_noise
        The same of the votes promised, above 0; infinite where there are none.

    Returns
    -------
    chosen, gains
        Indices (b,) in order of choice, and the gain (b,) of each when it was chosen;
        gains never rise.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit, a score is negative or NaN, a noise outside its rule, or
        the covariance is not finite with a diagonal above 0.
    """
    quality = np.asarray(scores, dtype=np.float64)
    kernel = _correlation(np.asarray(covariance, dtype=np.float64), quality)
    require_at_least("batch_size", batch_size, 0)
    own, owed = _noises(noise, promised_noise, len(quality))
    promised = np.flatnonzero(np.isfinite(owed))
    state = _Conditioning.start(kernel, len(promised) + min(batch_size, len(quality)))
    for index in promised.tolist():
        state.condition_on(index, owed[index])
    is_open = quality > 0
    chosen: list[int] = []
    gains: list[float] = []
    while len(chosen) < batch_size and is_open.any():
        # Var[f_i | all] = 1 / (1 / Var[f_i | others] + 1 / noise of its own promised votes).
        by_others = state.remaining / (1.0 - state.remaining / owed)
        gain = np.where(is_open, quality * by_others, 0.0)
        best = int(gain.argmax())
        if gain[best] <= KNOWN * quality[best]:
            break
        chosen.append(best)
        gains.append(float(gain[best]))
        is_open[best] = False
        state.condition_on(best, own[best])
    return np.array(chosen, dtype=np.int64), np.array(gains)


@dataclass
class _Conditioning:
    """What is left of each galaxy's variance, as votes on galaxies come in one by one."""

    kernel: Floats
    remaining: Floats
    factors: Floats
    known: int = 0

    @classmethod
    def start(cls, kernel: Floats, limit: int) -> _Conditioning:
        return cls(kernel, np.ones(len(kernel)), np.empty((limit, len(kernel))))

    def condition_on(self, index: int, noise: float) -> None:
        seen = self.factors[: self.known]
        column = self.kernel[index] - seen.T @ seen[:, index]
        factor = column / np.sqrt(max(self.remaining[index], KNOWN) + noise)
        self.factors[self.known] = factor
        self.known += 1
        self.remaining = np.maximum(self.remaining - factor**2, 0.0)


def _noises(
    noise: npt.ArrayLike, promised_noise: npt.ArrayLike, n_galaxies: int
) -> tuple[Floats, Floats]:
    own, owed = np.asarray(noise, dtype=np.float64), np.asarray(promised_noise, dtype=np.float64)
    for name, values in (("noise", own), ("promised_noise", owed)):
        if values.shape not in {(), (n_galaxies,)}:
            raise InvalidInputError(f"{name} must be ({n_galaxies},), is {values.shape}")
    if not (own >= 0).all() or not (owed > 0).all():
        raise InvalidInputError("noise must be at least 0, promised_noise above 0; some are not")
    return np.broadcast_to(own, n_galaxies), np.broadcast_to(owed, n_galaxies)


def _correlation(covariance: Floats, quality: Floats) -> Floats:
    n_galaxies = len(quality)
    if quality.ndim != 1 or covariance.shape != (n_galaxies, n_galaxies):
        raise InvalidInputError(
            f"covariance must be ({n_galaxies}, {n_galaxies}), is {covariance.shape}"
        )
    if not (np.isfinite(quality).all() and (quality >= 0).all()):
        raise InvalidInputError("scores must be finite and at least 0, but some are not")
    variance = np.diag(covariance)
    if not np.isfinite(covariance).all() or (variance <= 0).any():
        raise InvalidInputError("covariance must be finite with a diagonal above 0, but is not")
    spread = np.sqrt(variance)
    return covariance / spread[:, None] / spread
