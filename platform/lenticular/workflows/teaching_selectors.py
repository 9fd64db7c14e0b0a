"""Reads of field guides and tutorials: the workflow's own, else ours for the trees we ship."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.templatetags.static import static

from lenticular.subjects.models import stored_image_name
from lenticular.workflows.models import Guide, Tutorial, Workflow
from lenticular.workflows.selectors import current_version
from lenticular.workflows.teaching import (
    DRAWN,
    STORED,
    FieldGuide,
    TutorialStep,
    read_guide,
    read_step,
    read_tutorial,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER = settings.ROOT / "fixtures" / "guide"
_ANY_TREE = "*"


def guide_of(workflow: Workflow) -> FieldGuide:
    """Return the workflow's field guide; one without entries where it has none.

    Raises
    ------
    NotFoundError
        Where the workflow has no version.
    """
    own = Guide.objects.filter(workflow=workflow).order_by("-number").first()
    if own is not None:
        return read_guide(own.document)
    slug = current_version(workflow).tree.slug
    return shipped_guide() if slug in shipped_tutorials() else FieldGuide({})


def tutorial_of(workflow: Workflow) -> tuple[TutorialStep, ...]:
    """Return the steps of the workflow's tutorial; our general ones for a tree of its own.

    Raises
    ------
    NotFoundError
        Where the workflow has no version.
    """
    own = Tutorial.objects.filter(workflow=workflow).order_by("-number").first()
    if own is not None:
        return read_tutorial(own.document)
    shipped = shipped_tutorials()
    return shipped.get(current_version(workflow).tree.slug, shipped[_ANY_TREE])


@lru_cache(maxsize=1)
def shipped_guide() -> FieldGuide:
    """Return our own guide: each answer of the four trees of Galaxy Zoo and ours."""
    return read_guide(_document("guide.json"))


@lru_cache(maxsize=1)
def shipped_tutorials() -> Mapping[str, tuple[TutorialStep, ...]]:
    """Return our own tutorials by the tree's slug; ``*`` is for every other tree."""
    document = _document("tutorials.json")
    steps = {name: read_step(step, f"steps.{name}") for name, step in document["steps"].items()}
    return {slug: tuple(steps[name] for name in names) for slug, names in document["trees"].items()}


def _document(name: str) -> Any:
    return json.loads((_FOLDER / name).read_text(encoding="utf-8"))


def image_address(reference: str) -> str:
    """Return the address of a stored or drawn image."""
    if reference.startswith(STORED):
        name = stored_image_name(reference.removeprefix(STORED), "page")
        return str(default_storage.url(name))
    return static(drawn_file(reference))


def drawn_file(reference: str) -> str:
    """Return the static file of one of our drawings, there or not."""
    return f"frontend/guide/{reference.removeprefix(DRAWN)}.webp"
