"""Weights on disk: safetensors for finished work, torch's own format for unfinished work."""

from __future__ import annotations

import hashlib
import pickle
from io import BytesIO
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mlcore.errors import ArtefactError
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
    """Write a module's state as safetensors, in one step."""
    # Channels-last and shared storage are not for disk.
    tensors = {name: value.detach().cpu().contiguous() for name, value in _state(module).items()}
    with replacing(path) as partial:
        save_file(tensors, partial)


def load_weights(module: torch.nn.Module, path: Path) -> None:
    """Fill a module from safetensors.

    Raises
    ------
    ArtefactError
        When the file is missing, damaged, or holds other tensors than the module has.
    """
    try:
        tensors = load_file(path)
        module.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        raise ArtefactError(f"{path} must hold this network's weights: {error}") from error


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write the state of unfinished work in one step; OSError where there is no room."""
    content = BytesIO()
    # Straight to a full disk, torch would say that its archive is broken.
    torch.save(dict(state), content)
    with replacing(path) as partial:
        partial.write_bytes(content.getbuffer())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the state of unfinished work; nothing where it is damaged: begin again then."""
    try:
        saved = torch.load(path, weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError):
        return {}
    return saved if isinstance(saved, dict) else {}


def _state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return dict(module.state_dict())
