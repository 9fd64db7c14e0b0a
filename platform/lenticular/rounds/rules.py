"""Why a round would be refused now: what any round needs, and what the schedule waits for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext as _

from lenticular.consensus.selectors import count_classifications
from lenticular.rounds import selectors, workspace
from lenticular.rounds.disk import missing_disk
from lenticular.rounds.errors import (
    DamagedModelError,
    NoVersionError,
    RoundActiveError,
    RoundConfigError,
    TooFewVotesError,
)
from lenticular.rounds.models import RoundRule, RoundState
from mlcore.errors import InvalidInputError as InvalidSettingError
from mlcore.round_plan import RoundConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lenticular.common.errors import LenticularError
    from lenticular.rounds.models import Round
    from lenticular.workflows.models import Workflow, WorkflowVersion


@dataclass(frozen=True)
class Reason:
    """Why no round starts.

    Attributes
    ----------
    kind
        A word for programs.
    message
        A sentence for people.
    schedule_only
        Whether it holds back the schedule alone: an admin may start a round all the same.
    """

    kind: str
    message: str
    schedule_only: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def round_config(
    *, workflow: Workflow, given: Mapping[str, Any] | None = None, from_defaults: bool = False
) -> RoundConfig:
    """Return the settings of a round, however it is started: what is given goes over the rest.

    The rest is what the workflow's rule keeps, and the defaults beneath it.

    Parameters
    ----------
    workflow
        Its rule keeps settings.
    given
        Settings of `mlcore.round_plan.RoundConfig`; of ``train`` each setting alone.
    from_defaults
        Whether to go by the defaults, and not by what the workflow's rule keeps.

    Raises
    ------
    RoundConfigError
        For a setting that breaks its rule; the message names it.
    """
    kept = {} if from_defaults else rule_of(workflow=workflow).config
    return checked_config(workflow=workflow, config=_over(kept, given or {}))


def _over(kept: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    inner, outer = kept.get("train"), given.get("train")
    both = {**kept, **given}
    if isinstance(inner, Mapping) and isinstance(outer, Mapping):
        both["train"] = {**inner, **outer}
    return both


def checked_config(*, workflow: Workflow, config: Mapping[str, Any]) -> RoundConfig:
    """Return these settings for a round of this workflow; what they leave out has its default.

    Raises
    ------
    RoundConfigError
        For a setting that breaks its rule; the message names it.
    """
    given = {"retirement_votes": workflow.retirement_votes, **config}
    try:
        return RoundConfig.from_dict(given)
    except InvalidSettingError as error:
        raise RoundConfigError(str(error)) from error


def rule_of(*, workflow: Workflow) -> RoundRule:
    """Return the workflow's rule; one that is off, and not stored, where it has none."""
    found = RoundRule.objects.filter(workflow=workflow).first()
    return found or RoundRule(workflow=workflow)


def why_not(*, workflow: Workflow, config: RoundConfig | None = None) -> list[Reason]:
    """Return every reason why a round would not start now; empty where the schedule starts one.

    Without `config` a round is judged by the settings that the workflow's rule keeps.
    """
    refused = _refusals(workflow, config)
    reasons = (Reason(error.kind, error.message) for error in refused)
    return list(chain(reasons, waits_for(rule=rule_of(workflow=workflow))))


def _refusals(workflow: Workflow, config: RoundConfig | None) -> Iterator[LenticularError]:
    try:
        settings = config or round_config(workflow=workflow)
    except RoundConfigError as error:
        # Settings that were kept before the code changed: whoever sees this can mend them.
        yield error
    else:
        yield from refusals(workflow=workflow, config=settings)


def refusals(*, workflow: Workflow, config: RoundConfig) -> Iterator[LenticularError]:
    """Yield what keeps anybody from starting a round, as the errors to raise."""
    active = selectors.active_round(workflow=workflow)
    if active is not None:
        yield active_error(workflow, active)
    version = workflow.current_version
    if version is None:
        yield NoVersionError(f"workflow must have a version, {workflow} has none")
    else:
        yield from _missing_votes(version, config)
    damaged = damaged_model(workflow=workflow, afresh=False)
    if damaged is not None:
        yield damaged
    missing = missing_disk(workspace.shared_folder(workflow))
    if missing is not None:
        yield missing


def damaged_model(*, workflow: Workflow, afresh: bool = True) -> DamagedModelError | None:
    """Return the error that says what is wrong with the current model's files; None if nothing.

    See `workspace.find_damage` for `afresh`.
    """
    current = selectors.current_model(workflow)
    damage = current and workspace.find_damage(current.round, "train", afresh=afresh)
    if current is None or damage is None:
        return None
    message = _(
        "the current model, of round %(number)s, must be whole to be compared with: %(damage)s; "
        "put the file back, roll back to an earlier model, or set the damaged one aside"
    )
    return DamagedModelError(message % {"number": current.round.number, "damage": damage})


