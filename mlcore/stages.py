"""Stages of a round: each has a folder, and is finished or has not happened.

A stage marks itself finished by writing ``stage.json`` last, in one step. The mark holds
the checksums of what the stage read and of every file it wrote, so that a resumed round
skips what is done, does again what was made from something else, and never goes on from
a file that has changed since. Only `StageFolder.verified`, which who makes the stage calls,
removes what is damaged; whoever reads a finished stage leaves it as it is.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mlcore.errors import ArtefactError, UnreadableError
from mlcore.files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MARK = "stage.json"
_BEGUN = "begun.json"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class StageRecord:
    """What a finished stage read, wrote and found out.

    Attributes
    ----------
    name
        The stage.
    inputs
        Name of each thing it read, to the thing's checksum.
    outputs
        Path of each file it wrote, within its folder, to the file's SHA-256.
    result
        What it found out, as JSON values.
    """

    name: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    result: dict[str, Any]

    @property
    def checksum(self) -> str:
        """SHA-256 of the outputs and the result: what later stages name as their input."""
        return json_checksum({"outputs": self.outputs, "result": self.result})


def json_checksum(document: Any) -> str:
    """Return the SHA-256 of a JSON value in its canonical form, in hexadecimal."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file, read in chunks; raises UnreadableError where there is none."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise UnreadableError(f"{path.name} must be readable, is not: {error}") from error
    return digest.hexdigest()


@dataclass(frozen=True)
class StageFolder:
    """The folder of one stage.

    Attributes
    ----------
    path
        May not exist yet.
    """

    path: Path

    @property
    def name(self) -> str:
        """The stage's name, which its folder bears."""
        return self.path.name

    def record(self) -> StageRecord | None:
        """Return what the finished stage recorded, or None where it is not finished.

        Raises
        ------
        UnreadableError
            Where the mark is there but cannot be read.
        ArtefactError
            Where it is damaged.
        """
        if not (self.path / MARK).is_file():
            return None
        try:
            return StageRecord(**read_json(self.path / MARK))
        except UnreadableError:
            raise
        except (ArtefactError, TypeError) as error:
            raise ArtefactError(f"{self.name}/{MARK} is damaged: {error}") from error

    def verified(self) -> StageRecord | None:
        """Return the record once every file has the checksum that it had when written.

        Raises
        ------
        UnreadableError
            For a file that cannot be read; nothing is removed.
        ArtefactError
            For a file that is missing or has changed, and for a damaged mark; it is removed
            and so is the mark, so that a resumed round makes the file again.
        """
        try:
            record = self.record()
        except UnreadableError:
            raise
        except ArtefactError:
            self.unmark()
            raise
        if record is not None:
            for name, checksum in record.outputs.items():
                self._verify(name, checksum)
        return record

    def _verify(self, name: str, checksum: str) -> None:
        path = self.path / name
        found = file_checksum(path) if path.is_file() else "missing"
        if found != checksum:
            self.unmark()
            path.unlink(missing_ok=True)
            raise ArtefactError(
                f"{self.name}/{name} must have checksum {checksum[:12]}, is {found[:12]}; "
                f"resume the round to make {self.name} again"
            )

    def begin(self, inputs: Mapping[str, str]) -> None:
        """Make the folder ready; what was made from other inputs, or unknown ones, is removed."""
        begun, said = self.path / _BEGUN, json.dumps(dict(inputs), sort_keys=True)
        if self.path.is_dir() and not (begun.is_file() and begun.read_text() == said):
            # First, so that what a kill leaves of the rest is of unknown inputs.
            self.unmark()
            begun.unlink(missing_ok=True)
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True, exist_ok=True)
        begun.write_text(said)

    def finish(self, inputs: Mapping[str, str], result: Mapping[str, Any]) -> StageRecord:
        """Mark the stage finished and return its record; dot files are no outputs."""
        files = sorted(path for path in self.path.rglob("*") if path.is_file())
        outputs = {
            path.relative_to(self.path).as_posix(): file_checksum(path)
            for path in files
            if path.name != MARK and not path.name.startswith(".")
        }
        record = StageRecord(self.name, dict(inputs), outputs, dict(result))
        write_json(self.path / MARK, asdict(record))
        return record

    def unmark(self) -> None:
        """Forget that the stage was finished; its files stay."""
        (self.path / MARK).unlink(missing_ok=True)
