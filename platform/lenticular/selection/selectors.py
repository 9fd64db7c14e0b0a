"""Reads of the queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Q

from lenticular.selection.models import QueueEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lenticular.workflows.models import Workflow


@dataclass(frozen=True)
class QueueState:
    """How many subjects are queued, in the control panel, and retired."""

    subjects: int
    in_panel: int
    retired: int


def queue_state(*, workflow: Workflow) -> QueueState:
    """Count the workflow's queue."""
    counts = QueueEntry.objects.filter(workflow=workflow).aggregate(
        subjects=Count("id"),
        in_panel=Count("id", filter=Q(in_panel=True)),
        retired=Count("id", filter=Q(is_retired=True)),
    )
    return QueueState(**counts)


def entry_of(*, workflow: Workflow, subject_id: int) -> QueueEntry | None:
    """Return the subject's place in the workflow's queue, if it has one."""
    return QueueEntry.objects.filter(workflow=workflow, subject=subject_id).first()


def queue_head(*, workflow: Workflow, limit: int) -> list[QueueEntry]:
    """Return the galaxies that the machine wants to ask about most, with surveys and images."""
    entries = QueueEntry.objects.filter(
        workflow=workflow, in_panel=False, is_retired=False, room__gt=0, generation__gt=0
    ).order_by("-priority", "id")
    found = entries.select_related("subject__survey").prefetch_related("subject__images")
    return list(found[:limit])


def iterate_entries(*, workflow: Workflow, chunk_size: int) -> Iterator[QueueEntry]:
    """Yield the workflow's queue in the order of subjects, each with its subject and survey."""
    entries = QueueEntry.objects.filter(workflow=workflow).select_related("subject__survey")
    return entries.order_by("subject_id").iterator(chunk_size=chunk_size)
