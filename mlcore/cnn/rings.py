"""Shape features that need no training: how brightness goes around rings in an image.

The Fourier amplitudes of the brightness along circles around the centre tell bars, arms
and discs apart (Rix & Zaritsky 1995, ApJ 447, 82), and stay the same however a galaxy is
turned or mirrored. No vote and no other galaxy has a part in them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch.nn import functional

from mlcore.errors import InvalidInputError
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RINGS: Final = 24
_ANGLES: Final = 48
_MODES: Final = 7
# Innermost and outermost ring, in half the image's side.
_INNER: Final = 0.03
_OUTER: Final = 1.0
# In units of full brightness: amplitudes below it are noise, and look alike.
_FLOOR: Final = 0.01
_CHUNK: Final = 256
_STAGE = "shapes"


def ring_features(
    images: NDArray[np.uint8],
    rows: NDArray[np.intp],
    *,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> NDArray[np.float32]:
    """Return the log Fourier amplitudes of each image around rings of growing radius.

    Parameters
    ----------
    images
        Shape (m, size, size, channels), such as those of an `ImageCache`.
    rows
        Which of them, shape (n,); none gives no features.

    Returns
    -------
    ndarray
        Shape (n, D): 7 amplitudes for each of 24 rings and each channel, of the logarithm
        of full brightness. A quarter turn or a flip changes them by rounding alone.

    Raises
    ------
    InvalidInputError
        For an array of another shape.
    CancelledError
        After `should_stop` said so.
    """
    if images.ndim != 4 or images.shape[1] != images.shape[2]:
        raise InvalidInputError(f"images must be (n, size, size, channels), are {images.shape}")
    features = np.empty((len(rows), images.shape[3] * _RINGS * _MODES), np.float32)
    for start in range(0, len(rows), _CHUNK):
        stop_if_asked(should_stop, _STAGE)
        features[start : start + _CHUNK] = _amplitudes(images[rows[start : start + _CHUNK]])
        done = min(start + _CHUNK, len(rows))
        report(on_progress, _STAGE, done / len(rows), f"{done} of {len(rows)} shapes measured")
    return features


def _amplitudes(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255.0
    logs: NDArray[np.float32] = log_amplitudes(fourier_modes(pixels)).numpy()
    return logs


def fourier_modes(pixels: torch.Tensor) -> torch.Tensor:
    """Return how the brightness goes around each ring, as complex Fourier coefficients.

    Parameters
    ----------
    pixels
        Shape (n, channels, size, size), 1 for full brightness; NaN spreads along its rings.

    Returns
    -------
    Tensor
        Complex, shape (n, channels, 24 rings, 7 modes), the mean brightness first.
    """
    grid = _circles().to(pixels).expand(len(pixels), -1, -1, -1)
    around = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    modes: torch.Tensor = torch.fft.rfft(around, dim=3)[..., :_MODES] / _ANGLES
    return modes


def log_amplitudes(modes: torch.Tensor) -> torch.Tensor:
    """Return the logarithm of the strengths of `fourier_modes`, shape (n, channels * 168)."""
    return torch.log(modes.abs() + _FLOOR).flatten(1)


def windings(modes: torch.Tensor) -> torch.Tensor:
    """Return which way each mode turns from a ring to the next, in [-1, 1].

    The sine of the turn, averaged over the channels, and nearly 0 where a mode is weaker
    than noise. Arms that wind the other way have the other sign: a flip changes every
    sign, and a turn of the galaxy changes nothing.

    Parameters
    ----------
    modes
        From `fourier_modes`.

    Returns
    -------
    Tensor
        Shape (n, 23 * 6): the mean brightness has no direction.
    """
    product = modes[:, :, 1:, 1:] * modes[:, :, :-1, 1:].conj()
    turns: torch.Tensor = (product.imag / (product.abs() + 4 * _FLOOR**2)).mean(dim=1).flatten(1)
    return turns


def _circles() -> torch.Tensor:
    """Return points (1, rings, angles, 2) in the image's coordinates, from -1 to 1."""
    radius = torch.linspace(_INNER, _OUTER, _RINGS)[:, None]
    angle = torch.arange(_ANGLES)[None, :] * (2 * math.pi / _ANGLES)
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=-1)[None]
