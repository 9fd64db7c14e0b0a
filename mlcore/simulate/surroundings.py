"""What else is on the image: stars, other galaxies, and what went wrong.

Arrays are float32 of shape (3, height, width), bands red, green, blue,
in nanomaggies per square arcsec.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from mlcore.simulate import components
from mlcore.simulate.anatomy import OLD_STARS, YOUNG_STARS, Bands, mix, paint

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlcore.simulate.components import Grid

RED_STAR = np.array([1.45, 1.0, 0.55], dtype=np.float32)
BLUE_STAR = np.array([0.85, 0.95, 1.25], dtype=np.float32)
_STAR_COLOURS = (OLD_STARS, YOUNG_STARS, BLUE_STAR, RED_STAR)


def field_light(grid: Grid, rng: np.random.Generator) -> Bands:
    """Draw the stars and small galaxies that happen to lie nearby.

    Their number grows with the field's area on the sky.
    """
    half = grid.side * grid.scale / 2
    area = (2 * half / 60.0) ** 2
    light = np.zeros((3, grid.side, grid.side), dtype=np.float32)
    for _ in range(min(14, rng.poisson(1.0 + 4.0 * area))):
        light += _small_galaxy(grid, half, rng)
    return light + _stars(grid, half, min(30, rng.poisson(1.2 + 5.0 * area)), rng)


def _small_galaxy(grid: Grid, half: float, rng: np.random.Generator) -> Bands:
    x, y = rng.uniform(-half, half, size=2).tolist()
    size, ratio = rng.uniform(0.4, 1.5), rng.uniform(0.3, 1)
    along, across = components.rotate(grid.x - x, grid.y - y, rng.uniform(0, 180))
    radius = components.ellipse_radius(along, across, ratio, 0.3 * grid.scale)
    flux = 0.5 + rng.pareto(1.3) * 0.8
    profile = components.sersic(radius, size, 1.0, ratio)
    return paint(np.float32(min(flux, 12.0)) * profile, mix(rng.uniform(0.2, 1.3)))


def _stars(grid: Grid, half: float, count: int, rng: np.random.Generator) -> Bands:
    light = np.zeros((3, grid.side, grid.side), dtype=np.float32)
    fluxes = np.minimum(0.6 + 1.2 * rng.pareto(0.8, size=count), 400.0)
    places = rng.uniform(-half, half, size=(2, count))
    kinds = rng.integers(0, len(_STAR_COLOURS), size=count)
    for kind, colour in enumerate(_STAR_COLOURS):
        chosen = kinds == kind
        flux = fluxes[chosen].astype(np.float32)
        light += paint(components.splat(grid, places[0, chosen], places[1, chosen], flux), colour)
    return light


def artifact_light(artifact: str, grid: Grid, rng: np.random.Generator) -> Bands:
    """Draw what went wrong with an image, to be added to it.

    Parameters
    ----------
    artifact
        A name from `mlcore.simulate.galaxies.ARTIFACTS`; ``blank`` and ``none``
        add nothing.
    grid
        Pixels to draw on.
    rng
        Draws its place, brightness and colour.
    """
    draw = _ARTIFACTS.get(artifact)
    if draw is None:
        return np.zeros((3, grid.side, grid.side), dtype=np.float32)
    return draw(grid, rng)


def _satellite_trail(grid: Grid, rng: np.random.Generator) -> Bands:
    """Draw a straight line, in one band as a rule: the bands are taken one after another."""
    half = grid.side * grid.scale / 2
    _, across = components.rotate(grid.x, grid.y, rng.uniform(0, 180))
    distance = (across - rng.uniform(-0.3, 0.3) * half) / (rng.uniform(0.5, 1.3) * grid.scale)
    colour = np.full(3, 0.05, dtype=np.float32)
    colour[rng.integers(0, 3)] = 1.0
    trail = rng.uniform(2, 15) * np.exp(-0.5 * distance**2)
    return paint(trail.astype(np.float32), colour)


def _bright_star(grid: Grid, rng: np.random.Generator) -> Bands:
    """Draw a saturated neighbour: halo, four spikes, and light over everything."""
    half = grid.side * grid.scale / 2
    x, y = (rng.uniform(-0.6, 0.6, size=2) * half).tolist()
    return _spiked_star(grid, (x, y), half * rng.uniform(0.03, 0.10), rng)


def _lone_star(grid: Grid, rng: np.random.Generator) -> Bands:
    """Draw a star where a galaxy was expected."""
    half = grid.side * grid.scale / 2
    return _spiked_star(grid, (0.0, 0.0), half * rng.uniform(0.01, 0.03), rng)


def _spiked_star(
    grid: Grid, place: tuple[float, float], size: float, rng: np.random.Generator
) -> Bands:
    along, across = components.rotate(
        grid.x - place[0], grid.y - place[1], rng.choice([0.0, 45.0, rng.uniform(0, 90)])
    )
    radius = np.hypot(along, across) / size
    halo = 90 / (1 + radius**2) ** 1.6
    width = 0.8 * grid.scale + 0.06 * size
    spikes = np.exp(-np.abs(across) / width - np.abs(along) / (4 * size))
    spikes += np.exp(-np.abs(along) / width - np.abs(across) / (4 * size))
    colour = _STAR_COLOURS[rng.integers(0, len(_STAR_COLOURS))]
    return paint((halo + 25 * spikes).astype(np.float32), colour)


def _bad_columns(grid: Grid, rng: np.random.Generator) -> Bands:
    """Draw columns or rows that read full or shifted in one band."""
    light = np.zeros((3, grid.side, grid.side), dtype=np.float32)
    for _ in range(rng.integers(2, 7)):
        start = int(rng.integers(grid.margin, grid.side - grid.margin))
        width = int(rng.integers(1, max(2, grid.side // 14)))
        light[rng.integers(0, 3), :, start : start + width] += rng.uniform(0.5, 6)
    return light if rng.random() < 0.5 else np.ascontiguousarray(light.transpose(0, 2, 1))


def _ghost(grid: Grid, rng: np.random.Generator) -> Bands:
    """Draw an out-of-focus image of a bright star: a disk with a hole."""
    half = grid.side * grid.scale / 2
    x, y = (rng.uniform(-0.3, 0.3, size=2) * half).tolist()
    radius = np.hypot(grid.x - x, grid.y - y) / (half * rng.uniform(0.45, 0.8))
    edge = math.exp(rng.uniform(-4.0, -3.2))
    disk = components.fade(radius, 1.0, edge) - 0.85 * components.fade(radius, 0.38, edge)
    colour = _STAR_COLOURS[rng.integers(0, len(_STAR_COLOURS))]
    return paint((rng.uniform(0.4, 2.2) * disk).astype(np.float32), colour)


_ARTIFACTS: MappingProxyType[str, Callable[[Grid, np.random.Generator], Bands]] = MappingProxyType(
    {
        "satellite-trail": _satellite_trail,
        "bright-star": _bright_star,
        "bad-columns": _bad_columns,
        "star": _lone_star,
        "ghost": _ghost,
    }
)
