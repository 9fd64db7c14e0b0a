"""A whole galaxy in three bands, put together from its parts.

Arrays are float32 of shape (3, height, width), bands red, green, blue,
in nanomaggies per square arcsec.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlcore.simulate import components
from mlcore.simulate.galaxies import DISK, GalaxyTruth, soft_step

if TYPE_CHECKING:
    from mlcore.simulate.components import ArmPattern, Grid, Plane

Bands: TypeAlias = NDArray[np.float32]

OLD_STARS = np.array([1.26, 1.0, 0.66], dtype=np.float32)
YOUNG_STARS = np.array([0.82, 0.98, 1.20], dtype=np.float32)
HOT_STARS = np.array([0.80, 0.92, 1.45], dtype=np.float32)
# Dust takes blue light first.
DUST_DEPTH = np.array([0.7, 1.0, 1.25], dtype=np.float32)
EDGE_ON_DEGREES = 77.0
# Debris below this strength is lost in the noise, and costs time to draw.
_TOO_FAINT = 0.03


@dataclass(frozen=True, slots=True)
class DiskPlane:
    """A disk's own coordinates: along and across its major axis on the sky, and polar in it."""

    along: Plane
    across: Plane
    radius: Plane
    angle: Plane
    tilt: float


def galaxy_light(truth: GalaxyTruth, grid: Grid, rng: np.random.Generator) -> Bands:
    """Draw a galaxy with its disturbances and its merging neighbour.

    Parameters
    ----------
    truth
        The galaxy.
    grid
        Pixels to draw on.
    rng
        Draws what the truth does not fix: phases, knots, the run of a tail.
    """
    x, y = _lopsided(truth, grid, rng)
    along, across = components.rotate(x, y, truth.position_angle)
    if truth.kind != DISK:
        light = _spheroid(truth, along, across, grid.scale)
    elif truth.inclination >= EDGE_ON_DEGREES:
        light = _edge_on(truth, along, across, grid.scale)
    else:
        light = _face_on(truth, grid, along, across, rng)
    light = light * np.float32(truth.flux)
    light += _debris(truth, grid, rng)
    if truth.companion_flux > 0:
        light += _companion(truth, grid, rng)
    return light


def mix(redness: float) -> Bands:
    """Colour between young (0) and old (1) stars, of shape (3,)."""
    return np.asarray((1 - redness) * YOUNG_STARS + redness * OLD_STARS, np.float32)


def paint(profile: Plane, colour: Bands) -> Bands:
    """Give a profile of shape (height, width) a colour of shape (3,)."""
    return colour[:, None, None] * profile


def _lopsided(truth: GalaxyTruth, grid: Grid, rng: np.random.Generator) -> tuple[Plane, Plane]:
    """Shift the outskirts against the centre, as a passing neighbour does."""
    reach = np.sqrt(grid.x**2 + grid.y**2) / (2.0 * truth.radius)
    shift = 1.0 * truth.disturbance * truth.radius * reach**2 / (1 + reach**2)
    heading = rng.uniform(0, 2 * math.pi)
    bend = truth.disturbance * rng.uniform(-0.5, 0.5) * reach / (1 + reach**2)
    x = grid.x + shift * math.cos(heading) - bend * grid.y
    y = grid.y + shift * math.sin(heading) + bend * grid.x
    return x, y


def _spheroid(truth: GalaxyTruth, along: Plane, across: Plane, scale: float) -> Bands:
    radius = components.ellipse_radius(along, across, truth.axis_ratio, 0.35 * scale)
    profile = components.sersic(radius, truth.radius, truth.bulge_sersic, truth.axis_ratio)
    return paint(profile, mix(0.25 + 0.75 * truth.redness))


def _edge_on(truth: GalaxyTruth, along: Plane, across: Plane, scale: float) -> Bands:
    length = truth.scale_length
    height = length * (0.10 + 0.5 * math.cos(math.radians(truth.inclination)))
    disk = components.edge_on_disk(along, across, length, height)
    flat = 0.78 - 0.1 * truth.boxiness
    soft = np.sqrt(along**2 + (0.35 * scale) ** 2)
    radius = components.boxy_radius(soft, across, flat, truth.boxiness)
    size = length * (0.38 + 0.5 * truth.bulge_fraction + 0.3 * truth.boxiness)
    bulge = components.sersic(radius, size, min(truth.bulge_sersic, 1.6), flat)
    light = paint((1 - truth.bulge_fraction) * disk, mix(truth.redness))
    light += paint(truth.bulge_fraction * bulge, OLD_STARS)
    lane = np.exp(-((across / (0.35 * height)) ** 2) - np.abs(along) / (1.8 * length))
    return light * _through_dust(np.asarray(0.75 * truth.dust * lane, np.float32))


