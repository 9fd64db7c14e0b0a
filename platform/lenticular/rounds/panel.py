"""The control panel's galaxies with their votes of today, and what models say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from django.db.models import Exists, OuterRef

from lenticular.common.chunks import in_chunks
from lenticular.consensus.models import Tally
from lenticular.consensus.selectors import counts_by_subject
from lenticular.rounds import selectors
from lenticular.rounds.errors import NotComparableError
from lenticular.selection.models import QueueEntry

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    from numpy.typing import NDArray

    from lenticular.rounds.models import Round
    from lenticular.workflows.models import WorkflowVersion

AT_MOST = 5000
"""Galaxies that are read: the first in the panel's own, random order."""
CHUNK = 500


def panel_counts(*, version: WorkflowVersion) -> dict[int, tuple[str, NDArray[np.int64]]]:
    """Return subject to its prediction id and votes (A,): panel galaxies that have votes."""
    voted = Tally.objects.filter(
        version=version, subject=OuterRef("subject"), classifications__gt=0
    )
    entries = QueueEntry.objects.filter(Exists(voted), workflow=version.workflow_id, in_panel=True)
    found: dict[int, tuple[str, NDArray[np.int64]]] = {}
    shown = entries.select_related("subject__survey").order_by("shuffle", "id")[:AT_MOST]
    rows = shown.iterator(chunk_size=CHUNK)
    for chunk in in_chunks(rows, CHUNK):
        ids = {entry.subject_id: selectors.prediction_id(entry.subject) for entry in chunk}
        counts = counts_by_subject(version=version, subject_ids=list(ids))
        found |= {subject: (ids[subject], counts[subject]) for subject in ids if subject in counts}
    return found


def predictions_of(round_: Round, ids: Collection[str]) -> dict[str, NDArray[np.float32]]:
    """Return id to concentrations (A,), of those of `ids` that the round predicted.

    Raises
    ------
    NotComparableError
        Where its predictions are gone or damaged.
    """
    try:
        found = selectors.read_predictions(round_, ids)
    except (OSError, pa.ArrowInvalid, ValueError) as error:
        raise NotComparableError(
            f"the predictions of round {round_.number} must be readable, are not: {error}"
        ) from error
    if not found and ids:
        raise NotComparableError(
            f"the predictions of round {round_.number} must be there, are gone or of other galaxies"
        )
    return found
