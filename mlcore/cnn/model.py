"""A trained network as data: safetensors for the weights, JSON for the rest."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

import torch

from mlcore.calibration import IDENTITY, Calibration
from mlcore.cnn.config import TrainConfig
from mlcore.cnn.encoder import EncoderOrigin, blank_encoder
from mlcore.cnn.lookalikes import Lookalikes
from mlcore.cnn.network import TreeNetwork
from mlcore.cnn.weights import file_sha256, load_weights, require_sha256, save_weights
from mlcore.errors import ArtefactError, InvalidInputError
from mlcore.files import read_json, write_json
from mlcore.tree import DecisionTree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


_FORMAT = 1
_DESCRIPTION = "model.json"
# What was so before these settings were there to say it.
_BEFORE = {"shape_features": False, "lookalikes": False}


@dataclass(frozen=True)
class CnnModel:
    """A network with all that is needed to use it and to say where it came from.

    Attributes
    ----------
    network
        Encoder and Dirichlet head, in evaluation mode.
    tree, config
        What it was trained for, and how.
    origin
        Where the encoder's weights came from.
    history
        Losses per epoch, ``{"epoch", "train_loss", "val_loss"}``; the last is None
        without a validation split.
    calibration
        What its concentrations are scaled by; nothing where it was never fitted.
    others
        The further networks of an ensemble.
    lookalikes
        The guess beside the network's; None where there is none.
    """

    network: TreeNetwork
    tree: DecisionTree
    config: TrainConfig
    origin: EncoderOrigin
    history: Sequence[Mapping[str, float | int | None]] = field(default_factory=tuple)
    calibration: Calibration = IDENTITY
    others: tuple[TreeNetwork, ...] = ()
    lookalikes: Lookalikes | None = None

    @property
    def networks(self) -> tuple[TreeNetwork, ...]:
        """Every network of the ensemble, the first first."""
        return (self.network, *self.others)

    def save(self, directory: Path) -> None:
        """Write the weights of each network, then all else and ``model.json``, the last of all."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / _DESCRIPTION).unlink(missing_ok=True)
        for number, network in enumerate(self.networks):
            save_weights(network, directory / _weights(number))
        self.save_description(directory)

    def save_description(self, directory: Path) -> None:
        """Write the look-alikes and ``model.json`` beside the networks' weights."""
        description = {
            "format": _FORMAT,
            "weights_sha256": file_sha256(directory / _weights(0)),
            "others_sha256": [
                file_sha256(directory / _weights(1 + number)) for number in range(len(self.others))
            ],
            "tree": self.tree.to_dict(),
            "config": self.config.to_dict(),
            "origin": asdict(self.origin),
            "history": [dict(epoch) for epoch in self.history],
            "calibration": self.calibration.to_dict(),
            "lookalikes": self.lookalikes.save(directory) if self.lookalikes else None,
        }
        write_json(directory / _DESCRIPTION, description)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Return the model in `directory`; nothing in it is executed.

        Raises
        ------
        ArtefactError
            When a file is missing, damaged, of another format, or does not fit the others.
        """
        description = read_json(directory / _DESCRIPTION)
        _check(description, directory)
        try:
            tree = DecisionTree.from_dict(description["tree"])
            config = TrainConfig.from_dict({**_BEFORE, **description["config"]})
            origin = EncoderOrigin(**description["origin"])
            calibration = Calibration.from_dict(description.get("calibration", {}))
            calibration.factors(tree)
            _check_number(description.get("others_sha256", []), config)
            networks = [_blank_network(tree, config) for _ in range(config.ensemble)]
        except (KeyError, TypeError, InvalidInputError) as error:
            raise ArtefactError(f"{directory} must hold a model, is damaged: {error}") from error
        for number, network in enumerate(networks):
            load_weights(network, directory / _weights(number))
            network.eval()
        history = tuple(description.get("history", ()))
        said = description.get("lookalikes")
        lookalikes = Lookalikes.load(directory, said, tree, config) if said else None
        first, *others = networks
        return cls(first, tree, config, origin, history, calibration, tuple(others), lookalikes)


def _blank_network(tree: DecisionTree, config: TrainConfig) -> TreeNetwork:
    # Its random weights are overwritten; the caller's random numbers must not notice.
    with torch.random.fork_rng(devices=[]):
        return TreeNetwork(blank_encoder(config), tree, config)


def _check(description: Mapping[str, Any], directory: Path) -> None:
    if description.get("format") != _FORMAT:
        found = description.get("format")
        raise ArtefactError(f"{directory} must hold a model of format {_FORMAT}, has {found!r}")
    others = description.get("others_sha256", [])
    if not isinstance(others, list):
        raise ArtefactError(f"{directory} must list others_sha256, has {others!r}")
    recorded = [description.get("weights_sha256"), *others]
    for number, sha256 in enumerate(recorded):
        require_sha256(directory / _weights(number), sha256)


def _check_number(others: Sequence[str], config: TrainConfig) -> None:
    if 1 + len(others) != config.ensemble:
        raise InvalidInputError(
            f"ensemble must be as many networks as have weights, {1 + len(others)}, "
            f"is {config.ensemble}"
        )


def _weights(number: int) -> str:
    return f"weights-{number}.safetensors" if number else "weights.safetensors"
