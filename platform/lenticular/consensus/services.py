"""Writes of tallies, retirements and weights.

As votes come in and as volunteers merge, here; from the whole log, in `rebuilding` and
`weighing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Min, OuterRef, QuerySet, Subquery

from lenticular.accounts.selectors import identities
from lenticular.classifications.models import Classification, Kind
from lenticular.common.errors import InvalidInputError
from lenticular.consensus.counting import reason_to_retire
from lenticular.consensus.models import Retirement, Tally
from lenticular.consensus.rebuilding import Difference, find_differences, rebuild_consensus
from lenticular.consensus.tallying import change_tally, lock_tally
from lenticular.consensus.weighing import compute_weights
from lenticular.workflows.models import Workflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lenticular.accounts.models import Volunteer
    from lenticular.subjects.models import Subject

__all__ = [
    "Difference",
    "Uncounted",
    "compute_weights",
    "count_classification",
    "find_differences",
    "rebuild_consensus",
    "retire_if_due",
    "uncount_duplicates",
]


@dataclass(frozen=True)
class Uncounted:
    """A vote taken out of its tally; `came_back` where the subject is not retired any more."""

    workflow_id: int
    subject_id: int
    came_back: bool


def count_classification(*, classification: Classification) -> Tally:
    """Add a vote that was just appended to its tally; call it once per vote.

    Raises
    ------
    InvalidInputError
        For what is not a vote: experts and practice are never tallied.
    """
    if classification.kind != Kind.VOTE:
        raise InvalidInputError(f"kind must be vote to be tallied, is {classification.kind}")
    with transaction.atomic(savepoint=False):
        tally = lock_tally(version=classification.version, subject_id=classification.subject_id)
        return change_tally(tally, classification, by=1)


@transaction.atomic(savepoint=False)
def retire_if_due(*, workflow: Workflow, subject: Subject, tally: Tally) -> Retirement | None:
    """Retire the subject where its tally says so; None where it stays or was retired before."""
    tree = tally.version.tree
    reason = reason_to_retire(workflow, tree, tally.counts, tally.classifications)
    if reason is None:
        return None
    retirement, created = Retirement.objects.get_or_create(
        workflow=workflow,
        subject=subject,
        defaults={"reason": reason, "votes": tally.classifications},
    )
    return retirement if created else None


@transaction.atomic
def uncount_duplicates(*, anonymous: Volunteer, into: Volunteer) -> list[Uncounted]:
    """Take the later vote out of the tally wherever both volunteers voted.

    Call it in the transaction that merges them. The log keeps both votes; of one person's
    votes for a subject, over all versions of a workflow, the earliest in the log counts. A
    subject that is not due any more is not retired any more.
    """
    duplicates = list(_duplicates(anonymous, into))
    workflows = sorted({vote.workflow_id for vote in duplicates})
    # Whoever changes many subjects at once takes the workflow's lock first.
    list(Workflow.objects.select_for_update(no_key=True).filter(pk__in=workflows).order_by("pk"))
    return [_uncount(vote) for vote in duplicates]


def _duplicates(anonymous: Volunteer, into: Volunteer) -> Iterator[Classification]:
    counted = (
        _votes()
        .filter(
            volunteer__in=set(identities(into)) - {anonymous.pk},
            workflow=OuterRef("workflow"),
            subject=OuterRef("subject"),
        )
        .values("subject")
        .annotate(first=Min("id"))
    )
    pairs = (
        _votes()
        .filter(volunteer=anonymous)
        .annotate(other=Subquery(counted.values("first")))
        .exclude(other=None)
        .order_by("workflow_id", "subject_id")
        .values_list("id", "other")
    )
    for own, other in pairs:
        yield _votes().select_related("version__workflow").get(pk=max(own, other))


def _votes() -> QuerySet[Classification]:
    return Classification.objects.filter(kind=Kind.VOTE)


def _uncount(vote: Classification) -> Uncounted:
    version, subject_id = vote.version, vote.subject_id
    tally = lock_tally(version=version, subject_id=subject_id)
    change_tally(tally, vote, by=-1)
    came_back = _withdraw_retirement(version.workflow, subject_id)
    return Uncounted(version.workflow_id, subject_id, came_back)


def _withdraw_retirement(workflow: Workflow, subject_id: int) -> bool:
    """Withdraw the subject's retirement where no version's tally asks for it any more."""
    tallies = Tally.objects.filter(version__workflow=workflow, subject=subject_id)
    for tally in tallies.select_related("version"):
        if reason_to_retire(workflow, tally.version.tree, tally.counts, tally.classifications):
            return False
    withdrawn, _ = Retirement.objects.filter(workflow=workflow, subject=subject_id).delete()
    return withdrawn > 0
