"""A map of the whole sky in Mollweide's projection, with the plane of our Galaxy. No framework.

Right ascension grows to the left, as one sees the sky; 12h is in the middle. The rotation
from galactic to equatorial (ICRS) coordinates is that of the Hipparcos catalogue (ESA
SP-1200, 1997, volume 1, section 1.5.3), to which astropy's agrees within a few
milliarcseconds: no astropy is needed in the web process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

WIDTH, HEIGHT = 360.0, 180.0
EDGE = 359.999
MIDDLE = 180.0
"""Right ascension (degrees) at the middle of the map."""
_GALACTIC_TO_ICRS = np.array(
    [
        [-0.0548755604, +0.4941094279, -0.8676661490],
        [-0.8734370902, -0.4448296300, -0.1980763734],
        [-0.4838350155, +0.7469822445, +0.4559837762],
    ]
)


@dataclass(frozen=True)
class SkyMap:
    """SVG paths, and the places (x, y) of marks on them."""

    outline: str
    grid: str
    plane: str
    centre: tuple[float, float]
    labels: tuple[tuple[float, float, str], ...]


def project(ra: float, dec: float) -> tuple[float, float]:
    """Return where a position (degrees, ICRS) is on the map, x from 0 to 360, y from 0 to 180.

    Mollweide's auxiliary angle solves 2t + sin 2t = pi sin(dec) (Snyder 1987, USGS
    Professional Paper 1395, p. 251), by Newton's method; NaN gives NaN.
    """
    latitude = math.radians(dec)
    angle, target = latitude, math.pi * math.sin(latitude)
    for _ in range(60):
        slope = 2 + 2 * math.cos(2 * angle)
        if slope < 1e-12:
            break
        angle -= (2 * angle + math.sin(2 * angle) - target) / slope
    away = ((ra - MIDDLE + 180) % 360 - 180) / 180
    return (
        WIDTH / 2 * (1 - away * math.cos(angle)),
        HEIGHT / 2 * (1 - math.sin(angle)),
    )


def galactic_to_icrs(longitude: float, latitude: float) -> tuple[float, float]:
    """Return right ascension and declination (degrees) of a galactic position (degrees)."""
    lon, lat = math.radians(longitude), math.radians(latitude)
    towards = np.array(
        [math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)]
    )
    x, y, z = (_GALACTIC_TO_ICRS @ towards).tolist()
    return math.degrees(math.atan2(y, x)) % 360, math.degrees(math.asin(max(-1.0, min(1.0, z))))


@lru_cache(maxsize=1)
def sky_map() -> SkyMap:
    """Return the map without any galaxy; computed once in each process."""
    plane = [project(*galactic_to_icrs(degree, 0)) for degree in range(361)]
    parallels = [
        [project(ra, dec) for ra in (0.0, 90.0, 180.0, 270.0, EDGE)] for dec in range(-60, 61, 30)
    ]
    meridians = [[project(ra, dec) for dec in range(-90, 91, 3)] for ra in (60, 120, 180, 240, 300)]
    return SkyMap(
        outline=f"M0 {HEIGHT / 2:.0f}a{WIDTH / 2:.0f} {HEIGHT / 2:.0f} 0 1 0 {WIDTH:.0f} 0"
        f"a{WIDTH / 2:.0f} {HEIGHT / 2:.0f} 0 1 0 -{WIDTH:.0f} 0z",
        grid="".join(_path(line) for line in (*parallels, *meridians)),
        plane=_path(plane),
        centre=project(*galactic_to_icrs(0, 0)),
        labels=(
            *((*project(15 * hour, 0), f"{hour}h") for hour in (4, 8, 12, 16, 20)),
            *((*project(MIDDLE, dec), f"{dec:+}°") for dec in (-60, -30, 30, 60)),
        ),
    )


def _path(points: list[tuple[float, float]]) -> str:
    """Join points; where the line leaves the map on one side it goes on at the other."""
    path, last = "", math.inf
    for x, y in points:
        path += f"{'M' if abs(x - last) > WIDTH / 3 else 'L'}{x:.1f} {y:.1f}"
        last = x
    return path


def sexagesimal(ra: float, dec: float) -> tuple[str, str]:
    """Return a position (degrees) as ``hh mm ss.ss`` and ``±dd mm ss.s``, rounded with carry."""
    hundredths = round(ra * 240 * 100) % (24 * 3600 * 100)
    tenths = round(abs(dec) * 3600 * 10)
    seconds, arcseconds = hundredths // 100, tenths // 10
    sign = "-" if dec < 0 and tenths else "+"
    clock = f"{seconds // 3600:02} {seconds // 60 % 60:02} {seconds % 60:02}.{hundredths % 100:02}"
    arcs = f"{arcseconds // 3600:02} {arcseconds // 60 % 60:02} {arcseconds % 60:02}.{tenths % 10}"
    return clock, sign + arcs
