"""A round before it starts: what it would read, what it would cost. Nothing is written.

The cost is what earlier rounds took on the machine of the latest one, stage by stage, in
proportion to what there is to do now (`mlcore.round_work`); without such rounds it is unknown.
Rounds with the same encoder tell best, and are taken where there are any.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lenticular.consensus.models import Tally
from lenticular.consensus.selectors import count_classifications
from lenticular.rounds import rules, selectors, workspace
from lenticular.rounds.disk import folder_bytes, free_bytes
from lenticular.rounds.models import STAGES, Round, RoundState
from lenticular.selection.models import QueueEntry
from mlcore.errors import InvalidInputError as InvalidSettingError
from mlcore.round_plan import RoundConfig
from mlcore.round_work import pretraining_rounds, round_work, scaled_times

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lenticular.rounds.rules import Reason
    from lenticular.workflows.models import Workflow, WorkflowVersion

MEASURED_ROUNDS = 3
LOOKED_AT = 50
"""Rounds among which those to measure by are looked for: the latest."""
_SAME_MACHINE = ("machine", "cores", "devices")


@dataclass(frozen=True)
class Cost:
    """What a round would take, by what earlier ones took.

    Attributes
    ----------
    measured
        Numbers of the rounds that it is estimated from.
    seconds
        Least and most, over those rounds.
    stages
        Stage to least and most seconds.
    bytes
        Disk for the round's files; None where no files of those rounds are left.
    pretrains
        Whether it would pretrain: no encoder of these settings is kept for these galaxies.
    other_encoders
        Encoders of those rounds, where none had the one asked for: what that one costs is not
        known then, and the times are for theirs.
    """

    measured: list[int]
    seconds: tuple[float, float]
    stages: dict[str, tuple[float, float]]
    bytes: int | None
    pretrains: bool
    other_encoders: list[str]


@dataclass(frozen=True)
class DryRun:
    """What a round would be, were it started now.

    Attributes
    ----------
    workflow, version
        The workflow's slug, and its version's number; None where it has none.
    pool, panel
        Galaxies that would be predicted, and those of them in the control panel.
    training_galaxies, panel_galaxies, votes
        Galaxies with votes outside and in the panel, and all votes.
    last_round, new_votes
        The last round of this version that ended well, and the votes since.
    to_beat
        Number of the round whose model the new one is compared with.
    changed_settings
        Name of each setting that differs from the last round's, to its old and new value.
    cost
        None where no earlier round tells.
    free_bytes
        Free on the disk of the artefacts.
    reasons
        Why it would not start now, if anything.
    """

    workflow: str
    version: int | None
    pool: int
    panel: int
    training_galaxies: int
    panel_galaxies: int
    votes: int
    last_round: int | None
    new_votes: int
    to_beat: int | None
    changed_settings: dict[str, tuple[Any, Any]]
    cost: Cost | None
    free_bytes: int
    reasons: list[Reason]

    @property
    def refused(self) -> bool:
        """Whether nobody could start it, an admin included."""
        return any(not reason.schedule_only for reason in self.reasons)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "refused": self.refused}


def dry_run(
    *,
    workflow: Workflow,
    config: Mapping[str, Any] | None = None,
    from_defaults: bool = False,
) -> DryRun:
    """Return what a round with these settings would be; see `services.start_round`.

    Raises
    ------
    RoundConfigError
        For a setting that breaks its rule.
    """
    checked = rules.round_config(workflow=workflow, given=config, from_defaults=from_defaults)
    version = workflow.current_version
    entries = QueueEntry.objects.filter(workflow=workflow)
    pool = entries.count()
    last = rules.last_success(version=version) if version else None
    model = selectors.current_model(workflow)
    return DryRun(
        workflow=workflow.slug,
        version=version.number if version else None,
        pool=pool,
        panel=entries.filter(in_panel=True).count(),
        training_galaxies=_voted(version, in_panel=False),
        panel_galaxies=_voted(version, in_panel=True),
        votes=count_classifications(version=version) if version else 0,
        last_round=last.number if last else None,
        new_votes=rules.new_votes(version=version) if version else 0,
        to_beat=model.round.number if model else None,
        changed_settings=changed_settings(last, checked) if last else {},
        cost=estimate_cost(workflow=workflow, config=checked, pool=pool),
        free_bytes=free_bytes(workspace.shared_folder(workflow)),
        reasons=rules.why_not(workflow=workflow, config=checked),
    )


def _voted(version: WorkflowVersion | None, *, in_panel: bool) -> int:
    if version is None:
        return 0
    everything = Tally.objects.filter(version=version).count()
    return selectors.count_voted(version=version, in_panel=in_panel, at_most=everything)


def changed_settings(last: Round, config: RoundConfig) -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ from those of `last`, each with its old and new value."""
    then = _config_of(last)
    if then is None:
        return {}
    old, new = _flat(then), _flat(config)
    return {name: (old[name], new[name]) for name in sorted(new) if old[name] != new[name]}


