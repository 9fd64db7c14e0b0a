"""The queue: filled from subject sets, checked against tallies and leases; see `staging`.

Whoever changes many entries in one transaction takes the workflow's lock first.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from lenticular.classifications.models import Arm
from lenticular.consensus.models import Retirement, Tally
from lenticular.consensus.services import Difference
from lenticular.selection.models import Lease, LeaseState, QueueEntry
from lenticular.subjects.models import Subject, SubjectSet
from lenticular.workflows.services import lock_workflow, try_lock_workflow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lenticular.workflows.models import Workflow, WorkflowVersion

CHUNK = 500
AT_ONCE = 500
"""Subjects that `ask_for_more` makes room for at a time."""
TRIES, PAUSE_SECONDS = 10, 0.1


def shuffle_of(*, workflow: str, survey: str, external_id: str) -> float:
    """Return the subject's place in [0, 1), the same on every machine: a hash of its names."""
    digest = hashlib.sha256(f"{workflow}:{survey}:{external_id}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def fill_queue(*, workflow: Workflow) -> int:
    """Add the subjects of the workflow's sets that are not queued; return how many."""
    added, after = 0, 0
    while True:
        with transaction.atomic():
            lock_workflow(workflow=workflow)
            subjects = _unqueued(workflow, after)
            QueueEntry.objects.bulk_create([_entry(workflow, subject) for subject in subjects])
        if not subjects:
            return added
        added, after = added + len(subjects), subjects[-1].pk


def _unqueued(workflow: Workflow, after: int) -> list[Subject]:
    through = workflow.subject_sets.through.objects.filter(workflow=workflow)
    member = SubjectSet.subjects.through.objects.filter(
        subject=OuterRef("pk"), subjectset__in=through.values("subjectset")
    )
    queued = QueueEntry.objects.filter(workflow=workflow, subject=OuterRef("pk"))
    wanted = Subject.objects.filter(Exists(member), ~Exists(queued), pk__gt=after)
    return list(wanted.select_related("survey").order_by("pk")[:CHUNK])


def _entry(workflow: Workflow, subject: Subject) -> QueueEntry:
    shuffle = shuffle_of(
        workflow=workflow.slug, survey=subject.survey.slug, external_id=subject.external_id
    )
    return QueueEntry(
        workflow=workflow,
        subject=subject,
        shuffle=shuffle,
        in_panel=shuffle < workflow.control_panel,
        priority=shuffle,
        wanted=workflow.retirement_votes,
        room=workflow.retirement_votes,
    )


@transaction.atomic
def reopen_queue(*, workflow: Workflow) -> int:
    """Ask anew about subjects half done under an earlier version; return how many changed.

    Every subject that is not retired gets room for the votes that its tally under the
    current version still lacks. No lease out is counted on: whoever holds it may not know of
    this version yet, and their answer may be under way. A subject gets at most as many votes
    too many as it had leases out, and never one too few.
    """
    lock_workflow(workflow=workflow)
    changed, after = 0, 0
    while subject_ids := _open_subjects(workflow, after):
        reopened = []
        for entry, standing in _locked_entries(workflow, subject_ids):
            lacking = max(0, workflow.retirement_votes - standing.current)
            wanted = standing.received + standing.out + lacking
            if (entry.wanted, entry.room) != (wanted, lacking):
                entry.wanted, entry.room = wanted, lacking
                reopened.append(entry)
        _store(reopened)
        changed, after = changed + len(reopened), subject_ids[-1]
    return changed


def ask_for_more(*, workflow: Workflow, among: QuerySet[QueueEntry]) -> bool:
    """Make room for one more vote on some subjects, where the queue wants none from a person.

    Rounds ask for a few votes on each subject, and the next round may be long in coming. So the
    subjects outside the panel of which the fewest votes were wanted are asked about again, in
    shuffle order, until they are retired.

    Parameters
    ----------
    workflow
        Whose queue it is. Its lock is not waited for longer than a second: a round may be about to
        be published, and wants other votes then.
    among
        The entries that the person has not seen, none of which has room outside the panel.

    Returns
    -------
    bool
        Whether some of them have room now.
    """
    lacking = _lacking(workflow, among)
    for _ in range(TRIES):
        if not lacking.exists():
            return False
        made = _make_room(workflow, among)
        if made is not None:
            return made
        time.sleep(PAUSE_SECONDS)
    return False


def _lacking(workflow: Workflow, among: QuerySet[QueueEntry]) -> QuerySet[Any]:
    """Return the entries that fewer people are asked about than retire a subject, in turn."""
    unfinished = among.filter(in_panel=False, is_retired=False)
    asked = with_standing(unfinished, workflow).annotate(asked=F("current") + F("out"))
    lacking: QuerySet[Any] = asked.filter(asked__lt=workflow.retirement_votes)
    return lacking.order_by("wanted", "shuffle", "id")


@transaction.atomic
def _make_room(workflow: Workflow, among: QuerySet[QueueEntry]) -> bool | None:
    """Do what `ask_for_more` says; None where somebody else has the workflow's lock."""
    locked = try_lock_workflow(workflow=workflow)
    if locked is None:
        return None
    lacking = _lacking(locked, among)
    # Another may just have made room: what is open is asked about first.
    if lacking.filter(room__gt=0).exists():
        return True
    chosen = list(lacking.values_list("subject_id", flat=True)[:AT_ONCE])
    opened = [
        entry
        for entry, standing in _locked_entries(locked, chosen)
        if standing.current + standing.out < locked.retirement_votes
    ]
    for entry in opened:
        entry.wanted, entry.room = entry.wanted + max(1 - entry.room, 0), max(entry.room, 1)
    _store(opened)
    return bool(opened)


def _open_subjects(workflow: Workflow, after: int) -> list[int]:
    entries = QueueEntry.objects.filter(
        workflow=workflow, is_retired=False, subject__gt=after
    ).order_by("subject_id")
    return list(entries.values_list("subject_id", flat=True)[:CHUNK])


@dataclass(frozen=True)
class Standing:
    """What is known of a queued subject: votes over all versions, on the current one, leases."""

    received: int
    current: int
    out: int


def _locked_entries(
    workflow: Workflow, subject_ids: Iterable[int]
) -> list[tuple[QueueEntry, Standing]]:
    """Lock the entries, then read votes and leases at one moment.

    A vote or lease on its way changes ``room`` by what it adds or takes, before or after
    us: either way the invariant holds.
    """
    entries = QueueEntry.objects.filter(workflow=workflow, subject__in=list(subject_ids))
    locked = list(entries.select_for_update(no_key=True).order_by("id"))
    rows = with_standing(entries, workflow).values_list("pk", "received", "current", "out")
    standing = {pk: Standing(*numbers) for pk, *numbers in rows}
    return [(entry, standing[entry.pk]) for entry in locked]


def with_standing(entries: QuerySet[QueueEntry], workflow: Workflow) -> QuerySet[Any]:
    """Annotate entries with what `Standing` says of them."""
    tallies = Tally.objects.filter(subject=OuterRef("subject")).order_by().values("subject")
    votes = tallies.annotate(n=Sum("classifications")).values("n")
    leases = Lease.objects.filter(
        workflow=workflow, subject=OuterRef("subject"), state=LeaseState.OUT
    ).exclude(arm=Arm.PRACTICE)
    out = leases.order_by().values("subject").annotate(n=Count("id")).values("n")
    return entries.annotate(
        received=Coalesce(Subquery(votes.filter(version__workflow=workflow)), 0),
        current=Coalesce(Subquery(votes.filter(version=workflow.current_version_id)), 0),
        out=Coalesce(Subquery(out), 0),
    )


def _store(entries: Iterable[QueueEntry]) -> None:
    """Write back entries that are there, in one statement per chunk."""
    QueueEntry.objects.bulk_create(
        entries,
        update_conflicts=True,
        unique_fields=["workflow", "subject"],
        update_fields=["wanted", "room"],
    )


def retire_entry(*, workflow: Workflow, subject_id: int) -> None:
    """Serve the subject no more; idempotent."""
    QueueEntry.objects.filter(workflow=workflow, subject=subject_id).update(is_retired=True)


@transaction.atomic(savepoint=False)
def ask_again_if_outdated(*, version: WorkflowVersion, subject_id: int) -> None:
    """Make room for one more person where a vote answered `version` and another is asked now.

    Such a vote has taken a place and adds nothing to the tally that is to be filled. Which
    version is asked now is read here, not earlier: call it last.
    """
    entries = QueueEntry.objects.filter(workflow=version.workflow_id, subject=subject_id)
    outdated = entries.exclude(workflow__current_version=version)
    outdated.update(wanted=F("wanted") + 1, room=F("room") + 1)


@transaction.atomic
def take_back_vote(*, workflow_id: int, subject_id: int, came_back: bool) -> None:
    """Make room for the vote that was uncounted; serve the subject again where it came back.

    One that came back after a new tree gets room for all votes that it lacks under that: while
    it was retired, `reopen_queue` left it out.
    """
    entries = QueueEntry.objects.filter(workflow=workflow_id, subject=subject_id)
    entries.update(room=F("room") + 1)
    if not came_back:
        return
    entries.update(is_retired=False)
    for entry in entries.select_related("workflow"):
        for locked, standing in _locked_entries(entry.workflow, [subject_id]):
            lacking = max(0, entry.workflow.retirement_votes - standing.current)
            locked.wanted = max(locked.wanted, standing.received + lacking)
            locked.room = locked.wanted - standing.received - standing.out
            locked.save(update_fields=["wanted", "room"])


def find_queue_differences(*, workflow: Workflow) -> Iterator[Difference]:
    """Yield entries whose room or retirement is not what tallies and leases say; streamed."""
    retired = Retirement.objects.filter(workflow=workflow, subject=OuterRef("subject"))
    entries = QueueEntry.objects.filter(workflow=workflow)
    rows = (
        with_standing(entries, workflow)
        .annotate(due_room=F("wanted") - F("received") - F("out"), due=Exists(retired))
        .filter(~Q(room=F("due_room")) | ~Q(is_retired=F("due")))
        .order_by("subject_id")
        .values_list("subject_id", "room", "due_room", "is_retired", "due")
    )
    for subject_id, room, due_room, is_retired, due in rows.iterator(chunk_size=CHUNK):
        if room != due_room:
            yield Difference(subject_id, "room", room, due_room)
        if is_retired != due:
            yield Difference(subject_id, "retirement in the queue", is_retired, due)


def rebuild_queue(*, workflow: Workflow, check: bool) -> list[Difference]:
    """Compare the queue with tallies and leases; without `check`, mend what differs."""
    found = list(find_queue_differences(workflow=workflow))
    if not check:
        for subject_id in dict.fromkeys(difference.subject_id for difference in found):
            _mend(workflow, subject_id)
    return found


@transaction.atomic
def _mend(workflow: Workflow, subject_id: int) -> None:
    for entry, standing in _locked_entries(workflow, [subject_id]):
        entry.room = entry.wanted - standing.received - standing.out
        entry.is_retired = Retirement.objects.filter(workflow=workflow, subject=subject_id).exists()
        entry.save(update_fields=["room", "is_retired"])
