"""Reads of rounds: for pages, sockets, the API, reviews and releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse

from lenticular.common.errors import NotFoundError
from lenticular.consensus.models import Tally
from lenticular.rounds.models import (
    ACTIVE_STATES,
    Round,
    RoundStage,
    RoundState,
    TrainedModel,
    Verdict,
)
from lenticular.rounds.work import stalled_before
from lenticular.rounds.workspace import round_folder
from lenticular.selection.models import QueueEntry
from lenticular.subjects.selectors import catalogue_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from lenticular.subjects.models import Subject
    from lenticular.workflows.models import Workflow, WorkflowVersion


def get_round(*, round_id: int) -> Round:
    """Return one round; raises NotFoundError where there is none."""
    found = Round.objects.select_related("workflow", "version").filter(pk=round_id).first()
    if found is None:
        raise NotFoundError(f"round {round_id} does not exist")
    return found


def rounds_of(*, workflow: Workflow) -> QuerySet[Round]:
    """Return the workflow's rounds, the latest first."""
    return Round.objects.filter(workflow=workflow).select_related("workflow").order_by("-number")


def active_round(*, workflow: Workflow) -> Round | None:
    """Return the workflow's active round, if any."""
    return Round.objects.filter(workflow=workflow, state__in=ACTIVE_STATES).first()


def rounds_with_models(*, workflow: Workflow) -> QuerySet[Round]:
    """Return the workflow's rounds that made a model, each with it, the latest first."""
    found = rounds_of(workflow=workflow).filter(model__isnull=False)
    return found.select_related("workflow", "version", "model")


def current_model(workflow: Workflow) -> TrainedModel | None:
    """Return the model that the workflow goes by, if any."""
    found = TrainedModel.objects.filter(workflow=workflow, is_current=True)
    return found.select_related("round__version").first()


def current_models() -> QuerySet[TrainedModel]:
    """Return the current model of every workflow that has one, with its round, by name."""
    found = TrainedModel.objects.filter(is_current=True).select_related("round__workflow")
    return found.order_by("workflow__name")


def is_stalled(round_: Round) -> bool:
    """Tell whether the round runs, but its worker has not been heard for too long."""
    heard = round_.heartbeat_at
    return round_.state == RoundState.RUNNING and (heard is None or heard < stalled_before())


def rounds_to_take_up() -> list[int]:
    """Return the ids of rounds that nobody works on: stalled, or pending for too long."""
    limit = stalled_before()
    left = Q(state=RoundState.RUNNING, heartbeat_at__lt=limit) | Q(
        state=RoundState.PENDING, created_at__lt=limit
    )
    return list(Round.objects.filter(left).order_by("id").values_list("id", flat=True))


def count_voted(*, version: WorkflowVersion, in_panel: bool, at_most: int) -> int:
    """Count galaxies with votes in or outside the control panel; stop at `at_most`."""
    queued = QueueEntry.objects.filter(
        workflow=version.workflow_id, subject=OuterRef("subject"), in_panel=in_panel
    )
    voted = Tally.objects.filter(Exists(queued), version=version, classifications__gt=0)
    return voted[:at_most].count()


def prediction_id(subject: Subject) -> str:
    """Return the subject's id in catalogues and predictions: ``survey:external id``."""
    return catalogue_id(subject.survey.slug, subject.external_id)


def read_predictions(round_: Round, ids: Collection[str]) -> dict[str, NDArray[np.float32]]:
    """Return id to concentrations (A,), for those of `ids` that the round predicted.

    Parameters
    ----------
    round_
        A round whose predict stage is finished; without shards the answer is empty.
    ids
        As `prediction_id` gives them.
    """
    shards = _shards(round_)
    if not shards or not ids:
        return {}
    found = ds.dataset(shards).to_table(filter=pc.field("id_str").isin(list(ids)))
    return dict(_concentrations(found))


def read_neighbours(round_: Round, id_str: str) -> list[str]:
    """Return the ids of the galaxies that look most like this one, the nearest first.

    Empty for a galaxy that the round did not compare, and for a round from before rounds
    compared galaxies.
    """
    shards = sorted((round_folder(round_) / "acquire" / "neighbours").glob("*.parquet"))
    if not shards:
        return []
    wanted = pc.field("id_str") == id_str
    found = ds.dataset(shards).to_table(columns=["neighbour"], filter=wanted)
    return found["neighbour"][0].as_py() if len(found) else []


def iterate_predictions(round_: Round) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield (id, concentrations (A,)) of every subject that the round predicted, in order."""
    for shard in _shards(round_):
        yield from _concentrations(pq.read_table(shard))


def _concentrations(table: pa.Table) -> Iterator[tuple[str, NDArray[np.float32]]]:
    names = [name for name in table.column_names if name.endswith("_concentration")]
    values = np.column_stack([table[name].to_numpy() for name in names])
    return zip(table["id_str"].to_pylist(), values.astype(np.float32), strict=True)


def _shards(round_: Round) -> list[Path]:
    return sorted((round_folder(round_) / "predict").glob("*.parquet"))


def round_snapshot(round_: Round) -> dict[str, Any]:
    """Return all that a page, a socket or the API shows of a round, as JSON values."""
    return {
        "id": round_.pk,
        "workflow": round_.workflow.slug,
        "number": round_.number,
        "state": round_.state,
        "is_active": round_.is_active,
        "is_stalled": is_stalled(round_),
        "cancel_requested": round_.cancel_requested,
        "verdict": round_.verdict,
        "verdict_reason": round_.verdict_reason,
        "error": round_.error,
        "votes": round_.votes,
        "seed": round_.seed,
        "config": round_.config,
        "code_version": round_.code_version,
        "hardware": round_.hardware,
        "catalogue_checksum": round_.catalogue_checksum,
        "evaluation": round_.evaluation,
        "created_at": round_.created_at.isoformat(),
        "started_at": round_.started_at and round_.started_at.isoformat(),
        "finished_at": round_.finished_at and round_.finished_at.isoformat(),
        "stages": [_stage_snapshot(stage) for stage in round_.stages.all()],
        "page": reverse("round", args=[round_.workflow.slug, round_.number]),
    }


def _stage_snapshot(stage: RoundStage) -> dict[str, Any]:
    return {
        "name": stage.name,
        "state": stage_state(stage),
        "progress": stage.progress,
        "message": stage.message,
        "error": stage.error,
        "started_at": stage.started_at and stage.started_at.isoformat(),
        "finished_at": stage.finished_at and stage.finished_at.isoformat(),
    }


def stage_state(stage: RoundStage) -> str:
    """Return ``failed``, ``finished``, ``started`` or ``waiting``."""
    if stage.error:
        return "failed"
    if stage.finished_at:
        return "finished"
    return "started" if stage.started_at else "waiting"


def may_be_cancelled(round_: Round) -> bool:
    """Tell whether the round can be asked to stop."""
    return round_.is_active and not (round_.cancel_requested and not is_stalled(round_))


def may_be_resumed(round_: Round) -> bool:
    """Tell whether the round ended early, none came after it, and people answer its tree."""
    ended_early = round_.state in {RoundState.FAILED, RoundState.CANCELLED}
    return ended_early and _is_of_today(round_)


def may_be_overridden(round_: Round) -> bool:
    """Tell whether the gate refused the round, none came after it, and people answer its tree."""
    return round_.verdict == Verdict.REFUSED and _is_of_today(round_)


def _is_of_today(round_: Round) -> bool:
    later = Round.objects.filter(workflow=round_.workflow_id, number__gt=round_.number)
    return round_.version_id == round_.workflow.current_version_id and not later.exists()
