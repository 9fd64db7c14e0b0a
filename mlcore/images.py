"""A memory-mapped cache of a survey's images, decoded once and kept while the survey grows."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlcore.decoding import decode_image, shrink_centre
from mlcore.errors import (
    ArtefactError,
    ImageError,
    ImagesAwayError,
    InvalidInputError,
    UnreadableError,
)
from mlcore.files import read_json, write_json
from mlcore.image_rows import SLOTS, Journal, KnownRows, Slot, sources_of
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mlcore.image_rows import Outcome

_STAGE = "images"
_CHUNK = 64
_NAMED = 5
_HEADER = "cache.json"
_OF_OLDER_VERSIONS = ("images.u8", "images.u8.partial", "rows.partial.jsonl")


@dataclass(frozen=True)
class ImageCache:
    """Every image of a survey at training size, memory-mapped.

    Attributes
    ----------
    images
        uint8, shape (n, size, size, 3), read-only.
    ids
        Row to id, each once.
    size
        Side in pixels.
    crop_fraction
        What `shrink_centre` was given.
    unreadable
        Id to reason, of the images that have no row.
    """

    images: NDArray[np.uint8]
    ids: tuple[str, ...]
    size: int
    crop_fraction: float
    unreadable: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {id_str: row for row, id_str in enumerate(self.ids)}

    def __contains__(self, id_str: str) -> bool:
        return id_str in self._row_of

    def rows(self, ids: Sequence[str]) -> NDArray[np.intp]:
        """Return the rows of `ids`; raises InvalidInputError for one that is not cached."""
        absent = [id_str for id_str in ids if id_str not in self]
        if absent:
            raise InvalidInputError(f"ids must be in the image cache, {absent[0]!r} is not")
        return np.array([self._row_of[id_str] for id_str in ids], dtype=np.intp)

    @classmethod
    def build(
        cls,
        paths: Sequence[Path | str],
        ids: Sequence[str],
        directory: Path,
        *,
        size: int,
        crop_fraction: float = 1.0,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
        skip_unreadable: bool = False,
        retry_unreadable: bool = True,
    ) -> ImageCache:
        """Decode each image once, into `directory`; a killed build goes on where it was.

        Parameters
        ----------
        paths, ids
            One of each per image; ids are unique. Of many, strings take less memory. Rows are
            in the order of `ids`. Files are taken not to change: what an earlier cache in
            `directory` has of the same path, size and crop is taken from there, and a
            finished one of the same request is opened as it is.
        directory
            Holds two slots of rows (`mlcore.image_rows`), and ``cache.json``, which names
            the finished one.
        size, crop_fraction
            See `shrink_centre`.
        skip_unreadable
            Leave unreadable images out, and name them in `unreadable`; without it the
            first such image raises.
        retry_unreadable
            Try again what an earlier build could not read; or else leave it out once more.

        Raises
        ------
        InvalidInputError
            For lengths that differ, a repeated id, or a bad size or crop.
        ImageError
            See `skip_unreadable`; what was decoded before it stays.
        ImagesAwayError
            Where an image cannot be read for no fault of its own (`decode_image`), or more
            than half of them cannot be read at all. What was decoded stays, and nothing is
            kept of what failed.
        UnreadableError
            Where the cache is there but cannot be read just now.
        CancelledError
            After `should_stop` said so; what was decoded stays.
        """
        _check_request(paths, ids, size, crop_fraction)
        directory.mkdir(parents=True, exist_ok=True)
        request = _Request(paths, ids, size, crop_fraction, skip_unreadable)
        work = _Work(request, directory, on_progress, should_stop)
        cache = work.finished()
        untried = cache.unreadable if cache else work.make()
        cache = cache or work.made()
        if untried and (retry_unreadable or not skip_unreadable):
            reasons = work.still_unreadable(untried)
            if len(reasons) < len(untried):
                work.make()
                cache = work.made()
            else:
                cache = replace(cache, unreadable={**cache.unreadable, **reasons})
        _check_share(cache)
        return cache

    @classmethod
    def open(cls, directory: Path) -> ImageCache:
        """Map a finished cache.

        Raises
        ------
        ArtefactError
            Where there is none, or a damaged one.
        UnreadableError
            Where it cannot be read just now.
        """
        header = read_json(directory / _HEADER)
        slot = Slot(directory, str(header.get("slot")))
        try:
            ids = tuple(each.id_str for each in slot.entries() if each.reason is None)
        except FileNotFoundError as error:
            raise _damaged(directory, error) from error
        return _mapped(directory, header, ids)


def _mapped(directory: Path, header: Mapping[str, Any], ids: tuple[str, ...]) -> ImageCache:
    try:
        size, crop_fraction = int(header["size"]), float(header["crop_fraction"])
        path = Slot(directory, header["slot"]).images
        shape = (len(ids), size, size, 3)
        _check_length(path, int(np.prod(shape)))
        images = np.memmap(path, np.uint8, "r", shape=shape) if ids else np.empty(shape, "u1")
        return ImageCache(images, ids, size, crop_fraction, dict(header["unreadable"]))
    except (KeyError, TypeError, ValueError, FileNotFoundError) as error:
        raise _damaged(directory, error) from error
    except OSError as error:
        raise UnreadableError(f"{directory} must be readable, is not: {error}") from error


def _damaged(directory: Path, error: Exception) -> ArtefactError:
    return ArtefactError(f"{directory} must be an image cache, is damaged: {error}")


def _check_length(path: Path, expected: int) -> None:
    length = path.stat().st_size
    if length != expected:
        raise ArtefactError(f"{path} must have {expected} bytes, has {length}")


def _check_request(
    paths: Sequence[Path | str], ids: Sequence[str], size: int, crop_fraction: float
) -> None:
    if len(paths) != len(ids):
        raise InvalidInputError(f"paths must be as many as ids ({len(ids)}), are {len(paths)}")
    if len(set(ids)) != len(ids):
        raise InvalidInputError(f"ids must be unique, {len(ids) - len(set(ids))} are repeated")
    if size < 8:
        raise InvalidInputError(f"size must be at least 8, is {size}")
    if not 0 < crop_fraction <= 1:
        raise InvalidInputError(f"crop_fraction must be in (0, 1], is {crop_fraction}")


def _check_share(cache: ImageCache) -> None:
    total, unreadable = len(cache) + len(cache.unreadable), cache.unreadable
    if 2 * len(unreadable) > total:
        raise ImagesAwayError(
            f"at least half of {total} images must be readable, {len(unreadable)} are not: "
            f"{told(unreadable)}; once they are back in their place, go on"
        )


def told(unreadable: Mapping[str, str]) -> str:
    """Return why images could not be read, and a few of them by name; nothing for none."""
    found = summary(unreadable)
    counts = ", ".join(f"{number} {code}" for code, number in found["reasons"].items())
    named = ", ".join(f"{id_str} ({reason})" for id_str, reason in found["named"].items())
    return f"{counts}; such as {named}" if unreadable else ""


def summary(unreadable: Mapping[str, str]) -> dict[str, Any]:
    """Return ``reasons``, code of `ImageError` to number, and ``named``: a few ids with theirs."""
    codes = Counter(reason.split(":")[0] for reason in unreadable.values())
    return {"reasons": dict(codes.most_common()), "named": dict(islice(unreadable.items(), _NAMED))}


@dataclass(frozen=True)
class _Request:
    """What a cache is to hold."""

    paths: Sequence[Path | str]
    ids: Sequence[str]
    size: int
    crop_fraction: float
    skip_unreadable: bool

    @cached_property
    def sources(self) -> NDArray[np.bytes_]:
        return sources_of(self.paths, self.size, self.crop_fraction)

    @cached_property
    def key(self) -> str:
        digest = hashlib.sha256(self.sources.tobytes())
        for id_str in self.ids:
            digest.update(json.dumps(id_str).encode())
        return digest.hexdigest()

    def outcome(self, path: Path | str) -> Outcome:
        """Decode one image."""
        try:
            image = decode_image(Path(path))
        except ImageError as error:
            return error
        return shrink_centre(image, size=self.size, crop_fraction=self.crop_fraction)

    def outcomes(self, paths: Sequence[Path | str]) -> list[Outcome]:
        """Decode some images at once: Pillow does so outside the interpreter's lock."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(self.outcome, paths))


