"""One retraining round over files, stage by stage; a killed round goes on where it was.

Snapshot, train, evaluate, predict, acquire, flag: each stage reads what those before it
wrote, writes into a folder of its own, and marks itself finished in one step
(`mlcore.stages`). The input is ``input/subjects.parquet``: a row per subject with
``id_str``, ``file_loc``, ``control`` (in the control panel), ``retired``, ``pending``
(votes promised) and an int32 column per label column, zeros never blank; and, where experts
have judged any, ``verdict`` (its votes are an expert's, and are not doubted) and ``received``
(the volunteers' votes, whose place the expert's have taken). Publication is the platform's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from mlcore.cnn.hub import forget_answers
from mlcore.errors import InvalidInputError
from mlcore.files import sweep_partials
from mlcore.round_catalogue import snapshot
from mlcore.round_choosing import choose_subjects
from mlcore.round_files import JUDGED_BEFORE, SUBJECTS, RoundFiles
from mlcore.round_flagging import flag_subjects
from mlcore.round_learning import evaluate_model, predict_subjects, train_network
from mlcore.round_plan import PREVIOUS, model_checksum
from mlcore.stages import StageRecord, file_checksum

if TYPE_CHECKING:
    from pathlib import Path

    from mlcore.progress import OnProgress, ShouldStop
    from mlcore.round_plan import RoundPlan

Work: TypeAlias = Callable[[RoundFiles], dict[str, Any]]


@dataclass(frozen=True)
class Stage:
    """One stage: its work, the stages that it reads, and how its result is told."""

    name: str
    work: Work
    reads: tuple[str, ...]
    told: str


STAGES = (
    Stage(
        "snapshot",
        snapshot,
        (),
        "{training_subjects:,} galaxies with votes to learn from, "
        "{held_out_subjects:,} of the control panel to judge by",
    ),
    Stage(
        "train", train_network, ("snapshot",), "weights began {origin[source]}: {origin[reason]}"
    ),
    Stage("evaluate", evaluate_model, ("snapshot", "train"), "{verdict}"),
    Stage("predict", predict_subjects, ("train",), "{galaxies:,} galaxies predicted"),
    Stage(
        "acquire",
        choose_subjects,
        ("snapshot", "predict"),
        "{batch:,} of {candidates:,} galaxies chosen to ask about next",
    ),
    Stage(
        "flag",
        flag_subjects,
        ("snapshot", "train"),
        "the votes of {flagged:,} of {judged:,} galaxies are in doubt",
    ),
)


@dataclass(frozen=True)
class RoundResult:
    """A finished round.

    Attributes
    ----------
    directory
        Where its files are.
    records
        Stage to what it recorded.
    """

    directory: Path
    records: dict[str, StageRecord]


def run_round(
    plan: RoundPlan,
    directory: Path,
    *,
    until: str = STAGES[-1].name,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> RoundResult:
    """Run the stages that are not finished yet; what a kill left half-written is removed first.

    Parameters
    ----------
    plan
        What to do.
    directory
        Holds ``input/subjects.parquet``, and gets a folder per stage.
    until
        The last stage to run; the whole round where it is not given.
    on_progress
        Called with the stage, the fraction done and a line for a person; with the
        fraction 1 once a stage is finished.
    should_stop
        Asked often; once it says yes, CancelledError is raised. What was finished stays.

    Raises
    ------
    NotEnoughVotesError
        Where too few galaxies have votes; see `RoundConfig`.
    ArtefactError
        Where a file is missing or has changed since a stage wrote it; the stage is done
        again when the round is run once more.
    CatalogueError
        For an input without a column, or with blanks.
    CancelledError
        Where the caller asked for a stop.
    InvalidInputError
        Where `until` is no stage.
    """
    names = [stage.name for stage in STAGES]
    if until not in names:
        raise InvalidInputError(f"until must be one of {names}, is {until!r}")
    for folder in (directory, plan.shared):
        sweep_partials(folder)
    forget_answers()
    files = RoundFiles(plan, directory, on_progress, should_stop)
    records: dict[str, StageRecord] = {}
    for stage in STAGES[: names.index(until) + 1]:
        record = _finished(files, stage, _inputs(files, stage, records))
        records[stage.name] = record
        files.report(stage.name, 1.0, stage.told.format(**record.result))
    return RoundResult(directory, records)


def _inputs(files: RoundFiles, stage: Stage, records: dict[str, StageRecord]) -> dict[str, str]:
    inputs = {name: records[name].checksum for name in stage.reads}
    inputs["plan"] = files.plan.checksum
    if stage.name == "snapshot":
        inputs["subjects"] = file_checksum(files.directory / SUBJECTS)
    if stage.name == "flag" and (files.directory / JUDGED_BEFORE).is_file():
        inputs["judged"] = file_checksum(files.directory / JUDGED_BEFORE)
    if stage.name == "evaluate" and files.plan.previous_model is not None:
        inputs[PREVIOUS] = model_checksum(files.plan.previous_model)
    return inputs


def _finished(files: RoundFiles, stage: Stage, inputs: dict[str, str]) -> StageRecord:
    """Return the stage's record, after doing its work where that is not done."""
    folder = files.folder(stage.name)
    record = folder.verified()
    if record is not None and record.inputs == inputs:
        return record
    folder.begin(inputs)
    files.report(stage.name, 0.0, f"{stage.name} begins")
    return folder.finish(inputs, stage.work(files))