def _through_dust(depth: Plane) -> Bands:
    return np.asarray(np.exp(-paint(depth, DUST_DEPTH)), np.float32)


def _face_on(
    truth: GalaxyTruth, grid: Grid, along: Plane, across: Plane, rng: np.random.Generator
) -> Bands:
    plane = _disk_plane(truth, along, across, grid.scale)
    bar_angle = rng.uniform(0, 180)
    start = _arms_start(truth)
    arms = components.spiral_arms(
        plane.radius,
        plane.angle - math.radians(bar_angle),
        count=max(1, truth.arm_count),
        pitch=max(5.0, truth.pitch_angle),
        flocculence=truth.flocculence,
        start=start,
        rng=rng,
    )
    light = _old_light(truth, plane, along, across, grid.scale)
    light += _bar_light(truth, plane, bar_angle)
    light += _young_light(truth, plane, arms)
    light += _knots(truth, grid, arms, plane, rng)
    lanes = 0.8 * truth.dust * truth.arm_strength * arms.dust
    return light * _through_dust(lanes.astype(np.float32))


def _disk_plane(truth: GalaxyTruth, along: Plane, across: Plane, scale: float) -> DiskPlane:
    thin = 0.12
    cos = math.cos(math.radians(truth.inclination))
    tilt = math.sqrt(thin**2 + (1 - thin**2) * cos**2)
    up = across / tilt
    radius = np.sqrt(along**2 + up**2 + (0.35 * scale) ** 2) / truth.scale_length
    return DiskPlane(
        along=along / truth.scale_length,
        across=up / truth.scale_length,
        radius=np.asarray(radius, np.float32),
        angle=np.asarray(np.arctan2(up, along), np.float32),
        tilt=tilt,
    )


def _arms_start(truth: GalaxyTruth) -> float:
    """Arms begin where the bar ends, or near the bulge, in scale lengths."""
    bulge = 0.25 + 0.9 * truth.bulge_fraction
    return max(bulge, truth.bar_length * soft_step(truth.bar_strength, 0.2, 0.05))


def _old_light(
    truth: GalaxyTruth, plane: DiskPlane, along: Plane, across: Plane, scale: float
) -> Bands:
    ratio = 1 - 0.35 * (1 - plane.tilt)
    radius = components.ellipse_radius(along, across, ratio, 0.35 * scale)
    size = truth.scale_length * (0.16 + 0.6 * truth.bulge_fraction)
    bulge = components.sersic(radius, size, truth.bulge_sersic, ratio)
    return paint(truth.bulge_fraction * bulge, OLD_STARS)


def _bar_light(truth: GalaxyTruth, plane: DiskPlane, bar_angle: float) -> Bands:
    along, across = components.rotate(plane.along, plane.across, bar_angle)
    profile = components.bar(along, across, truth.bar_length)
    peak = 0.95 * truth.bar_strength / (2 * math.pi * truth.scale_length**2 * plane.tilt)
    return paint(peak * profile, mix(0.5 + 0.5 * truth.redness))


def _disk_peak(truth: GalaxyTruth, tilt: float) -> float:
    """Central brightness of an exponential disk with the galaxy's disk light of 1."""
    share = 1 - truth.bulge_fraction
    return share / (2 * math.pi * truth.scale_length**2 * tilt)


def _young_light(truth: GalaxyTruth, plane: DiskPlane, arms: ArmPattern) -> Bands:
    peak = _disk_peak(truth, plane.tilt)
    # Disks end; a bare exponential looks like a smooth galaxy's halo.
    cut = components.fade(plane.radius, 4.2, 0.4)
    bar_hole = 0.45 * truth.bar_strength * np.exp(-((plane.radius / truth.bar_length) ** 4))
    ring_hole = (
        0.75
        * truth.ring_strength
        * components.ring(plane.radius, 0.6 * truth.ring_radius, 0.3 * truth.ring_radius)
    )
    smooth = np.exp(-plane.radius) * (1 - 0.62 * truth.arm_strength) * (1 - bar_hole - ring_hole)
    glow = np.exp(-plane.radius / 1.35)
    blue = 1.5 * truth.arm_strength * glow * arms.light
    ringed = components.ring(plane.radius, truth.ring_radius, 0.13 + 0.06 * truth.ring_radius)
    blue += 0.62 * truth.ring_strength * ringed * math.exp(-0.45 * (truth.ring_radius - 1.3))
    light = paint(peak * smooth * cut, mix(truth.redness))
    light += paint(peak * blue * cut, mix(0.6 * truth.redness - 0.15))
    return light


