"""Publication of a round: all of it, or nothing.

The gate: a new model takes the place of the old one only where it is not worse on the
control panel, and answers what people are asked. Any other round keeps its record and its
files; the queue and the current model stay as they are.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from lenticular.common.chunks import in_chunks
from lenticular.rounds.errors import LostClaimError, NotComparedError
from lenticular.rounds.live import nudge
from lenticular.rounds.models import (
    FlagState,
    FlagStratum,
    MislabelFlag,
    Round,
    RoundState,
    TrainedModel,
    Verdict,
)
from lenticular.rounds.selectors import current_model
from lenticular.rounds.workspace import find_damage, model_folder, stage_folder, stamps
from lenticular.selection.services import QueueRow, install_queue, staged_queue
from lenticular.subjects.models import Subject
from lenticular.subjects.selectors import catalogue_id
from lenticular.workflows.services import lock_workflow
from mlcore.errors import ArtefactError, CancelledError
from mlcore.round_plan import PREVIOUS, model_checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from lenticular.selection.models import StagedQueue
    from mlcore.stages import StageRecord

CHUNK = 500
MISLABELS = "mislabels.parquet"
OUTDATED = gettext_noop("People answer another version of the decision tree by now.")
INSTALLED = ("train", "acquire", "flag")
"""Stages whose files publication puts in place."""


@dataclass(frozen=True)
class Prepared:
    """A round about to be published: its files verified, its queue staged.

    Attributes
    ----------
    staged
        The queue.
    stages
        Those whose files were verified.
    seen
        The files' stamps from before that.
    """

    staged: StagedQueue
    stages: tuple[str, ...]
    seen: dict[Path, tuple[int, int]]

    def require_untouched(self, round_: Round) -> None:
        """Raise ArtefactError where a file is not the one that was verified."""
        changed = self.seen.items() ^ stamps(round_, self.stages).items()
        if changed:
            path = min(path for path, _ in changed)
            raise ArtefactError(f"{path} has changed while {round_} was being published")


def publish_round(*, round: Round, worker: str) -> Round:  # noqa: A002
    """Let the gate judge the finished round, and install it where the gate lets it pass.

    Raises
    ------
    LostClaimError
        Where another worker has the round.
    NotComparedError
        Where the current model is another than the one that the round was compared with;
        a resumed round is compared anew.
    CancelledError
        Where somebody has cancelled the round meanwhile.
    mlcore.errors.ArtefactError
        Where a stage is unfinished, or a file is missing or has changed; nothing is
        published then.
    """
    records = {name: finished_stage(round, name) for name in ("snapshot", "train", "evaluate")}
    passed = _is_not_worse(records["evaluate"])
    with prepared(round=round) if passed else nullcontext() as ready, transaction.atomic():
        lock_workflow(workflow=round.workflow)
        locked = Round.objects.select_for_update().get(pk=round.pk)
        if locked.state != RoundState.RUNNING or locked.claimed_by != worker:
            raise LostClaimError(f"{locked} must be claimed by {worker}, is not any more")
        if locked.cancel_requested:
            raise CancelledError(f"{locked} was cancelled before it was published")
        _require_compared(locked, records["evaluate"])
        _record_findings(locked, records)
        _keep_model(locked, records["train"])
        now = timezone.now()
        locked.state, locked.finished_at, locked.claimed_by = RoundState.SUCCEEDED, now, ""
        locked.save()
        stage = {"progress": 1.0, "message": locked.verdict_reason[:300], "finished_at": now}
        locked.stages.filter(name="publish").update(**stage)
        if ready and locked.verdict == Verdict.ACCEPTED:
            install_round(round=locked, ready=ready)
        transaction.on_commit(lambda: nudge(locked.pk))
    return locked


@contextmanager
def prepared(
    *,
    round: Round,  # noqa: A002
    stages: tuple[str, ...] = INSTALLED,
    verify: Callable[[Round, str], object] | None = None,
) -> Iterator[Prepared]:
    """Do what takes long before the transaction: verify the stages' files, stage the queue.

    Parameters
    ----------
    round
        Its acquire stage has the queue.
    stages
        Their files must be whole.
    verify
        Raises for a stage whose files are not; `finished_stage` where it is None.

    Raises
    ------
    mlcore.errors.ArtefactError
        Where a stage is unfinished, or a file is missing or has changed.
    """
    seen = stamps(round, stages)
    for stage in stages:
        (verify or finished_stage)(round, stage)
    with staged_queue(workflow=round.workflow, rows=_queue_rows(round)) as staged:
        yield Prepared(staged, stages, seen)


@transaction.atomic
def install_round(*, round: Round, ready: Prepared) -> None:  # noqa: A002
    """Make the round's model the current one, and its queue and flags what people see.

    Raises
    ------
    mlcore.errors.ArtefactError
        Where a file has changed since it was verified.
    """
    ready.require_untouched(round)
    for chunk in in_chunks(_flags(round), CHUNK):
        MislabelFlag.objects.bulk_create(chunk)
    put_in_place(round=round, ready=ready)


@transaction.atomic
def put_in_place(*, round: Round, ready: Prepared) -> None:  # noqa: A002
    """Make the round's model the current one, and its queue what people are asked.

    The queue comes last: from then to the end of the transaction volunteers wait.

    Raises
    ------
    mlcore.errors.ArtefactError
        Where a file has changed since it was verified.
    """
    ready.require_untouched(round)
    TrainedModel.objects.filter(workflow=round.workflow, is_current=True).update(is_current=False)
    TrainedModel.objects.filter(round=round).update(is_current=True)
    install_queue(staged=ready.staged, generation=round.number)


def finished_stage(round_: Round, stage: str) -> StageRecord:
    """Return the verified record of a stage; raises ArtefactError where it is not finished."""
    record = stage_folder(round_, stage).verified()
    if record is None:
        raise ArtefactError(f"stage {stage} of {round_} must be finished, is not")
    return record


def require_whole(round_: Round, stage: str) -> None:
    """Raise ArtefactError where a stage's files are not whole, and remove nothing."""
    damage = find_damage(round_, stage)
    if damage:
        raise ArtefactError(damage)


