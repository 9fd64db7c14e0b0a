"""What an admin does to rounds: start, cancel, resume, override the gate.

What a worker does to them is in `lenticular.rounds.work`, and publication in
`lenticular.rounds.publishing`; both are offered here too.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any, cast

from celery import signature
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone
from kombu.exceptions import OperationalError

from lenticular.common.errors import ForbiddenError, InvalidInputError
from lenticular.rounds import selectors
from lenticular.rounds.errors import RoundConfigError, RoundStateError
from lenticular.rounds.live import nudge
from lenticular.rounds.models import STAGES, Round, RoundStage, RoundState, Verdict
from lenticular.rounds.provenance import code_version
from lenticular.rounds.publishing import (
    Prepared,
    install_round,
    prepared,
    publish_round,
    require_whole,
)
from lenticular.rounds.rules import active_error, refusals, round_config, why_outdated
from lenticular.rounds.work import (
    beat_heart,
    cancel_claimed_round,
    claim_round,
    fail_round,
    record_provenance,
    report_progress,
)
from lenticular.workflows.services import lock_workflow
from mlcore.errors import ArtefactError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lenticular.accounts.models import User
    from lenticular.workflows.models import Workflow, WorkflowVersion
    from mlcore.round_plan import RoundConfig

__all__ = [
    "beat_heart",
    "cancel_claimed_round",
    "cancel_round",
    "claim_round",
    "enqueue_round",
    "fail_round",
    "override_gate",
    "publish_round",
    "record_provenance",
    "report_progress",
    "require_admin",
    "resume_round",
    "start_round",
]

RUN_ROUND = "lenticular.rounds.tasks.run_round"
MAX_SEED = 2**32 - 1
logger = logging.getLogger(__name__)


def start_round(
    *,
    workflow: Workflow,
    user: User | None,
    config: Mapping[str, Any] | None = None,
    seed: int | None = None,
    from_defaults: bool = False,
) -> Round:
    """Make a pending round of the workflow's current version and hand it to a worker.

    Parameters
    ----------
    workflow
        Must have a version.
    user
        Who asks; None for the machine itself (commands, schedules).
    config
        Settings of `mlcore.round_plan.RoundConfig`; what is left out is as the workflow's rule
        keeps it, or else has its default, and ``retirement_votes`` the workflow's.
    seed
        In [0, 2**32); drawn where None.
    from_defaults
        Whether to go by the defaults, and not by what the workflow's rule keeps.

    Raises
    ------
    ForbiddenError
        Where the user may not run rounds.
    RoundConfigError
        For a setting that breaks its rule; the message names it.
    RoundActiveError
        Where the workflow has an active round.
    TooFewVotesError
        Where too few galaxies have votes, or the workflow has no version.
    DiskSpaceError
        Where too little disk is free.
    """
    require_admin(user)
    settings = round_config(workflow=workflow, given=config, from_defaults=from_defaults)
    if seed is not None and not 0 <= seed <= MAX_SEED:
        raise RoundConfigError(f"seed must be in [0, {MAX_SEED}], is {seed}")
    for refusal in refusals(workflow=workflow, config=settings):
        raise refusal
    drawn = secrets.randbelow(MAX_SEED) if seed is None else seed
    # A workflow without a version was refused above.
    version = cast("WorkflowVersion", workflow.current_version)
    with transaction.atomic():
        round_ = _create_round(version, user, settings, drawn)
        transaction.on_commit(lambda: enqueue_round(round_id=round_.pk))
    return round_


def enqueue_round(*, round_id: int) -> None:
    """Put the round's task on the queue.

    Where the broker cannot be reached the round stays pending, and the scheduled look for
    rounds that nobody works on takes it up later.
    """
    try:
        signature(RUN_ROUND, args=(round_id,)).apply_async()
    except (OperationalError, OSError) as error:
        logger.warning("round %s stays pending, the broker is out of reach: %s", round_id, error)


@transaction.atomic
def cancel_round(*, round: Round, user: User | None) -> Round:  # noqa: A002
    """Cancel a pending or stalled round at once; ask a running one to stop.

    Finished stages stay, so that the round can be resumed.

    Raises
    ------
    RoundStateError
        Where the round is not active.
    """
    require_admin(user)
    locked = Round.objects.select_for_update().get(pk=round.pk)
    if not locked.is_active:
        raise RoundStateError(f"only an active round can be cancelled, {locked} is {locked.state}")
    locked.cancel_requested = True
    if locked.state == RoundState.PENDING or selectors.is_stalled(locked):
        locked.state = RoundState.CANCELLED
        locked.claimed_by = ""
        locked.finished_at = timezone.now()
    locked.save()
    transaction.on_commit(lambda: nudge(locked.pk))
    return locked


@transaction.atomic
def resume_round(*, round: Round, user: User | None) -> Round:  # noqa: A002
    """Make a failed or cancelled round pending again; finished stages are not redone.

    Raises
    ------
    RoundStateError
        Where the round is neither, is not the workflow's latest, or answers another version
        of the tree than people do now.
    RoundActiveError
        Where another round became active meanwhile.
    """
    require_admin(user)
    lock_workflow(workflow=round.workflow)
    locked = Round.objects.select_for_update().get(pk=round.pk)
    if locked.state not in {RoundState.FAILED, RoundState.CANCELLED}:
        raise RoundStateError(
            f"only a failed or cancelled round can be resumed, {locked} is {locked.state}"
        )
    _require_latest(locked)
    _require_asked(locked)
    locked.state, locked.error, locked.cancel_requested = RoundState.PENDING, "", False
    locked.claimed_by, locked.heartbeat_at, locked.finished_at = "", None, None
    locked.attempts = 0
    locked.save()
    locked.stages.update(error="")
    transaction.on_commit(lambda: _hand_over(locked.pk))
    return locked


def override_gate(*, round: Round, user: User | None, reason: str) -> Round:  # noqa: A002
    """Publish a refused round all the same, and keep the admin's reason.

    Raises
    ------
    InvalidInputError
        Where no reason is given.
    RoundStateError
        Where the gate did not refuse the round, a later one exists, people answer another
        version of the tree by now, or its files have changed since.
    """
    require_admin(user)
    if not reason.strip():
        raise InvalidInputError("reason must say why the gate is overridden, is blank")
    refused = Round.objects.select_related("workflow").get(pk=round.pk)
    _require_refused(refused)
    try:
        # Nothing is removed: a finished round cannot be resumed to make it again.
        with prepared(round=refused, verify=require_whole) as ready:
            return _override(refused, f"{reason.strip()} ({user or 'command line'})", ready)
    except ArtefactError as error:
        hint = "put the file back, or start another round"
        raise RoundStateError(f"{error}; {hint}") from error


@transaction.atomic
def _override(round_: Round, reason: str, ready: Prepared) -> Round:
    lock_workflow(workflow=round_.workflow)
    locked = Round.objects.select_for_update().get(pk=round_.pk)
    _require_refused(locked)
    locked.verdict, locked.verdict_reason = Verdict.OVERRIDDEN, reason
    locked.save(update_fields=["verdict", "verdict_reason"])
    install_round(round=locked, ready=ready)
    transaction.on_commit(lambda: nudge(locked.pk))
    return locked


def _require_refused(round_: Round) -> None:
    if round_.verdict != Verdict.REFUSED:
        raise RoundStateError(f"only a refused round can be overridden, {round_} is not refused")
    _require_latest(round_)
    _require_asked(round_)


def require_admin(user: User | None) -> None:
    """Raise ForbiddenError where the user may not run rounds; None is the machine itself."""
    if user is not None and not user.may_run_rounds:
        raise ForbiddenError(f"running rounds needs the role admin, {user} has {user.role!r}")


def _create_round(
    version: WorkflowVersion, user: User | None, config: RoundConfig, seed: int
) -> Round:
    workflow = version.workflow
    lock_workflow(workflow=workflow)
    last = Round.objects.filter(workflow=workflow).aggregate(last=Max("number"))["last"] or 0
    try:
        with transaction.atomic():
            round_ = Round.objects.create(
                workflow=workflow,
                version=version,
                number=last + 1,
                requested_by=user,
                seed=seed,
                config=config.to_dict(),
                code_version=code_version(),
            )
    except IntegrityError as error:
        raise active_error(workflow, selectors.active_round(workflow=workflow)) from error
    RoundStage.objects.bulk_create(
        RoundStage(round=round_, position=position, name=name)
        for position, name in enumerate(STAGES)
    )
    return round_


def _require_latest(round_: Round) -> None:
    later = Round.objects.filter(workflow=round_.workflow, number__gt=round_.number).first()
    if later is not None and later.is_active:
        raise active_error(round_.workflow, later)
    if later is not None:
        raise RoundStateError(f"only the latest round allows this, round {later.number} is later")


def _require_asked(round_: Round) -> None:
    outdated = why_outdated(round_=round_)
    if outdated:
        raise RoundStateError(outdated)


def _hand_over(round_id: int) -> None:
    nudge(round_id)
    enqueue_round(round_id=round_id)
