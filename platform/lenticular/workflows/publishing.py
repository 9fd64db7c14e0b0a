"""Writes of field guides and tutorials."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.contrib.staticfiles import finders
from django.db import transaction

from lenticular.common.errors import InvalidInputError
from lenticular.subjects.pictures import keep_picture, read_picture
from lenticular.workflows.models import Guide, Tutorial, Workflow
from lenticular.workflows.selectors import current_version
from lenticular.workflows.teaching import (
    DRAWN,
    STORED,
    check_guide,
    read_guide,
    read_tutorial,
    with_images,
)
from lenticular.workflows.teaching_selectors import drawn_file
from mlcore.errors import ImageError

if TYPE_CHECKING:
    from pathlib import Path


@transaction.atomic
def publish_guide(*, workflow: Workflow, document: Any, folder: Path) -> Guide:
    """Make `document` the workflow's field guide; the one before is kept, not shown.

    Parameters
    ----------
    document
        As `read_guide` reads it.
    folder
        Where its images lie; none is read from outside it.

    Raises
    ------
    InvalidInputError
        For a malformed document, an answer that the tree lacks, or an image that is
        missing, too large or not an image. The message names the key.
    NotFoundError
        Where the workflow has no version.
    """
    check_guide(read_guide(document), current_version(workflow).tree)
    return Guide.objects.create(
        workflow=_locked(workflow),
        number=Guide.objects.filter(workflow=workflow).count() + 1,
        document=_with_stored_images(document, folder),
    )


@transaction.atomic
def publish_tutorial(*, workflow: Workflow, document: Any, folder: Path) -> Tutorial:
    """Make `document` the workflow's tutorial; see `publish_guide` and `read_tutorial`."""
    read_tutorial(document)
    return Tutorial.objects.create(
        workflow=_locked(workflow),
        number=Tutorial.objects.filter(workflow=workflow).count() + 1,
        document=_with_stored_images(document, folder),
    )


def _locked(workflow: Workflow) -> Workflow:
    """Take turns at numbering."""
    return Workflow.objects.select_for_update(no_key=True).get(pk=workflow.pk)


def _with_stored_images(document: Any, folder: Path) -> Any:
    return with_images(document, lambda name, where: _store(name, where, folder))


def _store(name: str, where: str, folder: Path) -> str:
    """Keep one image by its content's hash, and return its reference."""
    if name.startswith(DRAWN):
        return _known(name, where)
    if name.startswith(STORED):
        raise InvalidInputError(f"{where} must be a file or {DRAWN}NAME, is {name!r}")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InvalidInputError(f"{where} must lie in the guide's own folder, is {name!r}")
    try:
        picture = read_picture(path)
    except ImageError as error:
        raise InvalidInputError(f"{where}: {error}") from error
    keep_picture(picture)
    return f"{STORED}{picture.sha256}"


def _known(name: str, where: str) -> str:
    is_plain = re.fullmatch(r"[a-z0-9-]+", name.removeprefix(DRAWN))
    if not is_plain or finders.find(drawn_file(name)) is None:
        raise InvalidInputError(f"{where} must name one of our drawings, is {name!r}")
    return name
