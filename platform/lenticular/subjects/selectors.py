"""Reads of subjects and their images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from django.core.files.storage import default_storage

from lenticular.common.errors import NotFoundError
from lenticular.subjects.models import IMAGE_SIZES, Subject, SubjectImage

if TYPE_CHECKING:
    from collections.abc import Iterable


def get_subject(*, subject_id: int) -> Subject:
    """Return one subject with its survey; raises NotFoundError where there is none."""
    found = Subject.objects.select_related("survey").filter(pk=subject_id).first()
    if found is None:
        raise NotFoundError(f"subject {subject_id} does not exist")
    return found


def catalogue_id(survey: str, external_id: str) -> str:
    """Return the name of a subject in catalogues and predictions; `survey` is a slug."""
    return f"{survey}:{external_id}"


def subjects_by_catalogue_id(ids: Iterable[str]) -> dict[str, Subject]:
    """Return catalogue id (``survey:external id``) to subject, each with its images.

    Subjects that are gone are left out.
    """
    by_survey: dict[str, list[str]] = {}
    for each in ids:
        survey, external_id = each.split(":", 1)
        by_survey.setdefault(survey, []).append(external_id)
    return {
        catalogue_id(survey, subject.external_id): subject
        for survey, external_ids in by_survey.items()
        for subject in Subject.objects.filter(
            survey__slug=survey, external_id__in=external_ids
        ).prefetch_related("images")
    }


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
