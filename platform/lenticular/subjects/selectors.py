"""Reads of subjects and their images."""

from __future__ import annotations

from pathlib import Path

from django.core.files.storage import default_storage

from lenticular.common.errors import NotFoundError
from lenticular.subjects.models import IMAGE_SIZES, Subject, SubjectImage


def get_subject(*, subject_id: int) -> Subject:
    """Return one subject with its survey; raises NotFoundError where there is none."""
    found = Subject.objects.select_related("survey").filter(pk=subject_id).first()
    if found is None:
        raise NotFoundError(f"subject {subject_id} does not exist")
    return found


def image_path(image: SubjectImage, size: str = "page") -> Path:
    """Return where the image lies on this machine's disk at `size`."""
    return Path(default_storage.path(image.stored_name(size)))


def image_urls(subject: Subject) -> dict[str, str]:
    """Return size to address of the subject's first image; empty where it has none.

    Uses what `prefetch_related("images")` fetched.
    """
    images = list(subject.images.all())
    return {size: images[0].url(size) for size in IMAGE_SIZES} if images else {}


def rendering_urls(subject: Subject) -> list[dict[str, str]]:
    """Return name and addresses of each of the subject's renderings, in their order.

    Uses what `prefetch_related("images")` fetched.
    """
    return [
        {"name": image.rendering, "page": image.url("page"), "full": image.url("full")}
        for image in subject.images.all()
    ]
