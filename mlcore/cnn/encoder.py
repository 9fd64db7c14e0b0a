"""Image encoders by name: any timm architecture, or Zoobot's published weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import timm
import torch

from mlcore.cnn.hub import PREFIX, fetch_published, offline
from mlcore.errors import InvalidInputError

if TYPE_CHECKING:
    from mlcore.train_config import TrainConfig


@dataclass(frozen=True)
class EncoderOrigin:
    """Where an encoder's weights come from; kept in the round's record.

    Attributes
    ----------
    name
        As it was asked for.
    source
        ``hub`` (published weights), ``scratch`` (random) or ``pretrained-here``
        (self-supervised on the survey's own images).
    reason
        One line for a person.
    """

    name: str
    source: Literal["hub", "scratch", "pretrained-here"]
    reason: str


def encoder_of(config: TrainConfig) -> tuple[torch.nn.Module, EncoderOrigin]:
    """Return the encoder that the settings name, for their bands and image size.

    Raises
    ------
    InvalidInputError
        For what `make_encoder` refuses, or images that are too small for the architecture.
    """
    planes, size = len(config.bands), config.image_size
    encoder, origin = make_encoder(config.encoder, channels=planes, size=size)
    try:
        with torch.inference_mode():
            encoder.eval()(torch.zeros(1, planes, size, size))
    except (RuntimeError, AssertionError) as error:
        raise InvalidInputError(
            f"image_size must be large enough for {config.encoder}, is {size}: {error}"
        ) from error
    return encoder.train(), origin


def blank_encoder(config: TrainConfig) -> torch.nn.Module:
    """Return the encoder of the settings for weights that are there, without asking a hub.

    The caller's random numbers do not notice.
    """
    with torch.random.fork_rng(devices=[]):
        return encoder_of(replace(config, encoder=architecture_of(config.encoder)))[0]


def make_encoder(
    name: str, *, channels: int = 3, size: int | None = None
) -> tuple[torch.nn.Module, EncoderOrigin]:
    """Return an encoder that turns (n, channels, h, w) into (n, D) features, and its origin.

    Parameters
    ----------
    name
        A timm architecture, made with random weights from torch's global seed; or
        ``hf_hub:mwalmsley/zoobot-encoder-<architecture>``, fetched from the hub once in a
        process (`mlcore.cnn.hub`), or from its local cache. Where neither has them, the same
        architecture is made with random weights, and the origin says so.
    channels
        Planes of the images, at least 1.
    size
        Side of the images. Vision transformers are built for one size; None takes the
        architecture's own.

    Raises
    ------
    InvalidInputError
        For a name that timm does not know, or `channels` below 1.
    """
    if channels < 1:
        raise InvalidInputError(f"channels must be at least 1, is {channels}")
    if not name.startswith(PREFIX):
        origin = EncoderOrigin(name, "scratch", "random weights, as the name asks")
        return _from_scratch(name, name, channels, size), origin
    return _from_hub(name, channels, size)


def architecture_of(name: str) -> str:
    """Return the timm architecture of `name`, a hub name's last part included."""
    if not name.startswith(PREFIX):
        return name
    last = name.removeprefix(PREFIX).rsplit("/", maxsplit=1)[-1]
    return last.removeprefix("zoobot-encoder-").removeprefix("greyscale-")


def _from_scratch(name: str, architecture: str, channels: int, size: int | None) -> torch.nn.Module:
    if not timm.is_model(architecture):
        raise InvalidInputError(f"encoder must be an architecture that timm knows, is {name!r}")
    model = timm.create_model(
        architecture, num_classes=0, in_chans=channels, **_sized(architecture, size)
    )
    return _with_true_width(model)


def _sized(architecture: str, size: int | None) -> dict[str, Any]:
    """Return the argument that fixes the image size of an architecture that has one."""
    settings = timm.get_pretrained_cfg(architecture) if timm.is_model(architecture) else None
    return {"img_size": size} if size and settings and settings.fixed_input_size else {}


def _with_true_width(model: Any) -> torch.nn.Module:
    # MobileNets and some others pool through a wider layer than `num_features` says, which
    # is where Zoobot reads the width of its head.
    model.num_features = getattr(model, "head_hidden_size", model.num_features)
    encoder: torch.nn.Module = model
    return encoder


def _from_hub(name: str, channels: int, size: int | None) -> tuple[torch.nn.Module, EncoderOrigin]:
    problem, sized = fetch_published(name), _sized(architecture_of(name), size)
    try:
        with offline():
            model = timm.create_model(
                name, pretrained=True, num_classes=0, in_chans=channels, **sized
            )
    # The hub's client raises a score of unrelated types, all of which mean "no weights".
    except Exception as error:  # noqa: BLE001
        why = problem or type(error).__name__
        reason = f"the hub gave no weights ({why}): trained from scratch instead"
        encoder = _from_scratch(name, architecture_of(name), channels, size)
        return encoder, EncoderOrigin(name, "scratch", reason)
    origin = EncoderOrigin(name, "hub", "published weights from the hub or its cache")
    return _with_true_width(model), origin
