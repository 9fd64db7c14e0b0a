"""The light of a galaxy's parts on a pixel grid, before blur and noise.

Surface brightness is in nanomaggies per square arcsec, lengths in arcsec, and
every array is float32 of shape (height, width), with y upwards. Sersic profiles
follow Graham & Driver (2005); arms are logarithmic spirals (Seigar & James
1998); edge-on disks fall as sech squared from the plane (van der Kruit & Searle
1981).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Grid:
    """Pixel centres about the image's middle, with a margin beyond its edge.

    Attributes
    ----------
    x, y
        Offsets of shape (side, side), arcsec, x to the right and y upwards.
    scale
        Arcsec per pixel.
    margin
        Pixels beyond each edge of the image, so that blur sees what lies there.
    """

    x: Plane
    y: Plane
    scale: float
    margin: int

    @classmethod
    def cover(cls, field_of_view: float, size: int) -> Grid:
        """Cover a square image of ``size`` pixels and ``field_of_view`` arcsec."""
        margin = size // 8
        scale = field_of_view / size
        side = size + 2 * margin
        offsets = ((np.arange(side) - (side - 1) / 2) * scale).astype(np.float32)
        x, y = np.meshgrid(offsets, -offsets)
        return cls(x, y, scale, margin)

    @property
    def side(self) -> int:
        """Pixels along one side, margins included."""
        return int(self.x.shape[0])


def rotate(x: Plane, y: Plane, degrees: float) -> tuple[Plane, Plane]:
    """Return coordinates along and across an axis at this angle from the right."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return x * cos + y * sin, y * cos - x * sin


def sersic(radius: Plane, half_light: float, index: float, area: float) -> Plane:
    """Sersic profile of unit total light.

    Parameters
    ----------
    radius
        Elliptical radius along the major axis.
    half_light
        Radius that holds half of the light.
    index
        Sersic index: 1 exponential, 4 de Vaucouleurs.
    area
        Axis ratio of the ellipses, which scales their area.
    """
    b = 2 * index - 1 / 3 + 0.009876 / index
    total = 2 * math.pi * index * half_light**2 * area
    total *= math.exp(b) * b ** (-2 * index) * math.gamma(2 * index)
    profile = np.exp(-b * ((radius / half_light) ** (1 / index) - 1)) / total
    return np.asarray(profile, dtype=np.float32)


def ellipse_radius(along: Plane, across: Plane, axis_ratio: float, core: float) -> Plane:
    """Elliptical radius along the major axis, softened inside ``core``."""
    return np.asarray(np.sqrt(along**2 + (across / axis_ratio) ** 2 + core**2), np.float32)


def boxy_radius(along: Plane, across: Plane, axis_ratio: float, boxiness: float) -> Plane:
    """Radius of generalised ellipses (Athanassoula et al. 1990), rounded to boxy."""
    power = 2 + 2.5 * boxiness
    pinched = np.abs(across) / axis_ratio
    return np.asarray((np.abs(along) ** power + pinched**power + 1e-6) ** (1 / power), np.float32)


def fade(value: Plane, edge: float, softness: float) -> Plane:
    """Fall from 1 to 0 about an edge (logistic); never overflows."""
    return np.asarray(0.5 * (1 - np.tanh(0.5 / softness * (value - edge))), np.float32)


def edge_on_disk(along: Plane, across: Plane, length: float, height: float) -> Plane:
    """Disk seen from the side, of unit total light."""
    flat = np.sqrt(along**2 + (0.3 * length) ** 2) - 0.3 * length
    # A real disk is cut off at three to four scale lengths, and looks blunt there.
    cut = fade(np.asarray(np.abs(along) / length, np.float32), 3.6, 0.25)
    vertical = np.cosh(np.clip(across / height, -12, 12)) ** -2
    return np.asarray(np.exp(-flat / length) * vertical * cut / (5.0 * length * height), np.float32)