def _require_compared(round_: Round, evaluated: StageRecord) -> None:
    current = current_model(round_.workflow)
    expected = model_checksum(model_folder(current)) if current else None
    if evaluated.inputs.get(PREVIOUS) != expected:
        raise NotComparedError(
            f"{round_} must be compared with the current model, was compared with another; "
            "resume it to compare it anew"
        )


def _record_findings(round_: Round, records: dict[str, StageRecord]) -> None:
    evaluation = {**records["evaluate"].result, "images": images_left_out(records["train"])}
    round_.catalogue_checksum = records["snapshot"].result["catalogue_checksum"]
    round_.evaluation = evaluation
    passed = _is_not_worse(records["evaluate"])
    round_.verdict = Verdict.ACCEPTED if passed else Verdict.REFUSED
    round_.verdict_reason = evaluation["verdict"]
    if round_.version_id != round_.workflow.current_version_id:
        round_.verdict, round_.verdict_reason = Verdict.OUTDATED, OUTDATED


def images_left_out(trained: StageRecord) -> dict[str, Any]:
    """Return the number of images that could not be read, why, and a few by name; {} for none."""
    number = trained.result.get("unreadable_images", 0)
    return {"unreadable": number, **trained.result.get("unreadable", {})} if number else {}


def _is_not_worse(evaluated: StageRecord) -> bool:
    comparison = evaluated.result.get("comparison")
    return comparison is None or comparison["not_worse"]


def _keep_model(round_: Round, trained: StageRecord) -> None:
    TrainedModel.objects.update_or_create(
        round=round_,
        defaults={
            "workflow": round_.workflow,
            "artefacts": f"{round_.artefacts}/train/model",
            "checksum": trained.checksum,
            "origin": trained.result["origin"],
        },
    )