def _flat(config: RoundConfig) -> dict[str, Any]:
    settings = config.to_dict()
    train = settings.pop("train")
    return {**settings, **{f"train.{name}": value for name, value in train.items()}}


def _config_of(round_: Round) -> RoundConfig | None:
    """Return the round's settings; None where this version of the code has them no more."""
    try:
        return RoundConfig.from_dict(round_.config)
    except InvalidSettingError:
        return None


def estimate_cost(*, workflow: Workflow, config: RoundConfig, pool: int) -> Cost | None:
    """Return what a round would take, or None where no earlier round on this machine tells."""
    wanted = config.train.encoder
    measured = _measured(workflow, wanted)
    if not measured:
        return None
    pretrained, pretrains = _pretraining(workflow, config, pool)
    now = round_work(config, pool, pretrains=pretrains)
    seconds = [
        scaled_times(
            _seconds(round_),
            round_work(then, round_.pool, pretrains=round_.number in pretrained),
            now,
        )
        for round_, then in measured
    ]
    stages = {
        name: (
            min(each.get(name, 0.0) for each in seconds),
            max(each.get(name, 0.0) for each in seconds),
        )
        for name in STAGES
    }
    totals = [sum(each.values()) for each in seconds]
    return Cost(
        measured=[round_.number for round_, _ in measured],
        seconds=(min(totals), max(totals)),
        stages=stages,
        bytes=_scaled_bytes([round_ for round_, _ in measured], pool),
        pretrains=pretrains,
        other_encoders=sorted({then.train.encoder for _, then in measured} - {wanted}),
    )


def _measured(workflow: Workflow, encoder: str) -> list[tuple[Round, RoundConfig]]:
    """Return the latest whole rounds with their settings, all on the machine of the latest.

    Those with the encoder where there are any, or else those with others.
    """
    whole = selectors.rounds_of(workflow=workflow).filter(state=RoundState.SUCCEEDED, pool__gt=0)
    rounds = list(whole.defer("evaluation").prefetch_related("stages")[:LOOKED_AT])
    same = [round_ for round_ in rounds if _machine(round_) == _machine(rounds[0])]
    timed = [(round_, _config_of(round_)) for round_ in same if all(_seconds(round_).values())]
    known = [(round_, then) for round_, then in timed if then is not None]
    alike = [(round_, then) for round_, then in known if then.train.encoder == encoder]
    return (alike or known)[:MEASURED_ROUNDS]


def _pretraining(workflow: Workflow, config: RoundConfig, pool: int) -> tuple[set[int], bool]:
    """Return the numbers of the rounds that pretrained, and whether a new one would."""
    trained = Round.objects.filter(
        workflow=workflow, pool__gt=0, stages__name="train", stages__finished_at__isnull=False
    )
    rounds = trained.order_by("number").only("number", "config", "pool")
    known = [(each, then) for each in rounds if (then := _config_of(each)) is not None]
    history = [(then.train, each.pool) for each, then in known]
    *before, new = pretraining_rounds([*history, (config.train, pool)])
    return {each.number for (each, _), did in zip(known, before, strict=True) if did}, new


def _machine(round_: Round) -> list[Any]:
    return [round_.hardware.get(name) for name in _SAME_MACHINE]


def _seconds(round_: Round) -> dict[str, float]:
    return {
        stage.name: (stage.finished_at - stage.started_at).total_seconds()
        if stage.finished_at and stage.started_at
        else 0.0
        for stage in round_.stages.all()
    }


def _scaled_bytes(measured: list[Round], pool: int) -> int | None:
    for round_ in measured:
        size = folder_bytes(workspace.round_folder(round_))
        if size:
            return round(size * pool / round_.pool)
    return None
