"""What a worker does to a round: claim it, be heard, report, fail.

Every write is a conditional UPDATE on the claim, so that a worker that was thought dead,
and whose round another has taken up, can change nothing any more.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from lenticular.rounds.errors import LostClaimError
from lenticular.rounds.live import nudge
from lenticular.rounds.models import STAGES, Round, RoundStage, RoundState
from lenticular.rounds.provenance import code_version, hardware

MAX_ATTEMPTS = 4
"""How many workers a round may cost before it is left to people."""


def stalled_before() -> dt.datetime:
    """Return the time before which a running round must have been heard, or is stalled."""
    seconds = settings.LENTICULAR_ROUND_STALL_SECONDS
    return timezone.now() - dt.timedelta(seconds=seconds)


def claim_round(*, round_id: int, worker: str) -> bool:
    """Take a pending or stalled round for `worker`; tell whether it was had.

    Of any number of workers that try at once, one gets it. A round whose last
    `MAX_ATTEMPTS` workers died ends as failed instead.
    """
    _give_up(round_id)
    now = timezone.now()
    free = Q(state=RoundState.PENDING) | Q(
        state=RoundState.RUNNING, heartbeat_at__lt=stalled_before()
    )
    claimed = Round.objects.filter(free, pk=round_id).update(
        state=RoundState.RUNNING,
        claimed_by=worker,
        heartbeat_at=now,
        attempts=F("attempts") + 1,
        started_at=Coalesce(F("started_at"), now),
    )
    if claimed:
        # What another worker left half done begins anew, and so does its time.
        RoundStage.objects.filter(round=round_id, finished_at=None).update(started_at=None)
        nudge(round_id)
    return bool(claimed)


@transaction.atomic
def _give_up(round_id: int) -> None:
    """End a round that has cost worker after worker its life: another would die of it too."""
    stalled = Round.objects.filter(
        pk=round_id,
        state=RoundState.RUNNING,
        heartbeat_at__lt=stalled_before(),
        attempts__gte=MAX_ATTEMPTS,
    )
    if not stalled.update(state=RoundState.FAILED, claimed_by="", finished_at=timezone.now()):
        return
    stage = RoundStage.objects.filter(round=round_id, finished_at=None).first()
    name = stage.name if stage else STAGES[-1]
    error = (
        f"{MAX_ATTEMPTS} workers have died without a word, as they do when the memory is used up "
        "or the database stays away; mend that and resume, or start another round with smaller "
        "train.batch_size and train.predict_batch_size"
    )
    Round.objects.filter(pk=round_id).update(error=f"{name}: {error}")
    RoundStage.objects.filter(round=round_id, name=name).update(error=error)
    transaction.on_commit(lambda: nudge(round_id))


def beat_heart(*, round_id: int, worker: str) -> bool:
    """Say that `worker` is alive; False once the round is no longer its own."""
    return bool(_claimed(round_id, worker).update(heartbeat_at=timezone.now()))


def report_progress(
    *, round_id: int, worker: str, stage: str, fraction: float, message: str
) -> None:
    """Record how far a stage is, `fraction` in [0, 1]; at 1 it is finished.

    Raises
    ------
    LostClaimError
        Where another worker has the round.
    """
    now = timezone.now()
    is_done = fraction >= 1
    began = Coalesce(F("started_at"), now)
    # A stage that was finished and is made again takes the time of its making alone.
    again = Case(When(finished_at__isnull=False, then=Value(now)), default=began)
    changed = RoundStage.objects.filter(round__in=_claimed(round_id, worker), name=stage).update(
        progress=min(max(fraction, 0.0), 1.0),
        message=message[:300],
        started_at=began if is_done else again,
        finished_at=Coalesce(F("finished_at"), now) if is_done else None,
    )
    if not changed:
        raise LostClaimError(f"round {round_id} must be claimed by {worker}, is not any more")
    nudge(round_id)


@transaction.atomic
def record_provenance(
    *, round_id: int, worker: str, votes: int, devices: list[str], pool: int = 0
) -> None:
    """Record the votes and galaxies that the round reads, and the machine and code it runs on."""
    _claimed(round_id, worker).update(
        votes=votes,
        pool=pool,
        hardware={**hardware(), "devices": devices},
        code_version=code_version(),
    )


@transaction.atomic
def fail_round(*, round_id: int, worker: str, stage: str, error: str) -> bool:
    """End the round with an error at `stage`; False where it was another worker's."""
    ended = _claimed(round_id, worker).update(
        state=RoundState.FAILED,
        error=f"{stage}: {error}",
        claimed_by="",
        finished_at=timezone.now(),
    )
    if ended:
        RoundStage.objects.filter(round_id=round_id, name=stage).update(error=error)
        transaction.on_commit(lambda: nudge(round_id))
    return bool(ended)


@transaction.atomic
def cancel_claimed_round(*, round_id: int, worker: str) -> bool:
    """End the round as cancelled; False where it was another worker's."""
    ended = _claimed(round_id, worker).update(
        state=RoundState.CANCELLED, claimed_by="", finished_at=timezone.now()
    )
    if ended:
        transaction.on_commit(lambda: nudge(round_id))
    return bool(ended)


def _claimed(round_id: int, worker: str) -> QuerySet[Round]:
    return Round.objects.filter(pk=round_id, state=RoundState.RUNNING, claimed_by=worker)