def _queue_rows(round_: Round) -> Iterator[QueueRow]:
    """Yield the queue's rows, ranks turned into priorities.

    The last has priority 1, above that of subjects which no round has scored. Raises
    ArtefactError for a file that went away, or broke, after it was verified.
    """
    try:
        yield from _rows_of_queue(round_)
    except (OSError, pa.ArrowInvalid) as error:
        raise ArtefactError(f"the queue of {round_} must be readable, is not: {error}") from error


def _rows_of_queue(round_: Round) -> Iterator[QueueRow]:
    total = pq.read_metadata(stage_folder(round_, "acquire").path / "queue.parquet").num_rows
    for chunk in _rows(round_, "acquire", "queue.parquet"):
        subjects = _subjects_by_id([row["id_str"] for row in chunk])
        for row in chunk:
            if row["id_str"] in subjects:
                yield QueueRow(
                    subject_id=subjects[row["id_str"]],
                    priority=float(total - row["rank"]),
                    votes_wanted=row["votes_wanted"],
                    top_answer=row["top_answer"],
                    votes=row.get("votes"),
                )


def _flags(round_: Round) -> Iterator[MislabelFlag]:
    """Yield the round's flags, without what an expert has judged in an earlier round."""
    rank = 0
    for chunk in _rows(round_, "flag", MISLABELS):
        subjects = _subjects_by_id([row["id_str"] for row in chunk])
        judged = _judged(round_, subjects.values())
        for row in chunk:
            subject_id = subjects.get(row["id_str"])
            if row["flagged"] and subject_id and (subject_id, row["question"]) not in judged:
                rank += 1
                yield flag_of(round_, subject_id, rank, row)


def flag_of(
    round_: Round,
    subject_id: int,
    rank: int,
    row: dict[str, Any],
    stratum: FlagStratum = FlagStratum.FLAGGED,
) -> MislabelFlag:
    """Return, unsaved, what a row of ``mislabels.parquet`` asks experts to look at."""
    return MislabelFlag(
        round=round_,
        subject_id=subject_id,
        rank=rank,
        stratum=stratum,
        question=row["question"],
        p_value=row["p_value"],
        q_value=row["q_value"],
        observed=dict(row["observed"]),
        expected=dict(row["expected"]),
        reason=row["reason"],
    )


def _judged(round_: Round, subject_ids: Iterable[int]) -> set[tuple[int, str]]:
    """Return what experts have judged of these subjects under the round's version."""
    judged = MislabelFlag.objects.filter(
        round__version=round_.version_id, subject__in=list(subject_ids)
    ).exclude(state=FlagState.OPEN)
    return set(judged.values_list("subject_id", "question"))


def _rows(round_: Round, stage: str, name: str) -> Iterator[list[dict[str, Any]]]:
    for batch in stage_batches(round_, stage, name):
        yield batch.to_pylist()


def stage_batches(
    round_: Round, stage: str, name: str, columns: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield a stage's Parquet file in order, `CHUNK` rows at a time; None is all columns."""
    with pq.ParquetFile(stage_folder(round_, stage).path / name) as table:
        yield from table.iter_batches(batch_size=CHUNK, columns=columns)


def _subjects_by_id(ids: list[str]) -> dict[str, int]:
    """Return catalogue id to primary key; subjects that are gone are left out."""
    by_survey: dict[str, list[str]] = {}
    for id_str in ids:
        survey, external_id = id_str.split(":", 1)
        by_survey.setdefault(survey, []).append(external_id)
    found: dict[str, int] = {}
    for survey, external_ids in by_survey.items():
        rows = Subject.objects.filter(survey__slug=survey, external_id__in=external_ids)
        pairs = rows.values_list("external_id", "pk")
        found |= {catalogue_id(survey, external_id): pk for external_id, pk in pairs}
    return found
