"""Small files that are either whole or absent, also after a kill."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlcore.errors import ArtefactError, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to; it takes the place of `path` when the block ends well.

    The name is unique to the process, so that two workers never share a half-written file.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def sweep_partials(folder: Path) -> None:
    """Remove, in the folder and those within, what `replacing` left half-written at a kill.

    Only one machine may write there at a time: what another process of this machine writes
    now stays, what one of another machine writes goes. Nothing happens without the folder.
    """
    for partial in folder.rglob(".*.partial"):
        pid = partial.name.split(".")[-2]
        if pid.isdecimal() and not _is_another_alive(int(pid)):
            partial.unlink(missing_ok=True)


def _is_another_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # Processes of containers have the same few numbers: what bears ours is from before.
    return pid != os.getpid()


def write_json(path: Path, document: Any) -> None:
    """Write `document` as JSON in one step; NaN and infinities are refused (ValueError)."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False))


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object at `path`.

    Raises
    ------
    UnreadableError
        When the file is missing or cannot be read.
    ArtefactError
        When it is not JSON, or does not hold an object.
    """
    try:
        document = json.loads(path.read_text())
    except OSError as error:
        raise UnreadableError(f"{path} must be a JSON file, is not: {error}") from error
    except ValueError as error:
        raise ArtefactError(f"{path} must be a JSON file, is not: {error}") from error
    if not isinstance(document, dict):
        raise ArtefactError(f"{path} must hold a JSON object, holds {type(document).__name__}")
    return document
