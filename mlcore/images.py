"""Images from people who are not trusted, and a memory-mapped cache of small ones.

A decoder never sees more bytes than `max_bytes`, and no pixel is decoded before the size
in the header is known to be at most `max_pixels`.
"""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from mlcore.errors import ArtefactError, ImageError, InvalidInputError
from mlcore.files import read_json, write_json
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 64_000_000

# Each further decoder is further code that strangers can reach.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError)
_STAGE = "images"
_CHUNK = 64


def decode_image(
    source: Path | bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Decode a JPEG, PNG, WebP or GIF (its first frame) in bounded memory.

    Parameters
    ----------
    source
        A file's path, or its content.
    max_bytes, max_pixels
        What is refused unread and undecoded. Pillow's own limit, about 179 million
        pixels, holds whatever `max_pixels` says.

    Returns
    -------
    PIL.Image.Image
        Mode RGB. Transparent pixels become black, as the sky is; 16-bit grey is scaled to
        8 bits.

    Raises
    ------
    ImageError
        With code ``missing``, ``not-an-image`` (empty content too), ``truncated``,
        ``too-many-bytes`` or ``too-many-pixels``.
    """
    name = "the image" if isinstance(source, bytes) else str(source)
    content = _read(source, name, max_bytes)
    try:
        image = Image.open(BytesIO(content), formats=_FORMATS)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageError(f"{name} must be smaller: {error}", code="too-many-pixels") from error
    except (UnidentifiedImageError, *_UNREADABLE) as error:
        message = f"{name} must be a JPEG, PNG, WebP or GIF image, is not"
        raise ImageError(message, code="not-an-image") from error
    with image:
        _check_pixels(image, name, max_pixels)
        return _to_rgb(_load(image, name))


def _read(source: Path | bytes, name: str, max_bytes: int) -> bytes:
    if isinstance(source, bytes):
        content = source
    elif not source.is_file():
        raise ImageError(f"{name} must be a file, there is none", code="missing")
    else:
        try:
            with source.open("rb") as file:
                content = file.read(max_bytes + 1)
        except OSError as error:
            raise ImageError(f"{name} must be readable: {error}", code="missing") from error
    if len(content) > max_bytes:
        size = len(content) if isinstance(source, bytes) else source.stat().st_size
        message = f"{name} must have at most {max_bytes} bytes, has {size}"
        raise ImageError(message, code="too-many-bytes")
    return content


def _check_pixels(image: Image.Image, name: str, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise ImageError(
            f"{name} must have at most {max_pixels} pixels, has {image.width} x {image.height}",
            code="too-many-pixels",
        )


def _load(image: Image.Image, name: str) -> Image.Image:
    # A process-wide switch that other libraries turn on: grey bands would pass as sky.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        image.load()
    except (*_UNREADABLE, Image.DecompressionBombError) as error:
        message = f"{name} must be a whole image, is cut short or damaged: {error}"
        raise ImageError(message, code="truncated") from error
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        sky = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        return Image.alpha_composite(sky, rgba).convert("RGB")
    return image.convert("RGB")


def shrink_centre(image: Image.Image, *, size: int, crop_fraction: float) -> NDArray[np.uint8]:
    """Cut the central square and resize it (Lanczos, which averages over what it shrinks).

    Parameters
    ----------
    image
        Mode RGB, any size and shape.
    size
        Side of the result, in pixels.
    crop_fraction
        Side of the square over the image's shorter side, in (0, 1].

    Returns
    -------
    ndarray
        uint8, shape (size, size, 3).
    """
    side = max(min(image.size) * crop_fraction, 1.0)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    small = image.resize(
        (size, size),
        Image.Resampling.LANCZOS,
        box=(left, top, left + side, top + side),
        reducing_gap=3.0,
    )
    return np.asarray(small, dtype=np.uint8)


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

    def rows(self, ids: Sequence[str]) -> NDArray[np.intp]:
        """Return the rows of `ids`; raises InvalidInputError for one that is not cached."""
        absent = [id_str for id_str in ids if id_str not in self._row_of]
        if absent:
            raise InvalidInputError(f"ids must be in the image cache, {absent[0]!r} is not")
        return np.array([self._row_of[id_str] for id_str in ids], dtype=np.intp)

    @classmethod
    def build(
        cls,
        paths: Sequence[Path],
        ids: Sequence[str],
        directory: Path,
        *,
        size: int,
        crop_fraction: float = 1.0,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
        skip_unreadable: bool = False,
    ) -> ImageCache:
        """Decode each image once, into `directory`; a killed build goes on where it was.

        Parameters
        ----------
        paths, ids
            One of each per image; ids are unique. Files are taken not to change: a
            finished cache of the same paths, ids, size and crop is opened as it is.
        directory
            Holds ``images.u8`` and ``cache.json``, the second written last.
        size, crop_fraction
            See `shrink_centre`.
        skip_unreadable
            Leave unreadable images out, and name them in `unreadable`; without it the
            first such image raises.

        Raises
        ------
        InvalidInputError
            For lengths that differ, a repeated id, or a bad size or crop.
        ImageError
            See `skip_unreadable`; what was decoded before it stays.
        CancelledError
            After `should_stop` said so; what was decoded stays.
        """
        _check_request(paths, ids, size, crop_fraction)
        directory.mkdir(parents=True, exist_ok=True)
        key = _request_key(paths, ids, size, crop_fraction)
        finished = _finished_key(directory) == key
        if not finished:
            (directory / "cache.json").unlink(missing_ok=True)
            journal = _Journal(directory, key, size)
            pending = zip(paths[journal.done :], ids[journal.done :], strict=True)
            decode = _decoder(size, crop_fraction)
            for chunk in _chunks(pending, _CHUNK):
                stop_if_asked(should_stop, _STAGE)
                journal.append(decode(chunk), skip_unreadable=skip_unreadable)
                message = f"{journal.done} of {len(ids)} images decoded"
                report(on_progress, _STAGE, journal.done / len(ids), message)
            journal.finish(crop_fraction)
        return cls.open(directory)

    @classmethod
    def open(cls, directory: Path) -> ImageCache:
        """Map a finished cache; raises ArtefactError where there is none, or a damaged one."""
        header = read_json(directory / "cache.json")
        try:
            ids, size = tuple(header["ids"]), int(header["size"])
            crop_fraction = float(header["crop_fraction"])
            shape = (len(ids), size, size, 3)
            path = directory / "images.u8"
            _check_length(path, int(np.prod(shape)))
            images = np.memmap(path, np.uint8, "r", shape=shape) if ids else np.empty(shape, "u1")
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise ArtefactError(
                f"{directory} must be an image cache, is damaged: {error}"
            ) from error
        return cls(images, ids, size, crop_fraction, header.get("unreadable", {}))


def _check_length(path: Path, expected: int) -> None:
    length = path.stat().st_size
    if length != expected:
        raise ArtefactError(f"{path} must have {expected} bytes, has {length}")


def _check_request(
    paths: Sequence[Path], ids: Sequence[str], size: int, crop_fraction: float
) -> None:
    if len(paths) != len(ids):
        raise InvalidInputError(f"paths must be as many as ids ({len(ids)}), are {len(paths)}")
    if len(set(ids)) != len(ids):
        raise InvalidInputError(f"ids must be unique, {len(ids) - len(set(ids))} are repeated")
    if size < 8:
        raise InvalidInputError(f"size must be at least 8, is {size}")
    if not 0 < crop_fraction <= 1:
        raise InvalidInputError(f"crop_fraction must be in (0, 1], is {crop_fraction}")


def _request_key(paths: Sequence[Path], ids: Sequence[str], size: int, crop_fraction: float) -> str:
    digest = hashlib.sha256(f"{size} {crop_fraction}\n".encode())
    for path, id_str in zip(paths, ids, strict=True):
        digest.update(json.dumps([str(path), id_str]).encode())
    return digest.hexdigest()


def _finished_key(directory: Path) -> str | None:
    try:
        ImageCache.open(directory)
        return str(read_json(directory / "cache.json").get("key"))
    except ArtefactError:
        return None


def _chunks(pairs: Iterator[tuple[Path, str]], length: int) -> Iterator[list[tuple[Path, str]]]:
    chunk: list[tuple[Path, str]] = []
    for pair in pairs:
        chunk.append(pair)
        if len(chunk) == length:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


_Decoded: TypeAlias = "tuple[str, NDArray[np.uint8] | ImageError]"


def _decoder(size: int, crop_fraction: float) -> Callable[[list[tuple[Path, str]]], list[_Decoded]]:
    def decode(pair: tuple[Path, str]) -> _Decoded:
        path, id_str = pair
        try:
            return id_str, shrink_centre(decode_image(path), size=size, crop_fraction=crop_fraction)
        except ImageError as error:
            return id_str, error

    def decode_all(chunk: list[tuple[Path, str]]) -> list[_Decoded]:
        # Pillow decodes and resizes outside the interpreter's lock.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(decode, chunk))

    return decode_all


class _Journal:
    """The unfinished cache: raw rows beside a list of what each image came to.

    A line follows its row, so after a kill the two agree once the longer is cut.
    """

    def __init__(self, directory: Path, key: str, size: int) -> None:
        self._directory, self._key, self._size = directory, key, size
        self._rows = directory / "images.u8.partial"
        self._lines = directory / "rows.partial.jsonl"
        self._ids: list[str] = []
        self._unreadable: dict[str, str] = {}
        self._resume()

    @property
    def done(self) -> int:
        return len(self._ids) + len(self._unreadable)

    @property
    def _row_bytes(self) -> int:
        return self._size * self._size * 3

    def _resume(self) -> None:
        lines = self._lines.read_text().split("\n")[:-1] if self._lines.is_file() else []
        if not lines or lines[0] != self._key or not self._rows.is_file():
            lines = [self._key]
            self._rows.write_bytes(b"")
        whole_rows = self._rows.stat().st_size // self._row_bytes
        for line in lines[1:]:
            id_str, reason = json.loads(line)
            if reason is None and len(self._ids) == whole_rows:
                break
            self._note(id_str, reason)
        self._lines.write_text("".join(f"{line}\n" for line in lines[: 1 + self.done]))
        os.truncate(self._rows, len(self._ids) * self._row_bytes)

    def _note(self, id_str: str, reason: str | None) -> None:
        if reason is None:
            self._ids.append(id_str)
        else:
            self._unreadable[id_str] = reason

    def append(self, decoded: list[_Decoded], *, skip_unreadable: bool) -> None:
        with self._rows.open("ab") as rows, self._lines.open("a") as lines:
            for id_str, image in decoded:
                reason = f"{image.code}: {image}" if isinstance(image, ImageError) else None
                if not isinstance(image, ImageError):
                    rows.write(image.tobytes())
                    rows.flush()
                elif not skip_unreadable:
                    raise image
                lines.write(json.dumps([id_str, reason]) + "\n")
                self._note(id_str, reason)

    def finish(self, crop_fraction: float) -> None:
        self._rows.replace(self._directory / "images.u8")
        header = {
            "key": self._key,
            "size": self._size,
            "crop_fraction": crop_fraction,
            "ids": self._ids,
            "unreadable": self._unreadable,
        }
        write_json(self._directory / "cache.json", header)
        self._lines.unlink()
