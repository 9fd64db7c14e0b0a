"""Reads of releases and their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Prefetch, QuerySet

from lenticular.common.errors import NotFoundError
from lenticular.releases.errors import DamagedFileError
from lenticular.releases.models import Release, ReleaseFile
from lenticular.rounds.workspace import local_path

if TYPE_CHECKING:
    from pathlib import Path


def releases() -> QuerySet[Release]:
    """Return every release with its files, the latest first."""
    files = Prefetch("files", queryset=ReleaseFile.objects.order_by("name"))
    found = Release.objects.select_related("workflow", "version", "round", "made_by")
    return found.prefetch_related(files).order_by("-id")


def get_release(*, slug: str, number: int) -> Release:
    """Return one release; raises NotFoundError where there is none."""
    found = releases().filter(workflow__slug=slug, number=number).first()
    if found is None:
        raise NotFoundError(f"workflow {slug!r} has no release {number}")
    return found


def release_before(release: Release) -> Release | None:
    """Return the release of the same workflow that came before this one, if any."""
    earlier = Release.objects.filter(workflow=release.workflow_id, number__lt=release.number)
    return earlier.select_related("version", "round").order_by("-number").first()


def get_file(*, slug: str, number: int, name: str) -> ReleaseFile:
    """Return one file's record; raises NotFoundError where the release has no such file."""
    files = ReleaseFile.objects.select_related("release__workflow").filter(
        release__workflow__slug=slug, release__number=number, name=name
    )
    found = files.first()
    if found is None:
        raise NotFoundError(f"release {number} of {slug!r} has no file {name!r}")
    return found


def stored_file(file: ReleaseFile) -> Path:
    """Return where the file lies.

    Raises
    ------
    DamagedFileError
        Where it is gone or has another size than when it was released.
    """
    path = local_path(f"{file.release.artefacts}/{file.name}")
    size = path.stat().st_size if path.is_file() else None
    if size != file.bytes:
        found = "is gone" if size is None else f"has {size}"
        raise DamagedFileError(f"{file.name} must have {file.bytes} bytes, {found}")
    return path
