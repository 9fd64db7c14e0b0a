"""Batches for Zoobot, cut from the image cache and changed in one go on tensors.

A galaxy looks as likely from any side, so each is turned by any angle, zoomed, shifted
and brightened a little. A left-right flip is more: it turns a clockwise spiral into an
anticlockwise one, so the votes change columns with it, as the tree's `mirror` says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch.nn import functional

from mlcore.cnn.operators import best_device

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mlcore.cnn.config import TrainConfig
    from mlcore.images import ImageCache
    from mlcore.tree import DecisionTree

# Near the mean and spread of a survey's pixels, which are mostly dark sky.
_MEAN: Final = 0.1
_SPREAD: Final = 0.15
#: What empty sky is, standardised.
SKY: Final = -_MEAN / _SPREAD


def to_tensor(images: NDArray[np.uint8], bands: str = "rgb") -> torch.Tensor:
    """Return images (n, size, size, 3) as standardised float32 (n, channels, size, size).

    `bands` names the planes that are taken, in order; see `TrainConfig`.
    """
    if bands != "rgb":
        images = images[..., ["rgb".index(band) for band in bands]]
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    return pixels.float().div_(255.0).sub_(_MEAN).div_(_SPREAD)


def to_pixels(tensor: torch.Tensor) -> torch.Tensor:
    """Return standardised images as they were, 1 for full brightness."""
    return tensor * _SPREAD + _MEAN


def augment(
    images: torch.Tensor, config: TrainConfig, generator: torch.Generator, *, mirror: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn, zoom, shift and brighten each image; flip half of them where `mirror` says so.

    Parameters
    ----------
    images
        Standardised, shape (n, channels, size, size), on any device.
    config
        Gives `zoom`, `shift` and `brightness`.
    generator
        Where all the randomness comes from; the processor's, so that every device draws
        the same.
    mirror
        Whether flips are allowed.

    Returns
    -------
    Tensor, Tensor
        The new images, same shape; and which of them were flipped, bool, shape (n,).
    """
    flipped = torch.zeros(len(images), dtype=torch.bool)
    if mirror:
        flipped = torch.rand(len(images), generator=generator) < 0.5
    affine = _random_affine(flipped, config, generator).to(images)
    grid = functional.affine_grid(affine, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    colour = torch.rand(len(images), images.shape[1], 1, 1, generator=generator) * 2 - 1
    brightened = moved * torch.exp(colour.to(images) * config.brightness)
    return brightened.contiguous(memory_format=torch.channels_last), flipped


def _random_affine(
    flipped: torch.Tensor, config: TrainConfig, generator: torch.Generator
) -> torch.Tensor:
    draws = torch.rand(4, len(flipped), generator=generator)
    angle = draws[0] * 2 * math.pi
    scale = torch.exp((draws[1] * 2 - 1) * config.zoom)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    handed = torch.where(flipped, -1.0, 1.0)
    shift = (draws[2:] * 2 - 1) * config.shift
    rows = [[cos * handed, -sin, shift[0]], [sin * handed, cos, shift[1]]]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def dihedral_views(images: torch.Tensor, views: int) -> Iterator[tuple[torch.Tensor, bool]]:
    """Yield a batch as it may be seen otherwise, and whether it is flipped.

    `images` has shape (n, channels, size, size). With 1 view it is as it is, with 2 it and its
    mirror image, with 4 its quarter turns, with 8 these and their flips.
    """
    turns = 1 if views < 4 else 4
    for view in range(views):
        flipped = view >= turns
        turned = torch.rot90(images.flip(3) if flipped else images, view % turns, (2, 3))
        yield turned.contiguous(memory_format=torch.channels_last), flipped


def sampling_weights(
    counts: NDArray[np.float64], tree: DecisionTree, balance: float
) -> NDArray[np.float64]:
    """Return how likely each galaxy is to be drawn for a batch.

    Parameters
    ----------
    counts
        Votes, shape (n, A), n >= 1.
    tree
        Its first question says which answer a galaxy counts for (the one with most votes;
        the first of those that tie; galaxies without votes count together).
    balance
        See `TrainConfig.class_balance`.

    Returns
    -------
    ndarray
        Shape (n,), positive, summing to 1.
    """
    first = np.asarray(counts)[:, tree.question_slices[tree.start]]
    answer = np.where(first.sum(axis=1) > 0, first.argmax(axis=1), -1)
    _, place, frequency = np.unique(answer, return_inverse=True, return_counts=True)
    weights = frequency[place].astype(np.float64) ** -balance
    return np.asarray(weights / weights.sum())


@dataclass(frozen=True)
class LabelledGalaxies:
    """Rows of the cache with their votes: what one network learns from.

    Attributes
    ----------
    cache
        Where the images are.
    rows
        Shape (n,), rows of the cache.
    counts
        Votes, shape (n, A).
    tree
        The tree of the A columns.
    """

    cache: ImageCache
    rows: NDArray[np.intp]
    counts: NDArray[np.float64]
    tree: DecisionTree

    def batch(self, images: torch.Tensor, counts: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return Zoobot's form of a batch: ``image`` and one entry per label column."""
        columns = dict(zip(self.tree.label_cols, counts.unbind(dim=1), strict=True))
        return {"image": images, **columns}


class TrainingBatches:
    """Endless variety, fixed length: `steps_per_epoch` random batches per pass.

    Each pass draws from the seed of its `epoch`, so that a resumed training sees what an
    uninterrupted one would have seen.

    Parameters
    ----------
    galaxies
        What to draw from, at least one.
    config
        Batch size, steps, balance and augmentation.
    seed
        Of the draws.
    """

    def __init__(self, galaxies: LabelledGalaxies, config: TrainConfig, seed: int) -> None:
        self._galaxies, self._config, self._seed = galaxies, config, seed
        self.epoch = 0
        weights = sampling_weights(galaxies.counts, galaxies.tree, config.class_balance)
        self._weights = torch.from_numpy(weights)
        self._counts = torch.from_numpy(np.asarray(galaxies.counts, dtype=np.float32))
        self._mirror = torch.from_numpy(np.array(galaxies.tree.mirror))

    def __len__(self) -> int:
        return self._config.steps_per_epoch

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        generator = torch.Generator().manual_seed(self._seed * 100_003 + self.epoch)
        for _ in range(len(self)):
            yield self._draw(generator)

    def _draw(self, generator: torch.Generator) -> dict[str, torch.Tensor]:
        size = self._config.batch_size
        chosen = torch.multinomial(self._weights, size, replacement=True, generator=generator)
        images = self._galaxies.cache.images[self._galaxies.rows[chosen.numpy()]]
        changed, flipped = augment(
            to_tensor(images, self._config.bands).to(best_device()),
            self._config,
            generator,
            mirror=self._config.mirror,
        )
        counts = self._counts[chosen]
        counts = torch.where(flipped[:, None], counts[:, self._mirror], counts)
        return self._galaxies.batch(changed, counts)


class PlainBatches:
    """Every galaxy once, in order and unchanged: for validation.

    Parameters
    ----------
    galaxies
        What to go through.
    config
        Gives `predict_batch_size`, the galaxies per batch (the last may have fewer), and
        `bands`.
    """

    def __init__(self, galaxies: LabelledGalaxies, config: TrainConfig) -> None:
        self._galaxies, self._bands = galaxies, config.bands
        self._batch_size = config.predict_batch_size

    def __len__(self) -> int:
        return math.ceil(len(self._galaxies.rows) / self._batch_size)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        galaxies = self._galaxies
        for start in range(0, len(galaxies.rows), self._batch_size):
            part = slice(start, start + self._batch_size)
            images = to_tensor(galaxies.cache.images[galaxies.rows[part]], self._bands)
            counts = torch.from_numpy(np.asarray(galaxies.counts[part], dtype=np.float32))
            yield galaxies.batch(images.contiguous(memory_format=torch.channels_last), counts)
