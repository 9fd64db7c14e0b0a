"""Decoding images from people who are not trusted.

A decoder never sees more bytes than `max_bytes`, and no pixel is decoded before the size
in the header is known to be at most `max_pixels`.
"""

from __future__ import annotations

import errno
import stat
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from mlcore.errors import ImageError, ImagesAwayError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 64_000_000

# Each further decoder is further code that strangers can reach.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError)
# Of a name that no file can have. All else is the folder's fault, or the machine's.
_OF_THE_NAME = {errno.ENAMETOOLONG, errno.ELOOP}


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
    ImagesAwayError
        Where the file cannot be read for no fault of its own: its folder is away, too many
        files are open, the disk or the network fails, reading is not permitted.
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
    content = source if isinstance(source, bytes) else _read_file(source, max_bytes + 1)
    if len(content) > max_bytes:
        message = f"{name} must have at most {max_bytes} bytes, has more"
        raise ImageError(message, code="too-many-bytes")
    return content


def _read_file(path: Path, length: int) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise ImageError(f"{path} must be a file, is none", code="missing")
        with path.open("rb") as file:
            return file.read(length)
    except OSError as error:
        if error.errno in _OF_THE_NAME or (error.errno == errno.ENOENT and path.parent.is_dir()):
            raise ImageError(f"{path} must be a file, there is none", code="missing") from error
        raise ImagesAwayError(f"{path} cannot be read just now: {_why(error, path)}") from error
    except ValueError as error:
        raise ImageError(f"{path!r} must name a file: {error}", code="missing") from error


def _why(error: OSError, path: Path) -> str:
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        folder = path.parent
        return f"its folder {folder} is not there (if it is gone for good, put an empty one there)"
    return error.strerror or str(error)


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
        if "out of memory" in str(error):
            raise MemoryError(f"{name} could not be decoded: {error}") from error
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
