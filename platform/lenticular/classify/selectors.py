"""Reads for the volunteer's pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.cache import cache
from django.db.models import Prefetch, QuerySet

from lenticular.accounts.selectors import identities
from lenticular.classifications.models import Classification, Kind
from lenticular.classifications.selectors import classifications_of
from lenticular.consensus.models import Retirement, Tally
from lenticular.rounds.models import Round, RoundState
from lenticular.subjects.models import Subject, SubjectImage
from lenticular.workflows.models import Workflow

if TYPE_CHECKING:
    from lenticular.accounts.models import Volunteer

COUNTS_SECONDS = 30
"""How old the counts on the home page may be; counting the log is not free."""


@dataclass(frozen=True)
class Lesson:
    """What the machine learned last: from how many votes, and how often it is right.

    `accuracy` is that of the first question on the control panel, None where unmeasured.
    """

    round: Round
    accuracy: float | None


def project_counts() -> dict[str, int]:
    """Count classifications, galaxies with votes, and finished galaxies, over all workflows."""
    return cache.get_or_set("classify:counts", _count, COUNTS_SECONDS) or {}


def _count() -> dict[str, int]:
    return {
        "classifications": Classification.objects.filter(kind=Kind.VOTE).count(),
        "galaxies": Tally.objects.filter(classifications__gt=0).count(),
        "finished": Retirement.objects.count(),
    }


def open_workflows() -> QuerySet[Workflow]:
    """Return the workflows that ask something now, the latest first."""
    found = Workflow.objects.filter(is_open=True, current_version__isnull=False)
    return found.select_related("current_version").order_by("-id")


def just_classified(*, limit: int) -> list[Subject]:
    """Return the subjects of the latest votes that have an image, each once, latest first."""
    images = Prefetch("subject__images", queryset=SubjectImage.objects.order_by("position"))
    latest = Classification.objects.filter(kind=Kind.VOTE).order_by("-id")
    votes = latest.select_related("subject").prefetch_related(images)[: 4 * limit]
    subjects = {vote.subject_id: vote.subject for vote in votes}
    return [subject for subject in subjects.values() if subject.images.all()][:limit]


def last_lesson() -> Lesson | None:
    """Return what the machine learned in the latest round that finished, if any did."""
    done = Round.objects.filter(state=RoundState.SUCCEEDED).select_related("version", "workflow")
    found = done.order_by("-finished_at").first()
    if found is None:
        return None
    questions: dict[str, Any] = found.evaluation.get("questions", {})
    first = questions.get(found.version.tree.start, {})
    return Lesson(round=found, accuracy=first.get("accuracy"))


def votes_by(*, volunteer: Volunteer, workflow: Workflow | None = None) -> QuerySet[Classification]:
    """Return the volunteer's votes, the latest first, in one workflow or in all."""
    return answered_by(volunteer=volunteer, workflow=workflow).filter(kind=Kind.VOTE)


def answered_by(
    *, volunteer: Volunteer, workflow: Workflow | None = None
) -> QuerySet[Classification]:
    """Return the volunteer's votes and practice, the latest first, in one workflow or in all."""
    found = classifications_of(volunteer_ids=identities(volunteer)).exclude(kind=Kind.EXPERT)
    return found.filter(workflow=workflow) if workflow else found
