"""What an encoder can be taught by images that nobody has labelled.

Each objective sees the same galaxies, half of them flipped, and makes views of them by the
same random changes. None may teach that a galaxy equals its mirror image: an encoder that
learned it could never say which way a spiral winds.

`docs/reference/network.md` compares them at equal time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

import torch
from torch import nn
from torch.nn import functional

from mlcore.cnn.dataset import SKY, augment, to_pixels
from mlcore.cnn.rings import fourier_modes, log_amplitudes, windings
from mlcore.train_config import TrainConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_GAIN, _NOISE = 0.3, 0.06
# Stronger than in training: the views of one galaxy should share its shape and no more.
_VIEWS = TrainConfig(zoom=0.3, shift=0.08, brightness=0.15)
# Hidden squares are an eighth of the side; reconstructions a quarter of the resolution.
_SQUARES, _SHRUNK = 8, 4


def make_objective(config: TrainConfig, width: int) -> Objective:
    """Return the objective that the settings name, for features of this width."""
    return OBJECTIVES[config.pretrain_objective](config, width)


class Objective(nn.Module, ABC):
    """A loss on an encoder, with the head that is thrown away afterwards.

    Parameters
    ----------
    config
        Size and bands of the images, and settings of the loss.
    width
        Of the encoder's features.
    """

    def __init__(self, config: TrainConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.head = self._head(width)

    @abstractmethod
    def _head(self, width: int) -> nn.Module:
        """Return what turns features (n, width) into what the loss compares."""

    @abstractmethod
    def loss(
        self, encoder: nn.Module, images: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Return a scalar for standardised images (n, channels, size, size), n >= 2.

        The generator is where all the randomness comes from; it and the images live on the
        processor, whatever the encoder computes on.
        """

    def _told(self, encoder: nn.Module, views: torch.Tensor) -> torch.Tensor:
        """Return what the head makes of the views, on the encoder's device."""
        device = next(self.head.parameters()).device
        views = views.to(device, memory_format=torch.channels_last)
        told: torch.Tensor = self.head(encoder(views))
        return told


def _perceptron(width: int, hidden: int, out: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, out)
    )


class Contrastive(Objective):
    """Two views of a galaxy are closer than views of any two galaxies.

    SimCLR (Chen et al. 2020, arXiv:2002.05709).
    """

    def _head(self, width: int) -> nn.Module:
        return _perceptron(width, 512, 128)

    def loss(
        self, encoder: nn.Module, images: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Return the cross entropy of telling a view's partner from the other views."""
        projected = self._told(encoder, _two_views(images, generator))
        return contrastive_loss(projected, self.config.pretrain_temperature)


class Decorrelated(Objective):
    """Two views of a galaxy are alike, and no two numbers that describe them are.

    VICReg (Bardes et al. 2022, arXiv:2105.04906), which needs no other galaxies to
    compare with.
    """

    def _head(self, width: int) -> nn.Module:
        return _perceptron(width, 1024, 512)

    def loss(
        self, encoder: nn.Module, images: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Return 25 * distance + 25 * lack of variance + covariance, as the paper weighs them."""
        projected = self._told(encoder, _two_views(images, generator))
        first, second = projected.chunk(2)
        loss = 25 * functional.mse_loss(first, second)
        for rows in (first - first.mean(0), second - second.mean(0)):
            spread = torch.sqrt(rows.var(dim=0) + 1e-4)
            covariance = rows.T @ rows / (len(rows) - 1)
            apart = covariance.square().sum() - covariance.diagonal().square().sum()
            loss = loss + 12.5 * functional.relu(1 - spread).mean() + apart / rows.shape[1]
        return loss


class Masked(Objective):
    """The whole image, small, is told from a view with some squares hidden.

    After masked autoencoders (He et al. 2022, arXiv:2111.06377), for encoders that see the
    whole image at once.
    """

    hidden: float = 0.4

    def _head(self, width: int) -> nn.Module:
        side = self.config.image_size // _SHRUNK
        return _perceptron(width, 512, len(self.config.bands) * side * side)

    def loss(
        self, encoder: nn.Module, images: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Return the mean squared error over all pixels."""
        view = _moved(images, generator)
        target = functional.avg_pool2d(view, _SHRUNK).flatten(1)
        told = self._told(encoder, _with_hidden_squares(view, self.hidden, generator))
        return functional.mse_loss(told, target.clamp(max=3).to(told))


class Reconstruction(Masked):
    """The whole image, small, is told from the view itself: an autoencoder."""

    hidden = 0.0


class Shapes(Objective):
    """What rings measure of a galaxy is told from a changed view with some squares hidden.

    Masked feature prediction (Wei et al. 2022, arXiv:2112.09133) with the features of
    `mlcore.cnn.rings`: no detail of the noise is worth learning for them, and the
    windings change sign with a flip, so that handedness is taught too.
    """

    hidden: Final = 0.25

    def _head(self, width: int) -> nn.Module:
        blank = torch.zeros(1, len(self.config.bands), _SHRUNK, _SHRUNK)
        return _perceptron(width, 512, _shapes(blank).shape[1])

    def loss(
        self, encoder: nn.Module, images: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Return the mean squared error, each measure scaled to unit spread in the batch."""
        measured = _shapes(images)
        measured = measured - measured.mean(dim=0)
        target = measured / measured.std(dim=0).clamp_min(0.05)
        view = _with_hidden_squares(_noisy(images, generator), self.hidden, generator)
        told = self._told(encoder, view)
        return functional.mse_loss(told, target.to(told))


OBJECTIVES: Final[Mapping[str, Callable[[TrainConfig, int], Objective]]] = {
    "contrastive": Contrastive,
    "decorrelated": Decorrelated,
    "masked": Masked,
    "reconstruction": Reconstruction,
    "shapes": Shapes,
}


def contrastive_loss(projected: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the normalised-temperature cross entropy of SimCLR.

    Parameters
    ----------
    projected
        Shape (2 n, d): row i and row i + n are views of one galaxy; n >= 1.
    temperature
        Divides the cosine similarities.

    Returns
    -------
    Tensor
        Scalar, in nats; NaN where a row is.
    """
    rows = functional.normalize(projected, dim=1)
    similarity = rows @ rows.T / temperature
    itself = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    partner = torch.arange(len(rows), device=rows.device).roll(len(rows) // 2)
    return functional.cross_entropy(similarity.masked_fill(itself, -1e9), partner)


def _shapes(images: torch.Tensor) -> torch.Tensor:
    modes = fourier_modes(to_pixels(images))
    return torch.cat([log_amplitudes(modes), windings(modes)], dim=1)


def _moved(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return augment(images, _VIEWS, generator, mirror=False)[0]


def _noisy(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    moved = _moved(images, generator)
    draws = torch.rand(2, len(images), 1, 1, 1, generator=generator)
    noise = torch.randn(images.shape, generator=generator) * (draws[1] * _NOISE)
    return moved * torch.exp((draws[0] * 2 - 1) * _GAIN) + noise


def _two_views(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.cat([_noisy(images, generator), _noisy(images, generator)])


def _with_hidden_squares(
    images: torch.Tensor, share: float, generator: torch.Generator
) -> torch.Tensor:
    """Return images with squares of empty sky in place of a share of what was there."""
    draws = torch.rand(len(images), 1, _SQUARES, _SQUARES, generator=generator)
    hidden = functional.interpolate((draws < share).float(), images.shape[-2:])
    return images * (1 - hidden) + hidden * SKY
