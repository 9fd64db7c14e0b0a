"""Images from outside: decoded in bounded memory, re-encoded to the sizes that pages need."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from lenticular.subjects.models import IMAGE_SIZES, content_hash, stored_image_name
from mlcore.decoding import decode_image
from mlcore.errors import ImageError

if TYPE_CHECKING:
    from pathlib import Path

JPEG_QUALITY = 92


@dataclass(frozen=True)
class Picture:
    """One image, re-encoded.

    Attributes
    ----------
    sha256
        Of the original's bytes.
    width, height
        Of the original, in pixels.
    renderings
        Size (a key of `IMAGE_SIZES`) to JPEG.
    """

    sha256: str
    width: int
    height: int
    renderings: dict[str, bytes]


def read_picture(source: Path | bytes) -> Picture:
    """Decode and re-encode an image; nothing of the original's bytes is kept.

    Raises
    ------
    mlcore.errors.ImageError
        For a missing, oversized, truncated or undecodable image.
    """
    limit = settings.LENTICULAR_MAX_IMAGE_BYTES
    content = source if isinstance(source, bytes) else _read(source, limit)
    image = decode_image(content, max_bytes=limit, max_pixels=settings.LENTICULAR_MAX_IMAGE_PIXELS)
    renderings = {size: _encode(image, side) for size, side in IMAGE_SIZES.items()}
    return Picture(content_hash(content), image.width, image.height, renderings)


def _read(path: Path, limit: int) -> bytes:
    """Read one byte over the limit at most: enough for the decoder to refuse the file."""
    if not path.is_file():  # a pipe would be waited for
        raise ImageError(f"{path.name} must be a file, there is none", code="missing")
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        message = f"{path.name} must be a readable file: {error.strerror}"
        raise ImageError(message, code="missing") from error


def _encode(image: Image.Image, longest_side: int) -> bytes:
    scale = longest_side / max(image.size)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    content = BytesIO()
    image.save(content, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return content.getvalue()


def keep_picture(picture: Picture) -> None:
    """Write the renderings that the storage does not hold yet, whole."""
    for size, content in picture.renderings.items():
        _keep(stored_image_name(picture.sha256, size), content)


def _keep(name: str, content: bytes) -> None:
    """Write `content` unless it is there; what a kill cut short is written again."""
    if default_storage.exists(name):
        if default_storage.size(name) == len(content):
            return
        default_storage.delete(name)
    stored = default_storage.save(name, ContentFile(content))
    if stored != name:  # another import wrote the same image meanwhile
        default_storage.delete(stored)