@dataclass(frozen=True)
class _Work:
    """The making of a cache in its folder."""

    request: _Request
    directory: Path
    on_progress: OnProgress | None
    should_stop: ShouldStop | None

    def finished(self) -> ImageCache | None:
        """Return the finished cache of this request; None where there is none, or no whole one.

        Raises UnreadableError where it may be whole, but cannot be read just now.
        """
        try:
            return self.made() if self._header().get("key") == self.request.key else None
        except UnreadableError:
            raise
        except ArtefactError:
            return None

    def made(self) -> ImageCache:
        """Map the finished cache, whose request this is; its ids are the request's own."""
        header = self._header()
        unreadable = header.get("unreadable", {})
        ids = tuple(id_str for id_str in self.request.ids if id_str not in unreadable)
        return _mapped(self.directory, header, ids)

    def _header(self) -> dict[str, Any]:
        path = self.directory / _HEADER
        return read_json(path) if path.exists() else {}

    def make(self) -> dict[str, str]:
        """Make the cache; return what an earlier process had found unreadable, with reasons."""
        request, shape = self.request, (self.request.size, self.request.size, 3)
        slot, other = self._slots()
        journal = Journal(slot, request.key, int(np.prod(shape)))
        untried, known = dict(journal.unreadable), KnownRows(other, shape)
        for start in range(journal.done, len(request.ids), _CHUNK):
            stop_if_asked(self.should_stop, _STAGE)
            self._add(journal, known, slice(start, start + _CHUNK))
            message = f"{journal.done} of {len(request.ids)} images ready"
            report(self.on_progress, _STAGE, journal.done / len(request.ids), message)
        self._finish(slot, other, journal.unreadable)
        return untried

    def _slots(self) -> tuple[Slot, Slot]:
        """Return the slot to write, and the one to take known rows from.

        To go on with a slot of this request comes first, then to keep the fuller one.
        """
        try:
            finished = self._header().get("slot")
        except UnreadableError:
            raise
        except ArtefactError:
            finished = None

        def worth(slot: Slot) -> tuple[bool, int, bool]:
            is_ours = slot.name != finished and slot.key() == self.request.key
            return not is_ours, slot.length(), slot.name == finished

        slot, other = sorted((Slot(self.directory, name) for name in SLOTS), key=worth)
        if slot.name == finished:
            (self.directory / _HEADER).unlink()
        return slot, other

    def _add(self, journal: Journal, known: KnownRows, part: slice) -> None:
        request = self.request
        ids, sources, paths = request.ids[part], request.sources[part], request.paths[part]
        found = known.find(sources)
        new = [path for path, row in zip(paths, found, strict=True) if row is None]
        decoded = iter(request.outcomes(new) if new else ())
        outcomes = [next(decoded) if row is None else row for row in found]
        for place, outcome in enumerate(outcomes):
            if isinstance(outcome, ImageError) and not request.skip_unreadable:
                journal.append(ids[:place], sources[:place], outcomes[:place])
                raise outcome
        journal.append(ids, sources, outcomes)

    def _finish(self, slot: Slot, other: Slot, unreadable: dict[str, str]) -> None:
        header = {
            "key": self.request.key,
            "slot": slot.name,
            "size": self.request.size,
            "crop_fraction": self.request.crop_fraction,
            "unreadable": unreadable,
        }
        write_json(self.directory / _HEADER, header)
        other.remove()
        for name in _OF_OLDER_VERSIONS:
            (self.directory / name).unlink(missing_ok=True)

    def still_unreadable(self, untried: Mapping[str, str]) -> dict[str, str]:
        """Try them again, up to the first chunk of which one can be read; return those bad."""
        pairs = zip(self.request.paths, self.request.ids, strict=True)
        again = [(path, id_str) for path, id_str in pairs if id_str in untried]
        reasons: dict[str, str] = {}
        for start in range(0, len(again), _CHUNK):
            stop_if_asked(self.should_stop, _STAGE)
            paths, ids = zip(*again[start : start + _CHUNK], strict=True)
            for id_str, outcome in zip(ids, self.request.outcomes(paths), strict=True):
                if not isinstance(outcome, ImageError):
                    return reasons
                if not self.request.skip_unreadable:
                    raise outcome
                reasons[id_str] = f"{outcome.code}: {outcome}"
        return reasons
