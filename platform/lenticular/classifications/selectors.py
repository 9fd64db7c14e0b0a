"""Reads of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import Count, QuerySet
from django.db.models.functions import Coalesce

from lenticular.accounts.selectors import identities_of
from lenticular.classifications.models import Classification, Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from uuid import UUID

    from lenticular.accounts.models import User, Volunteer
    from lenticular.workflows.models import Workflow, WorkflowVersion


def classification_with(*, uuid: UUID) -> Classification | None:
    """Return the classification that the UUID names, if any."""
    return Classification.objects.filter(uuid=uuid).first()


def votes_of(*, workflow: Workflow) -> QuerySet[Classification]:
    """Return the workflow's votes, subject by subject, the earliest first."""
    votes = Classification.objects.filter(workflow=workflow, kind=Kind.VOTE)
    return votes.order_by("subject_id", "id")


class CountedVote(NamedTuple):
    """A vote that counts: which version was asked, by which arm's choice."""

    subject_id: int
    person: int
    version_id: int
    arm: str
    selection_probability: float | None


def counted_votes(*, workflow: Workflow, subject_ids: Collection[int]) -> Iterator[CountedVote]:
    """Yield the votes for these subjects that count, subject by subject.

    Of one person's votes for a subject, over all versions, the earliest counts.
    """
    votes = votes_of(workflow=workflow).filter(subject__in=subject_ids)
    rows = votes.annotate(person=Coalesce("volunteer__merged_into_id", "volunteer_id"))
    heard: set[tuple[int, int]] = set()
    for row in rows.values_list(*CountedVote._fields).iterator():
        vote = CountedVote._make(row)
        if vote[:2] not in heard:
            heard.add(vote[:2])
            yield vote


def count_people(*, version: WorkflowVersion) -> int:
    """Return how many people have voted under this version; merged volunteers are one."""
    votes = votes_of(workflow=version.workflow).filter(version=version)
    person = Coalesce("volunteer__merged_into_id", "volunteer_id")
    return int(votes.aggregate(people=Count(person, distinct=True))["people"])


def first_classification_id(*, version: WorkflowVersion) -> int:
    """Return the first vote under this version; 0 where there is none."""
    found = Classification.objects.filter(version=version, kind=Kind.VOTE).order_by("id")
    return found.values_list("id", flat=True).first() or 0


def expert_classification(
    *, version: WorkflowVersion, subject_id: int, volunteer: Volunteer
) -> Classification | None:
    """Return what this expert has said of the subject under this version, if anything."""
    found = Classification.objects.filter(
        version=version, subject=subject_id, volunteer=volunteer, kind=Kind.EXPERT
    )
    return found.first()


def gold_standards(*, version_id: int | None) -> QuerySet[Classification]:
    """Return the experts' gold standards under a version that are not withdrawn."""
    gold = Classification.objects.filter(version=version_id, gold_standard=True)
    return gold.filter(withdrawal=None)


def is_gold_standard(*, classification: Classification) -> bool:
    """Tell whether volunteers are taught by this one: it was made for that, and not withdrawn."""
    gold = gold_standards(version_id=classification.version_id)
    return gold.filter(pk=classification.pk).exists()


def has_classified(*, workflow: Workflow, subject_id: int, volunteer_ids: Collection[int]) -> bool:
    """Tell whether any of these volunteers, all one person, has classified the subject."""
    found = Classification.objects.filter(
        workflow=workflow, subject=subject_id, volunteer__in=volunteer_ids
    )
    return found.exists()


def classified_among(
    *, workflow: Workflow, subject_ids: Collection[int], volunteer_ids: Collection[int]
) -> set[int]:
    """Return those of these subjects that any of these volunteers, all one person, classified."""
    found = Classification.objects.filter(
        workflow=workflow, subject__in=subject_ids, volunteer__in=volunteer_ids
    )
    return set(found.values_list("subject", flat=True))


def classifications_of(*, volunteer_ids: Collection[int]) -> QuerySet[Classification]:
    """Return what these volunteers, all one person, have classified, the latest first."""
    found = Classification.objects.filter(volunteer__in=volunteer_ids)
    return found.select_related("subject", "workflow", "version").order_by("-id")


def records_of(user: User) -> Iterator[dict[str, Any]]:
    """Yield what the person has classified, the earliest first, for the person to keep."""
    found = classifications_of(volunteer_ids=identities_of(user)).order_by("id")
    for each in found.iterator(chunk_size=1000):
        yield {
            "uuid": each.uuid,
            "workflow": each.workflow.slug,
            "version": each.version.number,
            "subject": each.subject.external_id,
            "subject_id": each.subject_id,
            "annotations": each.annotations,
            "kind": each.kind,
            "started_at": each.started_at,
            "created_at": each.created_at,
            "metadata": each.metadata,
        }


def last_classification_id(*, workflow: Workflow) -> int:
    """Return the end of the workflow's log; 0 where it is empty."""
    last = Classification.objects.filter(workflow=workflow).order_by("-id").first()
    return last.pk if last else 0
