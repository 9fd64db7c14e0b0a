"""Publication of a round's queue: written beside the queue first, then put in place.

Whoever asks for a galaxy waits for entries that are locked. So the long part, writing a
round's rows, comes before the lock; entries that nobody may ask for now are changed first,
and those at the head of the queue last, shortly before the transaction ends.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When
from django.db.models.functions import Greatest
from django.utils import timezone

from lenticular.classifications.selectors import gold_standards
from lenticular.common.chunks import in_chunks
from lenticular.selection.models import Lease, LeaseState, QueueEntry, StagedEntry, StagedQueue
from lenticular.selection.queue import with_standing
from lenticular.workflows.services import lock_workflow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lenticular.workflows.models import Workflow

CHUNK = 500
HEAD = 1000
"""Entries of each arm that may be asked for while a queue is put in place."""
FORGOTTEN = timedelta(days=1)
"""After this long, what a killed publication left is removed."""

# `UPDATE ... FROM` is in SQLite since 3.33, and not in Django's queries.
_UPDATE = """
UPDATE selection_queueentry AS entry
SET priority = news.new_priority, top_answer = news.new_top_answer, generation = %s,
    wanted = news.new_wanted, room = news.new_room
FROM ({news}) AS news
WHERE entry.id = news.id
"""


@dataclass(frozen=True)
class QueueRow:
    """What a round says of one subject.

    Attributes
    ----------
    subject_id
        A subject in the queue; others are passed over.
    priority
        The active arm serves high ones first.
    votes_wanted
        How many more votes, beyond `votes`; at least 0.
    top_answer
        The model's likeliest answer, as a label column.
    votes
        The votes received on the current version when `votes_wanted` was decided. None is what
        rounds of earlier releases know: it is the votes received at publication.
    """

    subject_id: int
    priority: float
    votes_wanted: int
    top_answer: str = ""
    votes: int | None = None


def publish_queue(*, workflow: Workflow, generation: int, rows: Iterable[QueueRow]) -> int:
    """Give entries the priorities of a round, all at once or not at all.

    Returns
    -------
    int
        The number of entries changed.
    """
    with staged_queue(workflow=workflow, rows=rows) as staged:
        return install_queue(staged=staged, generation=generation)


@contextmanager
def staged_queue(*, workflow: Workflow, rows: Iterable[QueueRow]) -> Iterator[StagedQueue]:
    """Write a round's rows beside the queue, for `install_queue`; they go with the context.

    Enter it before the transaction that publishes: it locks nothing that people wait for.
    """
    ago = timezone.now() - FORGOTTEN
    StagedQueue.objects.filter(workflow=workflow, staged_at__lt=ago).delete()
    staged = StagedQueue.objects.create(workflow=workflow)
    try:
        for chunk in in_chunks(rows, CHUNK):
            StagedEntry.objects.bulk_create(_staged(staged, chunk))
        _mark_hot(staged)
        yield staged
    finally:
        staged.delete()


def _staged(staged: StagedQueue, rows: list[QueueRow]) -> list[StagedEntry]:
    queued = QueueEntry.objects.filter(
        workflow=staged.workflow_id, subject__in=[row.subject_id for row in rows]
    )
    entry_of = dict(queued.values_list("subject_id", "pk"))
    return [
        StagedEntry(
            queue=staged,
            entry_id=entry_of[row.subject_id],
            priority=row.priority,
            top_answer=row.top_answer,
            votes=row.votes,
            votes_wanted=row.votes_wanted,
        )
        for row in rows
        if row.subject_id in entry_of
    ]


def _mark_hot(staged: StagedQueue) -> None:
    """Mark what may be asked for, answered or given back in the next moments."""
    workflow = staged.workflow
    servable = QueueEntry.objects.filter(workflow=workflow, is_retired=False, room__gt=0)
    active = servable.filter(in_panel=False).order_by("-priority", "id")[:HEAD]
    control = servable.filter(in_panel=True).order_by("shuffle", "id")[:HEAD]
    out = Lease.objects.filter(
        workflow=workflow, subject=OuterRef("entry__subject"), state=LeaseState.OUT
    )
    gold = gold_standards(version_id=workflow.current_version_id).values("subject")
    heads = [*active.values_list("pk", flat=True), *control.values_list("pk", flat=True)]
    sought = Q(entry__in=heads) | Q(entry__subject__in=gold) | Exists(out)
    staged.entries.filter(sought).update(is_hot=True)


@transaction.atomic
def install_queue(*, staged: StagedQueue, generation: int) -> int:
    """Give the entries staged the priorities of a round, all at once or not at all.

    Entries that were not staged stay as they are. Votes that came in since the round read
    them are not asked for again. A control panel entry keeps the votes it was meant to
    get: which of its subjects get votes must not depend on a model.

    Call it last in its transaction: until that ends, whoever asks for a galaxy waits.

    Returns
    -------
    int
        The number of entries changed.
    """
    staged.workflow = lock_workflow(workflow=staged.workflow)
    return sum(_install(staged, generation, is_hot=is_hot) for is_hot in (False, True))


def _install(staged: StagedQueue, generation: int, *, is_hot: bool) -> int:
    """Lock the entries, then read votes and leases at one moment, as `_locked_entries` does.

    We alone hold many entries, having the workflow's lock, and wait for no tally or lease:
    the others hold one entry at a time, and nobody waits in a circle.
    """
    entries = QueueEntry.objects.filter(staged__queue=staged, staged__is_hot=is_hot)
    if connection.features.has_select_for_update:
        locked = entries.select_for_update(no_key=True, of=("self",)).order_by("id")
        deque(locked.values_list("pk").iterator(), maxlen=0)
    news, parameters = _news(staged.workflow, entries).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE.format(news=news), [generation, *parameters])
        changed: int = cursor.rowcount
    return changed


def _news(workflow: Workflow, entries: QuerySet[QueueEntry]) -> QuerySet[Any]:
    """Return what becomes of each entry staged: id, priority, top answer, wanted and room.

    What is wanted is votes on the current version: others have taken a place, and add
    nothing to its tally.
    """
    planned = F("staged__votes") + F("staged__votes_wanted")
    still_wanted = Case(
        When(staged__votes=None, then=F("staged__votes_wanted")),
        default=Greatest(planned - F("current"), 0),
    )
    news: QuerySet[Any] = (
        with_standing(entries, workflow)
        .annotate(
            new_priority=F("staged__priority"),
            new_top_answer=F("staged__top_answer"),
            new_wanted=Case(
                When(in_panel=True, then=F("wanted")), default=F("received") + still_wanted
            ),
            new_room=Case(When(in_panel=True, then=F("room")), default=still_wanted - F("out")),
        )
        .values("id", "new_priority", "new_top_answer", "new_wanted", "new_room")
    )
    return news
