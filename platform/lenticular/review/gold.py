"""What the pages of gold standards show: who is taught by which galaxy, and how it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Prefetch

from lenticular.classifications.models import Classification, Kind
from lenticular.classifications.selectors import gold_standards
from lenticular.common.errors import NotFoundError
from lenticular.subjects.models import SubjectImage
from lenticular.subjects.selectors import image_urls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.db.models import QuerySet

    from lenticular.workflows.models import WorkflowVersion


@dataclass(frozen=True)
class GoldCard:
    """One gold standard.

    Attributes
    ----------
    classification
        The expert's.
    thumb
        Address of the picture; empty for a galaxy without one.
    answers
        In the reader's words, along the path.
    explanation
        What volunteers read.
    practised, agreed
        Volunteers who practised on the galaxy, and those who answered all as the expert did.
    """

    classification: Classification
    thumb: str
    answers: list[str]
    explanation: str
    practised: int
    agreed: int


def gold_of(*, version: WorkflowVersion) -> QuerySet[Classification]:
    """Return the version's gold standards, the latest first."""
    images = Prefetch("subject__images", queryset=SubjectImage.objects.order_by("position"))
    found = gold_standards(version_id=version.pk).select_related(
        "subject__survey", "volunteer__user", "version"
    )
    return found.prefetch_related(images).order_by("-id")


def get_gold(*, classification_id: int) -> Classification:
    """Return one gold standard, withdrawn or not; raises NotFoundError where there is none."""
    found = Classification.objects.filter(pk=classification_id, gold_standard=True)
    gold = found.select_related("workflow").first()
    if gold is None:
        raise NotFoundError(f"gold standard {classification_id} does not exist")
    return gold


def gold_cards(gold: Iterable[Classification], language: str) -> list[GoldCard]:
    """Return the cards of a page of gold standards of one version."""
    shown = list(gold)
    practised = _practised(shown)
    return [_card(each, practised.get(each.subject_id, []), language) for each in shown]


def _practised(gold: list[Classification]) -> Mapping[int, list[list[list[str]]]]:
    """Return subject to the paths of those who practised on it."""
    rows = Classification.objects.filter(
        version__in={each.version_id for each in gold},
        subject__in=[each.subject_id for each in gold],
        kind=Kind.PRACTICE,
    )
    paths: dict[int, list[list[list[str]]]] = {}
    for subject_id, path in rows.values_list("subject_id", "annotations"):
        paths.setdefault(subject_id, []).append(path)
    return paths


def _card(gold: Classification, paths: list[list[list[str]]], language: str) -> GoldCard:
    tree = gold.version.tree
    return GoldCard(
        classification=gold,
        thumb=image_urls(gold.subject).get("thumb", ""),
        answers=[tree.question(q).answer(a).text(language) for q, a in gold.annotations],
        explanation=str(gold.metadata.get("explanation", "")),
        practised=len(paths),
        agreed=sum(path == gold.annotations for path in paths),
    )
