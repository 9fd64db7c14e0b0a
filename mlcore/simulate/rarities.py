"""What is too rare, or too fine, for the drawn population: a lens's arcs, a glowing cloud.

Each function takes a scene's light and returns it changed. Arrays are float32 of shape
(3, height, width), bands red, green, blue, in nanomaggies per square arcsec; lengths are in
arcsec.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlcore.simulate import components
from mlcore.simulate.anatomy import HOT_STARS, YOUNG_STARS, Bands, paint

if TYPE_CHECKING:
    from mlcore.simulate.components import Grid

# Oxygen lit up by a quasar shines in the green band, as Hanny's Voorwerp does in SDSS g.
GLOWING_GAS = np.array([0.45, 1.1, 1.0], dtype=np.float32)
# Thick dust takes all colours nearly alike.
THICK_DUST = np.array([0.85, 1.0, 1.1], dtype=np.float32)


def lens_arcs(light: Bands, grid: Grid, *, radius: float, seed: int) -> Bands:
    """Add the arcs into which a galaxy's gravity bends the light of one far behind it.

    A long arc on one side and a short one opposite, on a circle of `radius` (the
    Einstein radius); thin, and blue as young far galaxies are.
    """
    heading = np.random.default_rng([seed, 71]).uniform(0, 2 * math.pi)
    distance, angle = np.hypot(grid.x, grid.y), np.arctan2(grid.y, grid.x)
    arcs = np.zeros_like(grid.x)
    for turn, reach, at in ((0.0, 0.75, 1.06), (math.pi, 0.28, 0.9)):
        off = np.abs(np.angle(np.exp(1j * (angle - heading - turn))))
        thin = np.exp(-0.5 * ((distance - at * radius) / (0.06 * radius)) ** 2)
        arcs += thin * np.exp(-((off / reach) ** 4))
    return light + paint((2.6 * arcs).astype(np.float32), HOT_STARS)


def patches(
    light: Bands,
    grid: Grid,
    *,
    at: tuple[float, float],
    spread: float,
    colour: Bands,
    seed: int,
) -> Bands:
    """Add ragged patches of light of one colour, scattered by `spread` about `at`."""
    rng = np.random.default_rng([seed, 72])
    glow = np.zeros_like(grid.x)
    for _ in range(22):
        x, y = at + rng.normal(0, [spread, 0.7 * spread])
        size = spread * rng.uniform(0.15, 0.45)
        spot = np.exp(-0.5 * ((grid.x - x) ** 2 + (grid.y - y) ** 2) / size**2)
        glow += rng.uniform(0.1, 0.6) * spot
    return light + paint(glow.astype(np.float32), colour)


def single_arm(light: Bands, grid: Grid, *, start: float, pitch: float, turns: float) -> Bands:
    """Add one narrow arm that leaves the centre at radius `start` and fades as it winds.

    The population's single arm is broad: it follows from the phase of a whole turn.
    """
    glow = np.zeros_like(grid.x)
    for step in np.linspace(0, 1, 90):
        angle = 2 * math.pi * turns * step
        radius = start * math.exp(angle * math.tan(math.radians(pitch)))
        x, y = radius * math.cos(angle), radius * math.sin(angle)
        size = 0.35 + 0.07 * radius
        glow += (1 - 0.8 * step) * np.exp(-0.5 * ((grid.x - x) ** 2 + (grid.y - y) ** 2) / size**2)
    return light + paint((0.7 * glow).astype(np.float32), YOUNG_STARS)


def dust_lane(light: Bands, grid: Grid, *, angle: float, width: float, depth: float) -> Bands:
    """Dim the light along a straight lane through the centre, the blue the most.

    Thicker than the dust of `anatomy`, whose lane a small picture does not resolve.
    """
    along, across = components.rotate(grid.x, grid.y, angle)
    lane = depth * np.exp(-((across / width) ** 2) - (along / (12 * width)) ** 2)
    return np.asarray(light * np.exp(-paint(lane.astype(np.float32), THICK_DUST)), np.float32)
