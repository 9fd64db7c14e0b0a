"""How many labels of a catalogue are wrong, from those that experts have looked at.

The flagged alone say nothing of wrong labels that surprised no model. So galaxies are put into
strata by their surprise, some of each stratum are reviewed, chosen at random within it, and the
strata are added up (Cochran 1977, "Sampling Techniques", chapter 5). Each stratum's share of
wrong labels has the posterior of Jeffreys's prior (Brown, Cai & DasGupta 2001, Stat. Sci. 16,
101), which behaves where few or none of the reviewed are wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlcore.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

JEFFREYS = 0.5
_DRAWS = 10_000


@dataclass(frozen=True)
class Stratum:
    """Galaxies of like surprise, some of them reviewed.

    Parameters
    ----------
    galaxies
        How many there are.
    reviewed
        How many experts looked at, chosen at random within the stratum or all.
    confirmed
        Of how many they found the label wrong.
    """

    galaxies: int
    reviewed: int
    confirmed: int

    def __post_init__(self) -> None:
        if not 0 <= self.confirmed <= self.reviewed <= self.galaxies:
            raise InvalidInputError(
                "counts must obey 0 <= confirmed <= reviewed <= galaxies, are "
                f"{self.confirmed}, {self.reviewed} and {self.galaxies}"
            )


@dataclass(frozen=True)
class Contamination:
    """Share of a catalogue's labels that are wrong, with its interval."""

    estimate: float
    lower: float
    upper: float


def contamination(
    strata: Sequence[Stratum], *, level: float = 0.95, seed: int = 0
) -> Contamination:
    """Return the share of all galaxies whose label is wrong.

    The estimate adds up confirmed + (galaxies - reviewed) * confirmed / reviewed; it is NaN
    where a stratum that has galaxies has none reviewed, and the interval then takes that
    stratum's share to lie anywhere. The interval is the equal-tailed one of 10,000 draws of
    each stratum's wrong labels: those confirmed, and a beta-binomial number of the others.

    Raises
    ------
    InvalidInputError
        For strata without a galaxy, or a level that is not between 0 and 1.
    """
    total = sum(stratum.galaxies for stratum in strata)
    if total < 1:
        raise InvalidInputError(f"strata must have at least 1 galaxy, have {total}")
    if not 0 < level < 1:
        raise InvalidInputError(f"level must be above 0 and below 1, is {level}")
    rng = np.random.default_rng(seed)
    least, most = np.zeros(_DRAWS), np.zeros(_DRAWS)
    for stratum in strata:
        low, high = _shares(stratum, rng)
        least += stratum.confirmed + rng.binomial(stratum.galaxies - stratum.reviewed, low)
        most += stratum.confirmed + rng.binomial(stratum.galaxies - stratum.reviewed, high)
    lower = np.quantile(least, (1 - level) / 2) / total
    upper = np.quantile(most, (1 + level) / 2) / total
    estimate = sum(_expected(stratum) for stratum in strata) / total
    return Contamination(estimate, float(lower), float(upper))


def _shares(
    stratum: Stratum, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw a stratum's share of wrong labels, for the lower and for the upper end.

    Where none of the reviewed is wrong the lower end takes none of the others to be, and where
    all are, the upper end all, as Brown et al. advise for one share.
    """
    refuted = stratum.reviewed - stratum.confirmed
    share = rng.beta(stratum.confirmed + JEFFREYS, refuted + JEFFREYS, _DRAWS)
    return share * (stratum.confirmed > 0), np.where(refuted > 0, share, 1.0)


def _expected(stratum: Stratum) -> float:
    if stratum.reviewed == 0:
        return float("nan") if stratum.galaxies else 0.0
    return stratum.galaxies * stratum.confirmed / stratum.reviewed
