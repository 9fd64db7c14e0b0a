"""Claims: one worker has a round, and one that was thought dead can change nothing."""

import datetime as dt

import pytest
from django.utils import timezone

from lenticular.rounds import selectors, services, work
from lenticular.rounds.errors import LostClaimError
from lenticular.rounds.models import Round, RoundState

from .conftest import WORKER

pytestmark = pytest.mark.django_db


def stall(round_):
    Round.objects.filter(pk=round_.pk).update(heartbeat_at=timezone.now() - dt.timedelta(days=1))


class TestClaim:
    def test_one_of_two_workers_gets_a_round(self, pending):
        assert work.claim_round(round_id=pending.pk, worker="one")
        assert not work.claim_round(round_id=pending.pk, worker="two")

    def test_a_stalled_round_is_taken_up(self, running):
        started = running.started_at
        stall(running)
        assert work.claim_round(round_id=running.pk, worker="two")
        running.refresh_from_db()
        assert (running.claimed_by, running.started_at) == ("two", started)

    def test_a_round_that_costs_worker_after_worker_ends(self, running):
        for attempt in range(1, work.MAX_ATTEMPTS):
            stall(running)
            assert work.claim_round(round_id=running.pk, worker=f"worker {attempt}")
        stall(running)
        assert not work.claim_round(round_id=running.pk, worker="the last")
        running.refresh_from_db()
        assert running.state == RoundState.FAILED
        assert running.error.startswith("snapshot: 4 workers have died without a word")
        assert running.stages.get(name="snapshot").error
        resumed = services.resume_round(round=running, user=None)
        assert work.claim_round(round_id=resumed.pk, worker="one with more memory")

    def test_a_stage_left_half_done_begins_its_time_anew(self, running):
        report = {"round_id": running.pk, "worker": WORKER, "message": "on"}
        work.report_progress(**report, stage="snapshot", fraction=1.0)
        work.report_progress(**report, stage="train", fraction=0.5)
        stall(running)
        work.claim_round(round_id=running.pk, worker="two")
        assert running.stages.get(name="snapshot").started_at
        assert running.stages.get(name="train").started_at is None

    def test_an_ended_round_is_not_claimed(self, running):
        work.fail_round(round_id=running.pk, worker=WORKER, stage="train", error="broken")
        assert not work.claim_round(round_id=running.pk, worker="two")

    def test_rounds_that_nobody_works_on_are_found(self, running):
        assert selectors.rounds_to_take_up() == []
        stall(running)
        assert selectors.rounds_to_take_up() == [running.pk]

    def test_a_round_that_waits_for_too_long_is_found(self, pending):
        Round.objects.update(created_at=timezone.now() - dt.timedelta(days=1))
        assert selectors.rounds_to_take_up() == [pending.pk]


class TestReports:
    def test_progress_is_kept(self, running):
        for fraction in (0.0, 0.5, 1.0):
            work.report_progress(
                round_id=running.pk, worker=WORKER, stage="train", fraction=fraction, message="on"
            )
        stage = running.stages.get(name="train")
        assert stage.progress == 1.0
        assert stage.started_at <= stage.finished_at

    def test_a_finished_stage_that_is_told_again_keeps_its_time(self, running):
        finished = []
        for _ in range(2):
            work.report_progress(
                round_id=running.pk, worker=WORKER, stage="train", fraction=1.0, message="on"
            )
            finished.append(running.stages.get(name="train").finished_at)
        assert finished[0] == finished[1]

    def test_a_stage_made_again_is_not_finished_and_begins_anew(self, running):
        for fraction in (1.0, 0.2):
            work.report_progress(
                round_id=running.pk, worker=WORKER, stage="train", fraction=fraction, message="on"
            )
            if fraction == 1.0:
                first = running.stages.get(name="train")
        again = running.stages.get(name="train")
        assert again.finished_at is None
        assert again.started_at > first.started_at

    def test_a_lost_claim_changes_nothing(self, running):
        stall(running)
        work.claim_round(round_id=running.pk, worker="two")
        with pytest.raises(LostClaimError):
            work.report_progress(
                round_id=running.pk, worker=WORKER, stage="train", fraction=1.0, message=""
            )
        assert not work.beat_heart(round_id=running.pk, worker=WORKER)
        assert not work.fail_round(round_id=running.pk, worker=WORKER, stage="train", error="no")
        assert not work.cancel_claimed_round(round_id=running.pk, worker=WORKER)
        running.refresh_from_db()
        assert running.state == RoundState.RUNNING

    def test_a_heartbeat_keeps_the_round(self, running):
        stall(running)
        assert work.beat_heart(round_id=running.pk, worker=WORKER)
        assert selectors.rounds_to_take_up() == []

    def test_a_failure_is_told_where_it_happened(self, running):
        work.fail_round(round_id=running.pk, worker=WORKER, stage="predict", error="disk is full")
        running.refresh_from_db()
        assert running.error == "predict: disk is full"
        assert running.stages.get(name="predict").error == "disk is full"

    def test_provenance_is_recorded(self, running):
        work.record_provenance(round_id=running.pk, worker=WORKER, votes=9, devices=["CPU"])
        running.refresh_from_db()
        assert running.votes == 9
        assert running.hardware["devices"] == ["CPU"]
        assert running.hardware["cores"] >= 1
