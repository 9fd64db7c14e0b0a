"""Runs a round in a worker: from the database to files, through the machine, and back.

The only module of the platform that imports the machine's heavy half.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from typing import TYPE_CHECKING, Self

import torch
from django.conf import settings
from django.db import connection
from django.db.models import Sum

from lenticular.consensus.models import Tally
from lenticular.rounds import services, workspace
from lenticular.rounds.disk import require_disk
from lenticular.rounds.errors import (
    LostClaimError,
    NotComparedError,
    RoundConfigError,
    RoundLimitError,
)
from lenticular.rounds.failing import for_people
from lenticular.rounds.inputs import write_inputs
from lenticular.rounds.lost_connections import LOST, outlast
from lenticular.rounds.models import Round
from lenticular.rounds.provenance import code_version
from lenticular.rounds.rules import damaged_model
from lenticular.rounds.selectors import current_model, get_round
from lenticular.selection.models import QueueEntry
from mlcore.cnn.encoder import blank_encoder
from mlcore.errors import CancelledError, InvalidInputError
from mlcore.round_plan import RoundConfig, RoundPlan
from mlcore.training_round import run_round

if TYPE_CHECKING:
    from types import TracebackType

REPORT_SECONDS = 0.5
logger = logging.getLogger(__name__)


def run(round_id: int) -> bool:
    """Run the round to its end where it can be claimed; tell whether it was.

    A round that fails is marked as failed with its error, one that is cancelled as
    cancelled, and one that another worker has taken up meanwhile is left to that worker.
    """
    worker = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    if not services.claim_round(round_id=round_id, worker=worker):
        logger.info("round %s is not free", round_id)
        return False
    if settings.LENTICULAR_ROUND_THREADS:
        torch.set_num_threads(settings.LENTICULAR_ROUND_THREADS)
    reporter = _Reporter(round_id, worker)
    with _Heart(round_id, worker) as heart:
        try:
            _work(get_round(round_id=round_id), worker, reporter, heart)
        except CancelledError:
            outlast(lambda: services.cancel_claimed_round(round_id=round_id, worker=worker))
        except LostClaimError as error:
            logger.warning("left round %s: %s", round_id, error)
        except Exception as error:
            logger.exception("round %s failed at %s", round_id, reporter.stage)
            _fail(round_id, worker, reporter.stage, for_people(error))
    return True


def _fail(round_id: int, worker: str, stage: str, error: str) -> None:
    outlast(lambda: services.fail_round(round_id=round_id, worker=worker, stage=stage, error=error))


def _work(round_: Round, worker: str, reporter: _Reporter, heart: _Heart) -> None:
    if round_.cancel_requested:
        raise CancelledError("the round was cancelled before a worker had it")
    require_disk(workspace.round_folder(round_))
    _require_encoder(plan_of(round_).config)
    folder = workspace.round_folder(round_)
    votes = Tally.objects.filter(version=round_.version).aggregate(votes=Sum("classifications"))
    services.record_provenance(
        round_id=round_.pk,
        worker=worker,
        votes=round_.votes or votes["votes"] or 0,
        devices=_devices(),
        pool=round_.pool or QueueEntry.objects.filter(workflow=round_.workflow).count(),
    )
    write_inputs(round_, folder / "input", on_progress=reporter.reading)
    while not _is_published(round_, worker, reporter, heart):
        logger.info("%s is compared anew: another model is the current one by now", round_)


def _is_published(round_: Round, worker: str, reporter: _Reporter, heart: _Heart) -> bool:
    """Do what is not done yet and publish; False where the model was replaced meanwhile."""
    run_round(
        plan_of(round_),
        workspace.round_folder(round_),
        on_progress=reporter.report,
        should_stop=heart.wants_stop,
    )
    reporter.report("publish", 0.0, "publishing")
    try:
        outlast(lambda: services.publish_round(round=round_, worker=worker))
    except NotComparedError:
        return False
    return True


def plan_of(round_: Round) -> RoundPlan:
    """Return what the machine is to do, and the model that it has to beat.

    Raises
    ------
    DamagedModelError
        Where the files of that model are missing or have changed.
    """
    damaged = damaged_model(workflow=round_.workflow)
    if damaged is not None:
        raise damaged
    current = current_model(round_.workflow)
    return RoundPlan(
        tree=round_.version.tree,
        seed=round_.seed,
        config=RoundConfig.from_dict(round_.config),
        shared=workspace.shared_folder(round_.workflow),
        images=workspace.images_folder(),
        previous_model=workspace.model_folder(current) if current else None,
        code_version=code_version(),
    )


def _require_encoder(config: RoundConfig) -> None:
    """Find out before anything long what the web process, which has no timm, cannot know.

    Raises
    ------
    RoundConfigError
        For an encoder that nobody knows, or that cannot take images so small.
    """
    try:
        blank_encoder(config.train)
    except InvalidInputError as error:
        raise RoundConfigError(f"{error}; start another round, with another setting") from error


def _devices() -> list[str]:
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return [*names, f"CPU, {torch.get_num_threads()} threads"]


class _Reporter:
    """Passes progress on to the database, a few times a second at most."""

    def __init__(self, round_id: int, worker: str) -> None:
        self.stage = "snapshot"
        self._round_id, self._worker = round_id, worker
        self._reported, self._reached = 0.0, 0.0

    def report(self, stage: str, fraction: float, message: str) -> None:
        now = time.monotonic()
        is_news = stage != self.stage or fraction >= 1
        if not is_news and now - self._reported < REPORT_SECONDS:
            return
        # The machine counts its part of the snapshot from 0, after our reading of the votes.
        self._reached = max(fraction, self._reached) if stage == self.stage else fraction
        begins, self.stage, self._reported = stage != self.stage, stage, now
        if begins:
            require_disk(workspace.local_path("rounds"))
        outlast(
            lambda: services.report_progress(
                round_id=self._round_id,
                worker=self._worker,
                stage=stage,
                fraction=self._reached,
                message=message,
            )
        )

    def reading(self, fraction: float, message: str) -> None:
        """Report the first half of the snapshot: reading the database."""
        self.report("snapshot", 0.5 * fraction, message)


class _Heart:
    """A thread that tells the database the worker lives, and hears whether it shall stop.

    It also keeps the time: a round may take LENTICULAR_ROUND_MAX_SECONDS each time that a
    worker takes it up.
    """

    def __init__(self, round_id: int, worker: str) -> None:
        self._round_id, self._worker = round_id, worker
        self._cancelled, self._lost, self._done = (threading.Event() for _ in range(3))
        self._began, self._limit = time.monotonic(), settings.LENTICULAR_ROUND_MAX_SECONDS
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def wants_stop(self) -> bool:
        """Tell whether the round was cancelled.

        Raises LostClaimError where it was taken away, RoundLimitError where its time is up.
        """
        took = time.monotonic() - self._began
        if self._limit and took > self._limit:
            raise RoundLimitError(
                f"the round may take {self._limit} s, has taken {took:.0f} s; resume it to go on "
                "where it was, and raise LENTICULAR_ROUND_MAX_SECONDS where that is too little"
            )
        if self._lost.is_set():
            raise LostClaimError(f"round {self._round_id} was taken up by another worker")
        return self._cancelled.is_set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _beat(self) -> None:
        interval = min(1.0, settings.LENTICULAR_ROUND_STALL_SECONDS / 4)
        while not self._done.wait(interval):
            try:
                self._beat_once()
            except LOST as error:
                connection.close_if_unusable_or_obsolete()
                logger.warning("no heartbeat for round %s: %s", self._round_id, error)
        connection.close()

    def _beat_once(self) -> None:
        if not services.beat_heart(round_id=self._round_id, worker=self._worker):
            self._lost.set()
        elif Round.objects.filter(pk=self._round_id, cancel_requested=True).exists():
            self._cancelled.set()
