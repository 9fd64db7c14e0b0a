"""The map of the sky, against astropy and the projection's own definition."""

import math
import re

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from lenticular.classify.skymap import (
    HEIGHT,
    WIDTH,
    galactic_to_icrs,
    project,
    sexagesimal,
    sky_map,
)

RA = st.floats(0, 360, exclude_max=True)
DEC = st.floats(-90, 90)


@settings(deadline=None, max_examples=50)
@given(RA, st.floats(-89, 89))
def test_galactic_positions_are_astropy_s(longitude, latitude):
    ours = SkyCoord(*galactic_to_icrs(longitude, latitude), unit="deg", frame="icrs")
    theirs = SkyCoord(longitude, latitude, unit="deg", frame="galactic").icrs
    assert ours.separation(theirs) < 0.1 * units.arcsec


@given(RA, DEC)
def test_every_position_is_on_the_map(ra, dec):
    x, y = project(ra, dec)
    inside = ((x - WIDTH / 2) / (WIDTH / 2)) ** 2 + ((y - HEIGHT / 2) / (HEIGHT / 2)) ** 2
    assert inside <= 1 + 1e-9


@given(st.floats(-89.9, 89.9))
def test_the_projection_solves_its_equation(dec):
    angle = math.asin(1 - 2 * project(180, dec)[1] / HEIGHT)
    assert 2 * angle + math.sin(2 * angle) == pytest.approx(
        math.pi * math.sin(math.radians(dec)), abs=1e-6
    )


def test_areas_are_kept():
    """A belt's share of the map is its share of the sphere: Archimedes."""
    _, y = project(180, 30)
    ys = np.linspace(y, HEIGHT / 2, 20_001)
    widths = WIDTH * np.sqrt(np.maximum(0, 1 - ((ys - HEIGHT / 2) / (HEIGHT / 2)) ** 2))
    area = np.trapezoid(widths, ys)
    assert area / (math.pi * WIDTH * HEIGHT / 4) == pytest.approx(0.25, abs=1e-4)


@pytest.mark.parametrize(
    ("ra", "dec", "place"),
    [
        (180, 0, (180, 90)),
        (90, 0, (270, 90)),
        (270, 0, (90, 90)),
        (0, 0, (360, 90)),
        (12.3, 90, (180, 0)),
        (200, -90, (180, 180)),
    ],
)
def test_known_places(ra, dec, place):
    assert project(ra, dec) == pytest.approx(place, abs=1e-6)


def test_nan_is_nowhere():
    assert all(math.isnan(each) for each in project(math.nan, math.nan))


def test_the_plane_never_jumps_across_the_map():
    parts = re.split("M", sky_map().plane)[1:]
    assert 1 <= len(parts) <= 3
    for part in parts:
        xs = [float(point.split(" ")[0]) for point in part.split("L")]
        assert np.abs(np.diff(xs)).max(initial=0) < WIDTH / 3


@pytest.mark.parametrize(
    ("ra", "dec", "words"),
    [
        (0, 0, ("00 00 00.00", "+00 00 00.0")),
        (359.9999999, -0.000001, ("00 00 00.00", "+00 00 00.0")),
        (14.9999999, 89.9999999, ("01 00 00.00", "+90 00 00.0")),
        (10.5, -0.5, ("00 42 00.00", "-00 30 00.0")),
    ],
)
def test_sexagesimal_carries(ra, dec, words):
    assert sexagesimal(ra, dec) == words


@settings(deadline=None, max_examples=50)
@given(RA, DEC)
def test_sexagesimal_reads_back_in_astropy(ra, dec):
    words = " ".join(sexagesimal(ra, dec))
    again = SkyCoord(words, unit=(units.hourangle, units.deg))
    assert again.separation(SkyCoord(ra, dec, unit="deg")) < 0.15 * units.arcsec
