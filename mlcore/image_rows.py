"""The rows of an image cache on disk: small images one after the other, and a line for each.

A folder has two slots of such files. One is finished, or at least the fuller; the other is
being written, and takes from the first what it has already. Which one is finished is written
elsewhere, last and in one step, so that a kill costs at most the rows that it cut short.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from mlcore.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SLOTS = ("a", "b")
_SOURCE_BYTES = 16
_SOURCE = np.dtype(f"S{_SOURCE_BYTES}")

#: What an image came to: its pixels, or why there are none.
Outcome: TypeAlias = "NDArray[np.uint8] | ImageError"


def sources_of(paths: Sequence[Path | str], size: int, crop_fraction: float) -> NDArray[np.bytes_]:
    """Return what each row depends on, hashed: the file's path, the size and the crop.

    Returns
    -------
    ndarray
        dtype S16, shape (n,).
    """
    settings, hashes = f"{size} {crop_fraction}\n".encode(), bytearray()
    for path in paths:
        hashes += blake2b(settings + os.fsencode(path), digest_size=_SOURCE_BYTES).digest()
    return np.frombuffer(hashes, _SOURCE)


@dataclass(frozen=True)
class Slot:
    """One of the two pairs of files in `directory`; they may not exist."""

    directory: Path
    name: str

    @property
    def images(self) -> Path:
        """Raw pixels, a row per image that could be read."""
        return self.directory / f"images.{self.name}.u8"

    @property
    def lines(self) -> Path:
        """The request's key; then a line per image, in the request's order."""
        return self.directory / f"rows.{self.name}.jsonl"

    def key(self) -> str | None:
        """Return the key of the request that the rows are of; None where there are none."""
        if not (self.lines.is_file() and self.images.is_file()):
            return None
        with self.lines.open(errors="replace") as file:
            return file.readline().rstrip("\n")

    def length(self) -> int:
        """Return the bytes of the images."""
        return self.images.stat().st_size if self.key() is not None else 0

    def remove(self) -> None:
        """Remove the files. Who has them mapped keeps what is mapped."""
        self.lines.unlink(missing_ok=True)
        self.images.unlink(missing_ok=True)

    def entries(self) -> Iterator[Entry]:
        """Yield the whole lines after the first, up to one that is cut short or damaged."""
        with self.lines.open("rb") as file:
            end = len(file.readline())
            for line in file:
                end += len(line)
                try:
                    id_str, source, reason = json.loads(line)
                except ValueError:
                    return
                if not line.endswith(b"\n"):
                    return
                yield Entry(id_str, source, reason, end)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line: an image, its source in hexadecimal, why it has no row, and where the line ends."""

    id_str: str
    source: str
    reason: str | None
    end: int


class Journal:
    """Writes a slot; one of the same key that was left unfinished is gone on with.

    A line follows its row, so after a kill the two agree once the longer is cut.

    Attributes
    ----------
    done
        How many images of the request are in.
    unreadable
        Id to reason, of those that have no row.
    """

    def __init__(self, slot: Slot, key: str, row_bytes: int) -> None:
        self._slot, self._row_bytes = slot, row_bytes
        self.done = 0
        self.unreadable: dict[str, str] = {}
        if slot.key() == key:
            self._resume()
        else:
            slot.remove()
            slot.images.touch()
            slot.lines.write_text(f"{key}\n")

    def _resume(self) -> None:
        whole_rows = self._slot.images.stat().st_size // self._row_bytes
        rows, end = 0, len(self._slot.key() or "") + 1
        for entry in self._slot.entries():
            if entry.reason is not None:
                self.unreadable[entry.id_str] = entry.reason
            elif rows < whole_rows:
                rows += 1
            else:
                break
            self.done, end = self.done + 1, entry.end
        os.truncate(self._slot.lines, end)
        os.truncate(self._slot.images, rows * self._row_bytes)

    def append(
        self, ids: Sequence[str], sources: NDArray[np.bytes_], outcomes: Sequence[Outcome]
    ) -> None:
        """Write what the next images came to; nothing is known of them unless all is written."""
        lines = []
        with self._slot.images.open("ab") as images:
            for id_str, source, outcome in zip(ids, sources, outcomes, strict=True):
                reason = None
                if isinstance(outcome, ImageError):
                    reason = f"{outcome.code}: {outcome}"
                    self.unreadable[id_str] = reason
                else:
                    images.write(outcome.tobytes())
                lines.append(json.dumps([id_str, _hexadecimal(source), reason]) + "\n")
        with self._slot.lines.open("a") as file:
            file.writelines(lines)
        self.done += len(lines)


def _hexadecimal(source: bytes) -> str:
    # An array of bytes gives its elements without the zeros at their end.
    return source.ljust(_SOURCE_BYTES, b"\0").hex()


class KnownRows:
    """What an older slot has, found by source: 24 bytes of memory a row.

    Rows made with another size or crop have other sources, and are never found.
    """

    def __init__(self, slot: Slot, shape: tuple[int, int, int]) -> None:
        whole = slot.length() // int(np.prod(shape))
        found = bytearray()
        if whole:
            self._images = np.memmap(slot.images, np.uint8, "r", shape=(whole, *shape))
            for entry in slot.entries():
                if entry.reason is None:
                    found += bytes.fromhex(entry.source)
        sources = np.frombuffer(found, _SOURCE)[:whole]
        self._order = np.argsort(sources, kind="stable")
        self._sorted = sources[self._order]

    def find(self, sources: NDArray[np.bytes_]) -> list[NDArray[np.uint8] | None]:
        """Return the small image of each source (n,), or None for one that is not known."""
        if not len(self._sorted):
            return [None] * len(sources)
        places = np.searchsorted(self._sorted, sources).clip(max=len(self._sorted) - 1)
        is_known = self._sorted[places] == sources
        rows = self._order[places]
        return [
            self._images[row] if known else None for row, known in zip(rows, is_known, strict=True)
        ]
