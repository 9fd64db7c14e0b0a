"""Reads for the volunteer's pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Prefetch, QuerySet

from lenticular.accounts.selectors import identities, identities_of
from lenticular.classifications.models import Classification, Kind
from lenticular.classifications.selectors import classifications_of
from lenticular.rounds.models import Round, RoundState, Verdict
from lenticular.selection.models import Lease
from lenticular.subjects.models import Subject, SubjectImage
from lenticular.workflows.models import Workflow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lenticular.accounts.models import User, Volunteer


@dataclass(frozen=True)
class Lesson:
    """What the machine learned in its last round, from the control panel's first question.

    `accuracy` is how often it gives the people's answer, `error` how far its vote fractions
    are off (root mean square); both from 0 to 1, and None where unmeasured. The same of the
    model before, on the same galaxies.
    """

    round: Round
    accuracy: float | None
    accuracy_before: float | None
    error: float | None
    error_before: float | None

    @property
    def is_used(self) -> bool:
        """Whether the new model took over."""
        return self.round.verdict != Verdict.REFUSED


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
    done = Round.objects.filter(state=RoundState.SUCCEEDED).exclude(verdict=Verdict.OUTDATED)
    found = done.select_related("version", "workflow").order_by("-finished_at").first()
    if found is None:
        return None
    now = _first_question(found, found.evaluation)
    before = _first_question(found, found.evaluation.get("previous") or {})
    return Lesson(
        round=found,
        accuracy=now.get("accuracy"),
        accuracy_before=before.get("accuracy"),
        error=now.get("rmse"),
        error_before=before.get("rmse"),
    )


def _first_question(round_: Round, evaluation: Mapping[str, Any]) -> Mapping[str, Any]:
    figures: Mapping[str, Mapping[str, Any]] = evaluation.get("questions", {})
    return figures.get(round_.version.tree.start, {})


def votes_by(*, volunteer: Volunteer, workflow: Workflow | None = None) -> QuerySet[Classification]:
    """Return the volunteer's votes, the latest first, in one workflow or in all."""
    return answered_by(volunteer=volunteer, workflow=workflow).filter(kind=Kind.VOTE)


def answered_by(
    *, volunteer: Volunteer, workflow: Workflow | None = None
) -> QuerySet[Classification]:
    """Return the volunteer's votes and practice, the latest first, in one workflow or in all."""
    found = classifications_of(volunteer_ids=identities(volunteer)).exclude(kind=Kind.EXPERT)
    return found.filter(workflow=workflow) if workflow else found


def served_to(user: User) -> Iterator[dict[str, Any]]:
    """Yield which galaxies the person was given and when, for the person to keep.

    Why a galaxy was chosen is left out: it is not to be known before it is answered.
    """
    found = Lease.objects.filter(volunteer__in=identities_of(user)).order_by("id")
    for each in found.select_related("subject", "workflow").iterator(chunk_size=1000):
        yield {
            "workflow": each.workflow.slug,
            "subject": each.subject.external_id,
            "subject_id": each.subject_id,
            "state": each.state,
            "granted_at": each.granted_at,
            "expires_at": each.expires_at,
        }