def _knots(
    truth: GalaxyTruth, grid: Grid, arms: ArmPattern, plane: DiskPlane, rng: np.random.Generator
) -> Bands:
    """Bright young clusters, thrown where the arms are bright."""
    tried = rng.integers(0, grid.side, size=(900, 2))
    brightness = (arms.light * np.exp(-plane.radius / 1.6))[tried[:, 0], tried[:, 1]]
    taken = tried[rng.random(900) < brightness * truth.knots * 0.5]
    fluxes = rng.exponential(0.0035, size=len(taken)) * truth.knots
    x, y = grid.x[taken[:, 0], taken[:, 1]], grid.y[taken[:, 0], taken[:, 1]]
    knots = components.splat(grid, x.astype(float), y.astype(float), fluxes.astype(np.float32))
    return paint(knots, HOT_STARS)


def _debris(truth: GalaxyTruth, grid: Grid, rng: np.random.Generator) -> Bands:
    """Tidal tails and shells, of light that grows with the disturbance."""
    strength = soft_step(truth.disturbance, 0.48, 0.10)
    light = np.zeros((grid.side, grid.side), dtype=np.float32)
    if strength < _TOO_FAINT:
        return paint(light, OLD_STARS)
    for _ in range(2 if truth.disturbance > 0.75 else 1):
        light += _tail(truth, grid, rng)
    if truth.kind != DISK:
        light = 0.4 * light + _shells(truth, grid, rng)
    return paint(0.14 * strength * truth.flux * light, mix(truth.redness))


def _tail(truth: GalaxyTruth, grid: Grid, rng: np.random.Generator) -> Plane:
    """One curved tail of unit light, fading outwards."""
    step = np.linspace(0, 1, 20)
    sweep = math.radians(rng.uniform(50, 150)) * float(rng.choice([-1.0, 1.0]))
    angle = rng.uniform(0, 2 * math.pi) + sweep * step
    reach = truth.radius * (0.8 + rng.uniform(1.8, 3.4) * step)
    x, y = reach * np.cos(angle), reach * np.sin(angle)
    plane = np.zeros((grid.side, grid.side), dtype=np.float32)
    widths = truth.radius * (0.22 + 0.16 * step)
    points = zip(x.tolist(), y.tolist(), widths.tolist(), (1 - 0.7 * step).tolist(), strict=True)
    for at_x, at_y, width, fade in points:
        distance = (grid.x - at_x) ** 2 + (grid.y - at_y) ** 2
        plane += fade / width**2 * np.exp(-0.5 / width**2 * distance)
    return plane / np.float32(2 * math.pi * 0.65 * len(step))


def _shells(truth: GalaxyTruth, grid: Grid, rng: np.random.Generator) -> Plane:
    """Sharp-edged arcs about a smooth galaxy, on alternate sides."""
    axis = rng.uniform(0, 360)
    along, across = components.rotate(grid.x, grid.y, axis)
    radius = np.sqrt(along**2 + across**2) / truth.radius
    light = np.zeros_like(radius)
    for number, edge in enumerate(np.sort(rng.uniform(1.2, 3.2, size=3)).tolist()):
        side = along if number % 2 else -along
        wedge = 1 - components.fade(side / truth.radius, 0.55 * edge, 0.15)
        inside = np.exp((radius - edge) / 0.5) * components.fade(radius, edge, 0.05)
        light += wedge * inside / edge
    return np.asarray(light / (5.0 * truth.radius**2), np.float32)


def _companion(truth: GalaxyTruth, grid: Grid, rng: np.random.Generator) -> Bands:
    """Draw the other galaxy of a merger, and the bridge between the two."""
    heading = rng.uniform(0, 2 * math.pi)
    distance = truth.companion_distance * truth.radius
    size = truth.radius * (0.35 + 0.5 * truth.companion_flux)
    ratio = rng.uniform(0.45, 0.95)
    x, y = grid.x - distance * math.cos(heading), grid.y - distance * math.sin(heading)
    along, across = components.rotate(x, y, rng.uniform(0, 360))
    bent = across + 0.25 * along**2 / size * rng.uniform(-1, 1)
    radius = components.ellipse_radius(along, bent, ratio, 0.35 * grid.scale)
    profile = components.sersic(radius, size, rng.uniform(1, 2.2), ratio)
    light = paint(truth.companion_flux * truth.flux * profile, mix(rng.uniform(0, 0.9)))
    middle = np.hypot(
        grid.x - 0.5 * distance * math.cos(heading), grid.y - 0.5 * distance * math.sin(heading)
    )
    width = 0.45 * distance + 0.3 * truth.radius
    bridge = np.exp(-0.5 * (middle / width) ** 2) / (2 * math.pi * width**2)
    light += paint(0.10 * truth.flux * bridge.astype(np.float32), mix(truth.redness))
    return light