def bar(along: Plane, across: Plane, length: float) -> Plane:
    """Bar of half-length ``length``, flat inside and cut off at its ends; unit peak."""
    radius = (np.abs(along / length) ** 2.6 + np.abs(across / (0.27 * length)) ** 2.2) + 1e-6
    return np.asarray(np.exp(-1.3 * radius), dtype=np.float32)


def ring(radius: Plane, at: float, width: float) -> Plane:
    """Ring of unit peak in the disk's plane."""
    return np.asarray(np.exp(-0.5 * ((radius - at) / width) ** 2), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class ArmPattern:
    """Where a disk's arms and their dust lanes lie, 0 to 1 each."""

    light: Plane
    dust: Plane


def spiral_arms(
    radius: Plane,
    angle: Plane,
    *,
    count: int,
    pitch: float,
    flocculence: float,
    start: float,
    rng: np.random.Generator,
) -> ArmPattern:
    """Logarithmic spiral arms that open anticlockwise.

    Parameters
    ----------
    radius, angle
        Polar coordinates in the disk's plane: scale lengths and radians.
    count, pitch
        Number of arms, and their pitch angle in degrees.
    flocculence
        0 for clean arms, 1 for short pieces of many.
    start
        Radius where the arms begin, in scale lengths.
    rng
        Draws the arms' phase and irregularities.
    """
    wound = angle - np.log(radius + 1e-3) / math.tan(math.radians(pitch))
    wobble = 0.16 * np.cos(2.2 * radius + rng.uniform(0, 6.28))
    wobble += 0.14 * np.cos(angle + rng.uniform(0, 6.28))
    phase = count * (wound + wobble) + rng.uniform(0, 6.28)
    uneven = 1 + 0.25 * np.cos(angle + rng.uniform(0, 6.28))
    sharpness = rng.uniform(1.4, 2.8)
    clean = np.exp(sharpness * (np.cos(phase) - 1)) * uneven
    pieces = _flocculent_texture(wound, radius, rng)
    light = (1 - flocculence) * clean * (1 + 0.35 * pieces) + flocculence * 0.45 * (1 + pieces)
    inside = 1 - fade(radius, start, 0.12)
    dust = np.exp(5 * (np.cos(phase + 0.9) - 1)) * (1 - flocculence)
    return ArmPattern(np.clip(light, 0, None) * inside, dust * inside)


def _flocculent_texture(wound: Plane, radius: Plane, rng: np.random.Generator) -> Plane:
    """Random spiral modes of high order, clipped to [-1, 1]."""
    texture = np.zeros_like(wound)
    for order in rng.integers(3, 12, size=7):
        drift = rng.uniform(-2.5, 2.5) * radius
        texture += np.cos(int(order) * wound + drift + rng.uniform(0, 6.28))
    return np.asarray(np.clip(texture / 2.2, -1, 1), np.float32)


def splat(grid: Grid, x: NDArray[np.float64], y: NDArray[np.float64], flux: Plane) -> Plane:
    """Put point sources on the grid, each shared by its four nearest pixels.

    Sources beyond the grid are left out; no source gives zeros.
    """
    half = (grid.side - 1) / 2
    column, row = x / grid.scale + half, half - y / grid.scale
    plane = np.zeros((grid.side, grid.side), dtype=np.float32)
    left, top = np.floor(column).astype(int), np.floor(row).astype(int)
    inside = (left >= 0) & (top >= 0) & (left < grid.side - 1) & (top < grid.side - 1)
    left, top = left[inside], top[inside]
    right_share, down_share = column[inside] - left, row[inside] - top
    light = flux[inside] / grid.scale**2
    np.add.at(plane, (top, left), light * (1 - right_share) * (1 - down_share))
    np.add.at(plane, (top, left + 1), light * right_share * (1 - down_share))
    np.add.at(plane, (top + 1, left), light * (1 - right_share) * down_share)
    np.add.at(plane, (top + 1, left + 1), light * right_share * down_share)
    return plane
