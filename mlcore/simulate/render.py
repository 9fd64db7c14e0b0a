"""From light to picture: blur, noise, and a colour stretch.

The stretch is that of Lupton et al. (2004): the mean of the bands is compressed
by asinh, the colours keep their ratios, and what is too bright turns white as a
whole.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from mlcore.errors import InvalidInputError
from mlcore.simulate.anatomy import Bands, galaxy_light
from mlcore.simulate.components import Grid
from mlcore.simulate.galaxies import RENDER_STREAM, GalaxyTruth, stream
from mlcore.simulate.surroundings import artifact_light, field_light

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MIN_SIZE, MAX_SIZE = 16, 1024
# Artifacts with no galaxy on the image; the others lie over one.
_EMPTY = frozenset({"blank", "star"})
_FAINT, _WHITE, _BLACK_LEVEL = 0.16, 18.0, 0.045
_ELECTRONS_PER_NANOMAGGY = 900.0
_CAMERA_SCALE = 0.3  # arcsec per pixel


def render(
    truth: GalaxyTruth, size: int = 128, *, alter: Callable[[Bands, Grid], Bands] | None = None
) -> NDArray[np.uint8]:
    """Draw a galaxy as the site shows it.

    Parameters
    ----------
    truth
        The galaxy; the image depends on nothing else but the size and `alter`.
    size
        Side of the image, pixels, from 16 to 1024.
    alter
        Returns the scene's light changed, before blur and noise; None leaves it.

    Returns
    -------
    Array of shape (size, size, 3): red, green, blue.

    Raises
    ------
    InvalidInputError
        When the size is out of bounds.
    """
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise InvalidInputError(f"size must be from {MIN_SIZE} to {MAX_SIZE}, is {size}")
    rng = stream(truth.seed, truth.index, RENDER_STREAM)
    grid = Grid.cover(truth.field_of_view, size)
    light = _scene(truth, grid, rng, alter)
    light = _noisy(light, truth, grid.scale, rng)
    picture = _stretch(light)
    # Drawn clockwise always: the other sense is the mirror image, exactly.
    return picture if truth.clockwise else np.ascontiguousarray(picture[:, ::-1])


def _scene(
    truth: GalaxyTruth,
    grid: Grid,
    rng: np.random.Generator,
    alter: Callable[[Bands, Grid], Bands] | None,
) -> Bands:
    light = field_light(grid, rng)
    if truth.artifact not in _EMPTY:
        light += galaxy_light(truth, grid, rng)
    if alter is not None:
        light = alter(light, grid)
    light = _blur(light, truth.seeing / grid.scale)
    light += artifact_light(truth.artifact, grid, rng)
    inner = slice(grid.margin, grid.side - grid.margin)
    return light[:, inner, inner]


def _blur(light: Bands, width: float) -> Bands:
    """Convolve with a PSF of this full width at half maximum, in pixels.

    A Gaussian core with 12% of the light in wings of twice its width, as in SDSS.
    """
    side = light.shape[-1]
    sigma = width / 2.3548
    rows, columns = fft.fftfreq(side)[:, None], fft.rfftfreq(side)[None, :]
    power = -2 * (math.pi * sigma) ** 2 * (rows**2 + columns**2)
    transfer = (0.88 * np.exp(power) + 0.12 * np.exp(4 * power)).astype(np.float32)
    blurred = fft.irfft2(fft.rfft2(light) * transfer, s=(side, side))
    return np.asarray(blurred, dtype=np.float32)


def _noisy(light: Bands, truth: GalaxyTruth, scale: float, rng: np.random.Generator) -> Bands:
    """Add the sky's noise and the light's own, smoothed a little as by resampling."""
    noise = rng.standard_normal(light.shape, dtype=np.float32)
    # 1.9 makes up for what the smoothing takes from the noise of one pixel.
    noise = 1.9 * _blur(noise, 1.3)
    # Pixels finer than the camera's are resampled: they share its noise.
    sky = truth.sky_noise / max(scale, _CAMERA_SCALE)
    photons = np.clip(light, 0, None) / (_ELECTRONS_PER_NANOMAGGY * scale**2)
    return np.asarray(light + noise * np.sqrt(sky**2 + photons), np.float32)


def _stretch(light: Bands) -> NDArray[np.uint8]:
    mean = np.maximum(light.mean(axis=0), 1e-4)
    gain = np.arcsinh(mean / _FAINT) / (math.asinh(_WHITE / _FAINT) * mean)
    shown = np.clip(light * gain + _BLACK_LEVEL, 0, None)
    shown = shown / np.maximum(shown.max(axis=0), 1)
    burnt = np.clip((mean / _WHITE - 1) / 5, 0, 0.9)
    shown += burnt * (1 - shown)
    return np.ascontiguousarray((255 * shown + 0.5).astype(np.uint8).transpose(1, 2, 0))
