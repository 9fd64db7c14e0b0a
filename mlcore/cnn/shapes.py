"""Shape features beside the learned ones: what a head can use from the first vote on.

With few labels a network learns slowly what rings show at once (`mlcore.cnn.rings`): that
a disc is seen edge-on, that it has a bar, and which way its arms wind. The amplitudes do
not change when a galaxy is turned or flipped; the windings change sign with a flip. Both
are reduced to their principal components over unlabelled images and scaled to unit
variance, apart from each other, so that they keep this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import torch

from mlcore.cnn.dataset import to_pixels
from mlcore.cnn.rings import fourier_modes, log_amplitudes, windings

if TYPE_CHECKING:
    from collections.abc import Iterable

_EVEN: Final = 32
_ODD: Final = 8
# Directions with less of the greatest spread than this are rounding, not shape; so is what
# varies less than this itself, in logs of brightness and sines of turns.
_LEAST_SPREAD: Final = 0.01
#: Features of one galaxy.
WIDTH: Final = _EVEN + _ODD


class ShapeFeatures(torch.nn.Module):
    """Turns standardised images (n, channels, size, size) into (n, 40) shape features.

    Parameters
    ----------
    channels
        Planes of the images. Until `fit`, or weights that are loaded, every feature is 0.
    """

    centre: torch.Tensor
    even: torch.Tensor
    odd: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        modes = fourier_modes(torch.zeros(1, channels, 8, 8))
        amplitudes, turns = log_amplitudes(modes).shape[1], windings(modes).shape[1]
        self.register_buffer("centre", torch.zeros(amplitudes))
        self.register_buffer("even", torch.zeros(amplitudes, _EVEN))
        self.register_buffer("odd", torch.zeros(turns, _ODD))

    @torch.no_grad()
    def fit(self, batches: Iterable[torch.Tensor]) -> Self:
        """Learn the components from standardised images that nobody has labelled.

        Few images, or images that are all alike, have fewer components; the features that
        are left over stay 0.
        """
        measured = [_measure(images) for images in batches]
        amplitudes = torch.cat([each for each, _ in measured])
        turns = torch.cat([each for _, each in measured])
        self.centre.copy_(amplitudes.mean(dim=0))
        self.even.copy_(_whitening(amplitudes - self.centre, _EVEN))
        self.odd.copy_(_whitening(turns, _ODD))
        return self

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return features of shape (n, 40), the last 8 of which change sign with a flip."""
        amplitudes, turns = _measure(images)
        return torch.cat([(amplitudes - self.centre) @ self.even, turns @ self.odd], dim=1)


def _measure(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    modes = fourier_modes(to_pixels(images).float())
    return log_amplitudes(modes), windings(modes)


def _whitening(rows: torch.Tensor, width: int) -> torch.Tensor:
    """Return directions (d, width) of greatest spread of `rows` (n, d), scaled to spread 1."""
    rows = rows.double()
    scale = rows.square().mean(dim=0).sqrt().clamp_min(_LEAST_SPREAD)
    _, spreads, directions = torch.linalg.svd(rows / scale, full_matrices=False)
    kept = spreads[:width] > _LEAST_SPREAD * spreads[:1]
    found = directions[:width][kept].T * (len(rows) ** 0.5 / spreads[:width][kept])
    whitening = torch.zeros(rows.shape[1], width, dtype=rows.dtype)
    whitening[:, : found.shape[1]] = found / scale[:, None]
    return whitening
