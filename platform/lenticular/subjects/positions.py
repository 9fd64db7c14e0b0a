"""Sky positions: checked, and indexed with HEALPix for cone search."""

from __future__ import annotations

import math

from astropy import units
from astropy_healpix import lonlat_to_healpix

from lenticular.common.errors import InvalidInputError
from lenticular.subjects.models import Subject


class BadCoordinatesError(InvalidInputError):
    """A position is not on the sky."""

    kind = "bad-coordinates"


def check_position(ra: float | None, dec: float | None) -> None:
    """Refuse a position off the sky.

    Parameters
    ----------
    ra, dec
        Degrees (ICRS); both None where the position is not known.

    Raises
    ------
    BadCoordinatesError
        Where one is missing, NaN or infinite, or `ra` is outside [0, 360) or `dec`
        outside [-90, 90].
    """
    if ra is None and dec is None:
        return
    if ra is None or dec is None:
        raise BadCoordinatesError(f"ra and dec must be given together, are {ra} and {dec}")
    if not (math.isfinite(ra) and 0 <= ra < 360):
        raise BadCoordinatesError(f"ra must be in [0, 360) degrees, is {ra}")
    if not (math.isfinite(dec) and -90 <= dec <= 90):
        raise BadCoordinatesError(f"dec must be in [-90, 90] degrees, is {dec}")


def healpix_of(ra: float | None, dec: float | None) -> int | None:
    """Return the nested index at `Subject.HEALPIX_ORDER` (Gorski et al. 2005), or None."""
    if ra is None or dec is None:
        return None
    nside = 2**Subject.HEALPIX_ORDER
    return int(lonlat_to_healpix(ra * units.deg, dec * units.deg, nside, order="nested"))
