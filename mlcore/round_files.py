"""What the stages of a round share: the plan, the folders, the input, and progress."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlcore.errors import ArtefactError, CatalogueError
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked
from mlcore.stages import StageFolder, StageRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mlcore.round_plan import RoundPlan

SUBJECTS = Path("input", "subjects.parquet")
#: Verdicts of experts from earlier rounds; it need not be there.
JUDGED_BEFORE = Path("input", "judged.parquet")
CALLED_RIGHT, CALLED_WRONG, CALLED_UNSURE = "votes-right", "mislabel", "unsure"
#: Columns that it need not have.
VERDICT, RECEIVED = "verdict", "received"
#: What the flag stage says of the flagged, and its folder of pictures.
EVIDENCE, PICTURES = "evidence.parquet", "looked-at"
CHUNK = 4096


@dataclass(frozen=True)
class SubjectRows:
    """Some subjects of the round's input, in its order.

    Attributes
    ----------
    ids, files
        n ids, and the paths of their images.
    control, retired
        bool, shape (n,): in the control panel; asked about no more.
    pending
        Votes promised but not in yet, shape (n,).
    verdict
        bool, shape (n,): the votes are an expert's, and not to be doubted.
    received
        Volunteers' votes, where an expert's have taken their place too, shape (n,);
        the answers to the first question where the input has no such column.
    counts
        Votes, shape (n, A).
    """

    ids: tuple[str, ...]
    files: tuple[str, ...]
    control: NDArray[np.bool_]
    retired: NDArray[np.bool_]
    pending: NDArray[np.int64]
    verdict: NDArray[np.bool_]
    received: NDArray[np.int64]
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class RoundFiles:
    """One round at work.

    Attributes
    ----------
    plan
        What to do.
    directory
        Holds ``input`` and one folder per stage.
    on_progress, should_stop
        The caller's, or None.
    """

    plan: RoundPlan
    directory: Path
    on_progress: OnProgress | None = None
    should_stop: ShouldStop | None = None

    def folder(self, stage: str) -> StageFolder:
        """Return the folder of a stage."""
        return StageFolder(self.directory / stage)

    def record(self, stage: str) -> StageRecord:
        """Return what a finished stage recorded; raises ArtefactError where it is not."""
        record = self.folder(stage).record()
        if record is None:
            raise ArtefactError(f"stage {stage} must be finished first, is not")
        return record

    def report(self, stage: str, fraction: float, message: str) -> None:
        """Tell the caller how far a stage is, and stop where the caller asks for it."""
        stop_if_asked(self.should_stop, stage)
        report(self.on_progress, stage, fraction, message)

    def part(self, stage: str, start: float, end: float) -> OnProgress:
        """Return a callback for work that takes a stage from `start` to `end`."""

        def scaled(_part: str, fraction: float, message: str) -> None:
            # A stage is finished by its mark alone, never by a part of its work.
            reached = min(start + (end - start) * fraction, 0.999)
            report(self.on_progress, stage, reached, message)

        return scaled

    def subjects(self) -> Iterator[SubjectRows]:
        """Yield the round's input in chunks.

        Raises
        ------
        ArtefactError
            Where the file is missing or damaged.
        CatalogueError
            For a missing column, or a blank value: no votes are a zero.
        """
        path = self.directory / SUBJECTS
        try:
            with pq.ParquetFile(path) as table:
                self._check_columns(table.schema_arrow.names)
                for batch in table.iter_batches(batch_size=CHUNK):
                    yield self._rows(batch)
        except (OSError, pa.ArrowInvalid) as error:
            raise ArtefactError(f"{SUBJECTS} must be a Parquet file, is not: {error}") from error

    def judged_before(self) -> dict[tuple[str, str], str]:
        """Return (galaxy, question) to what an expert said of the votes.

        `CALLED_RIGHT`, `CALLED_WRONG` or `CALLED_UNSURE`. Nothing is known where the file is not
        there, as in rounds of earlier releases.

        Raises
        ------
        ArtefactError
            Where the file is damaged.
        """
        path = self.directory / JUDGED_BEFORE
        if not path.is_file():
            return {}
        try:
            rows = pq.read_table(path, columns=["id_str", "question", "verdict"]).to_pylist()
        except (OSError, pa.ArrowInvalid) as error:
            raise ArtefactError(f"{JUDGED_BEFORE} must be Parquet, is not: {error}") from error
        return {(row["id_str"], row["question"]): row["verdict"] for row in rows}

    def _check_columns(self, names: list[str]) -> None:
        wanted = ["id_str", "file_loc", "control", "retired", "pending"]
        for column in [*wanted, *self.plan.tree.label_cols]:
            if column not in names:
                raise CatalogueError(f"{SUBJECTS} must have the column {column!r}, has not")

    def _rows(self, batch: pa.RecordBatch) -> SubjectRows:
        for column in batch.schema.names:
            if batch[column].null_count:
                raise CatalogueError(f"{SUBJECTS} must have no blanks, column {column!r} has")
        tree = self.plan.tree
        counts = np.column_stack([_numbers(batch[column]) for column in tree.label_cols])
        answered = counts[:, tree.question_slices[tree.start]].sum(axis=1)
        has_received = RECEIVED in batch.schema.names
        return SubjectRows(
            ids=tuple(batch["id_str"].to_pylist()),
            files=tuple(batch["file_loc"].to_pylist()),
            control=batch["control"].to_numpy(zero_copy_only=False),
            retired=batch["retired"].to_numpy(zero_copy_only=False),
            pending=_numbers(batch["pending"]),
            verdict=_verdicts(batch),
            received=_numbers(batch[RECEIVED]) if has_received else answered,
            counts=counts,
        )


def _verdicts(batch: pa.RecordBatch) -> NDArray[np.bool_]:
    if VERDICT not in batch.schema.names:
        return np.zeros(batch.num_rows, dtype=bool)
    return np.asarray(batch[VERDICT].to_numpy(zero_copy_only=False), dtype=bool)


def _numbers(column: pa.Array) -> NDArray[np.int64]:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.int64)
