"""One tally, locked while it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lenticular.consensus.counting import add_votes, columns_of
from lenticular.consensus.models import Tally

if TYPE_CHECKING:
    from lenticular.classifications.models import Classification
    from lenticular.workflows.models import WorkflowVersion


def lock_tally(*, version: WorkflowVersion, subject_id: int) -> Tally:
    """Return the tally, locked until the transaction ends; made empty where there is none."""
    wanted = Tally.objects.select_for_update(no_key=True).filter(
        version=version, subject=subject_id
    )
    found = wanted.first()
    if found is None:
        Tally.objects.bulk_create(
            [Tally(version=version, subject_id=subject_id)], ignore_conflicts=True
        )
        found = wanted.get()
    found.version = version
    return found


def change_tally(tally: Tally, classification: Classification, *, by: int) -> Tally:
    """Add `by` times the classification to a locked tally."""
    tally.counts = add_votes(tally.counts, columns_of(classification.annotations), by)
    tally.classifications += by
    tally.save(update_fields=["counts", "classifications"])
    return tally
