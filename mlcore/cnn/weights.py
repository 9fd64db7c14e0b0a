"""Weights on disk: safetensors for finished work, torch's own format for unfinished work."""

from __future__ import annotations

import hashlib
import pickle
from io import BytesIO
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mlcore.cnn.divergence import is_finite
from mlcore.errors import ArtefactError, FitError
from mlcore.files import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes; raises ArtefactError where there is no file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtefactError(f"{path} must be readable: {error}") from error


def require_sha256(path: Path, recorded: str | None) -> None:
    """Raise ArtefactError unless the file is there and its sha256 is the recorded one."""
    if file_sha256(path) != recorded:
        raise ArtefactError(f"{path} must have the recorded sha256, has another")


def save_weights(module: torch.nn.Module, path: Path) -> None:
    """Write a module's state as safetensors, in one step.

    Raises
    ------
    FitError
        Where a number is not finite; nothing is written.
    """
    # Channels-last and shared storage are not for disk.
    tensors = {name: value.detach().cpu().contiguous() for name, value in _state(module).items()}
    if not is_finite(tensors.values()):
        raise FitError(f"weights must be finite to be kept, those for {path.name} are not")
    with replacing(path) as partial:
        save_file(tensors, partial)


def load_weights(module: torch.nn.Module, path: Path) -> None:
    """Fill a module from safetensors.

    Raises
    ------
    ArtefactError
        When the file is missing, damaged, holds other tensors than the module has, or
        numbers that are not finite.
    """
    tensors = _read_weights(path)
    try:
        module.load_state_dict(tensors)
    except (RuntimeError, ValueError) as error:
        raise ArtefactError(f"{path} must hold this network's weights: {error}") from error


def are_whole_weights(path: Path) -> bool:
    """Whether a file holds safetensors, all of them finite."""
    try:
        _read_weights(path)
    except ArtefactError:
        return False
    return True


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        raise ArtefactError(f"{path} must hold this network's weights: {error}") from error
    if not is_finite(tensors.values()):
        raise ArtefactError(f"{path} must hold finite weights, holds others")
    return tensors


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write the state of unfinished work in one step; OSError where there is no room."""
    content = BytesIO()
    # Straight to a full disk, torch would say that its archive is broken.
    torch.save(dict(state), content)
    with replacing(path) as partial:
        partial.write_bytes(content.getbuffer())


def read_checkpoint(path: Path, *weights: str) -> dict[str, Any]:
    """Return the state of unfinished work; nothing where it is damaged: begin again then.

    `weights` names the parts of the state that are a module's. What is not finite among them
    counts as damage.
    """
    try:
        saved = torch.load(path, weights_only=True)
        parts = [saved[name].values() for name in weights]
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError):
        return {}
    except (AttributeError, KeyError, TypeError, IndexError):
        return {}
    return saved if all(is_finite(part) for part in parts) else {}


def _state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return dict(module.state_dict())
