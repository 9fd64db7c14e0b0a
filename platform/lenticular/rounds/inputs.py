"""The input of a round, streamed from the database to Parquet.

One row per subject that the workflow may serve: its id, its image, whether it is in the
control panel, whether it is retired, the votes promised (leases out), whether an expert has
judged it, the votes received, and its vote counts. Beside them stand the verdicts of earlier
rounds.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.db.models import Count

from lenticular.classifications.models import Classification, Kind
from lenticular.common.chunks import in_chunks
from lenticular.consensus.models import Tally
from lenticular.rounds.models import FlagState, MislabelFlag
from lenticular.rounds.selectors import prediction_id
from lenticular.selection.models import Lease, LeaseState, QueueEntry
from lenticular.subjects.models import Subject, SubjectImage
from lenticular.subjects.selectors import catalogue_id
from mlcore.files import replacing, write_json
from mlcore.round_files import (
    CALLED_RIGHT,
    CALLED_UNSURE,
    CALLED_WRONG,
    JUDGED_BEFORE,
    RECEIVED,
    VERDICT,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from lenticular.rounds.models import Round
    from mlcore.tree import DecisionTree

CHUNK = 500
IMAGE_SIZE = "page"
CALLED = {
    FlagState.VOTES_RIGHT: CALLED_RIGHT,
    FlagState.MISLABEL: CALLED_WRONG,
    FlagState.UNSURE: CALLED_UNSURE,
}
EXPERT_VOTES = 20
"""How many volunteers' votes one expert's verdict weighs in training."""


def write_inputs(round_: Round, folder: Path, *, on_progress: Callable[[float, str], None]) -> None:
    """Write ``subjects.parquet``, ``judged.parquet`` and ``tree.json`` into `folder`, once.

    What is there already stays, so that a resumed round sees the votes it began with.

    Parameters
    ----------
    round_
        Its version says which votes count.
    folder
        Made where it is absent.
    on_progress
        Called with the fraction of subjects written and a line for a person.
    """
    path = folder / "subjects.parquet"
    if path.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    tree = round_.version.tree
    write_json(folder / "tree.json", tree.to_dict())
    _write_judged(round_, folder / JUDGED_BEFORE.name)
    total = QueueEntry.objects.filter(workflow=round_.workflow).count()
    schema = _schema(tree)
    with replacing(path) as partial, pq.ParquetWriter(partial, schema) as writer:
        written = 0
        for chunk in _entries(round_):
            writer.write_table(_table(round_, tree, chunk, schema))
            written += len(chunk)
            on_progress(written / max(total, 1), f"{written:,} of {total:,} subjects read")


def _write_judged(round_: Round, path: Path) -> None:
    """Write what experts have said of votes on this version.

    On a question the flag of the latest round counts.
    """
    flags = MislabelFlag.objects.filter(round__version=round_.version, state__in=CALLED)
    rows = flags.order_by("pk").values_list(
        "subject__survey__slug", "subject__external_id", "question", "state"
    )
    called = {
        (catalogue_id(survey, external_id), question): CALLED[FlagState(state)]
        for survey, external_id, question, state in rows.iterator(chunk_size=CHUNK)
    }
    columns = {
        "id_str": pa.array([id_str for id_str, _ in called], pa.string()),
        "question": pa.array([question for _, question in called], pa.string()),
        "verdict": pa.array(called.values(), pa.string()),
    }
    with replacing(path) as partial:
        pq.write_table(pa.table(columns), partial)


def _entries(round_: Round) -> Iterator[list[QueueEntry]]:
    entries = (
        QueueEntry.objects.filter(workflow=round_.workflow)
        .select_related("subject__survey")
        .order_by("subject_id")
        .iterator(chunk_size=CHUNK)
    )
    return in_chunks(entries, CHUNK)


def _schema(tree: DecisionTree) -> pa.Schema:
    fixed = [
        ("id_str", pa.string()),
        ("file_loc", pa.string()),
        ("control", pa.bool_()),
        ("retired", pa.bool_()),
        ("pending", pa.int32()),
        (VERDICT, pa.bool_()),
        (RECEIVED, pa.int32()),
    ]
    return pa.schema(fixed + [(column, pa.int32()) for column in tree.label_cols])


def _table(
    round_: Round, tree: DecisionTree, entries: list[QueueEntry], schema: pa.Schema
) -> pa.Table:
    subjects = [entry.subject for entry in entries]
    images, pending = _image_names(subjects), _pending(round_, subjects)
    shown = [entry for entry in entries if entry.subject_id in images]
    verdicts = _verdicts(round_, [entry.subject_id for entry in shown if not entry.in_panel])
    counts, received = _counts(round_, tree, shown, verdicts)
    columns = [
        [prediction_id(entry.subject) for entry in shown],
        [images[entry.subject_id] for entry in shown],
        [entry.in_panel for entry in shown],
        [entry.is_retired for entry in shown],
        [pending[entry.subject_id] for entry in shown],
        [entry.subject_id in verdicts for entry in shown],
        received,
        *counts.T,
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _image_names(subjects: list[Subject]) -> dict[int, str]:
    images = SubjectImage.objects.filter(subject__in=subjects).order_by("-position")
    return {image.subject_id: image.stored_name(IMAGE_SIZE) for image in images}


def _pending(round_: Round, subjects: list[Subject]) -> Counter[int]:
    out = Lease.objects.filter(workflow=round_.workflow, subject__in=subjects, state=LeaseState.OUT)
    return Counter(dict(out.values_list("subject_id").annotate(Count("id"))))


def _counts(
    round_: Round,
    tree: DecisionTree,
    entries: list[QueueEntry],
    verdicts: dict[int, list[list[tuple[str, str]]]],
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the counts (n, A) of the entries' subjects, and the votes received (n,).

    Experts' verdicts come first in the counts; received are volunteers' votes alone.
    """
    row_of = {entry.subject_id: row for row, entry in enumerate(entries)}
    place = {column: index for index, column in enumerate(tree.label_cols)}
    counts = np.zeros((len(entries), len(place)), dtype=np.int32)
    received = np.zeros(len(entries), dtype=np.int32)
    for tally in Tally.objects.filter(version=round_.version, subject__in=list(row_of)):
        row = row_of[tally.subject_id]
        received[row] = tally.classifications
        for column, number in tally.counts.items():
            counts[row, place[column]] = number
    for subject_id, paths in verdicts.items():
        counts[row_of[subject_id]] = 0
        for path in paths:
            for question, answer in path:
                counts[row_of[subject_id], tree.column_index[question, answer]] += EXPERT_VOTES
    return counts, received


def _verdicts(round_: Round, subject_ids: list[int]) -> dict[int, list[list[tuple[str, str]]]]:
    """Return the paths that experts gave, by subject.

    Those of the control panel are not asked for, and keep the volunteers' votes alone: models
    are judged on those.
    """
    verdicts: dict[int, list[list[tuple[str, str]]]] = {}
    given = Classification.objects.filter(
        version=round_.version, subject__in=subject_ids, kind=Kind.EXPERT
    )
    for subject_id, path in given.values_list("subject_id", "annotations"):
        verdicts.setdefault(subject_id, []).append(path)
    return verdicts