def why_outdated(*, round_: Round) -> str | None:
    """Return that people answer another version of the tree; None where they do not."""
    if round_.version_id == round_.workflow.current_version_id:
        return None
    message = _("Round %(number)s answers version %(old)s of the tree, people another one.")
    return message % {"number": round_.number, "old": round_.version.number}


def active_error(workflow: Workflow, active: Round | None) -> RoundActiveError:
    """Return the error that says which round of the workflow is active."""
    number = active.number if active else None
    return RoundActiveError(
        f"workflow {workflow} can have one active round, round {number} is active", active=number
    )


def _missing_votes(version: WorkflowVersion, config: RoundConfig) -> Iterator[TooFewVotesError]:
    sentences = {
        False: _(
            "a round needs at least %(needed)s galaxies with votes outside the control panel, "
            "there are %(found)s"
        ),
        True: _(
            "a round needs at least %(needed)s galaxies with votes in the control panel, "
            "there are %(found)s"
        ),
    }
    needed = {False: config.min_training_subjects, True: config.min_held_out_subjects}
    for in_panel, minimum in needed.items():
        found = selectors.count_voted(version=version, in_panel=in_panel, at_most=minimum)
        if found < minimum:
            numbers = {"needed": minimum, "found": found}
            yield TooFewVotesError(sentences[in_panel] % numbers, **numbers)
    if config.folds > config.min_training_subjects:
        yield from _missing_folds(version, config)


def _missing_folds(version: WorkflowVersion, config: RoundConfig) -> Iterator[TooFewVotesError]:
    found = selectors.count_voted(version=version, in_panel=False, at_most=config.folds)
    if config.min_training_subjects <= found < config.folds:
        message = _(
            "folds must be at most as many as there are galaxies with votes outside the control "
            "panel: %(needed)s are asked for, there are %(found)s"
        )
        numbers = {"needed": config.folds, "found": found}
        yield TooFewVotesError(message % numbers, **numbers)


def waits_for(*, rule: RoundRule) -> Iterator[Reason]:
    """Yield what the schedule waits for; what is cheap to find out comes first."""
    if not rule.is_on:
        yield _wait("schedule-off", _("the schedule is off"))
    latest = selectors.rounds_of(workflow=rule.workflow).first()
    if latest is not None:
        yield from _waits_after(latest, rule)
    if rule.workflow.current_version is not None:
        yield from _waits_for_votes(rule.workflow.current_version, rule)


def _wait(kind: str, message: str) -> Reason:
    return Reason(kind, message, schedule_only=True)


def _waits_after(latest: Round, rule: RoundRule) -> Iterator[Reason]:
    if latest.state == RoundState.FAILED:
        message = _("round %(number)s failed: mend what was wrong, then resume it or start another")
        yield _wait("last-failed", message % {"number": latest.number})
    due = latest.created_at + dt.timedelta(hours=rule.hours_between)
    if timezone.now() < due:
        message = _("%(hours)s hours must pass between rounds: the next may start at %(due)s")
        found = {"hours": rule.hours_between, "due": f"{due:%Y-%m-%d %H:%M} UTC"}
        yield _wait("hours-between", message % found)


def _waits_for_votes(version: WorkflowVersion, rule: RoundRule) -> Iterator[Reason]:
    needed = {False: rule.training_galaxies, True: rule.panel_galaxies}
    sentences = {
        False: _("the rule wants %(needed)s galaxies with votes outside the panel, %(found)s have"),
        True: _("the rule wants %(needed)s galaxies with votes in the panel, %(found)s have"),
    }
    for in_panel, minimum in needed.items():
        found = selectors.count_voted(version=version, in_panel=in_panel, at_most=minimum)
        if found < minimum:
            numbers = {"needed": minimum, "found": found}
            yield _wait("minimum-galaxies", sentences[in_panel] % numbers)
    new = new_votes(version=version)
    if new < rule.new_votes:
        message = _("the rule wants %(needed)s votes since the last round, there are %(found)s")
        yield _wait("new-votes", message % {"needed": rule.new_votes, "found": new})


def new_votes(*, version: WorkflowVersion) -> int:
    """Return the votes under this version since its last round that ended well."""
    last = last_success(version=version)
    return max(0, count_classifications(version=version) - (last.votes if last else 0))


def last_success(*, version: WorkflowVersion) -> Round | None:
    """Return the latest round of this version that ended well, if any."""
    rounds = selectors.rounds_of(workflow=version.workflow).filter(version=version)
    return rounds.filter(state=RoundState.SUCCEEDED).first()
