"""What an admin may do to rounds, and when."""

import datetime as dt

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError

from lenticular.common.errors import ForbiddenError, InvalidInputError
from lenticular.rounds import selectors, services
from lenticular.rounds.errors import (
    RoundActiveError,
    RoundConfigError,
    RoundStateError,
    TooFewVotesError,
)
from lenticular.rounds.models import (
    STAGES,
    Round,
    RoundRule,
    RoundState,
    TrainedModel,
    Verdict,
)
from lenticular.rounds.work import claim_round, fail_round
from lenticular.selection.models import QueueEntry
from mlcore.round_plan import RoundConfig

from .conftest import TINY, WORKER

pytestmark = pytest.mark.django_db
enqueue_round = services.enqueue_round


def published(round_, write_stages, **changes):
    write_stages(round_, **changes)
    return services.publish_round(round=round_, worker=WORKER)


def stall(round_):
    Round.objects.filter(pk=round_.pk).update(heartbeat_at=timezone.now() - dt.timedelta(days=1))


class TestStart:
    def test_makes_a_pending_round_with_its_record(self, workflow, admin):
        round_ = services.start_round(workflow=workflow, user=admin, config=TINY, seed=7)
        assert (round_.number, round_.state, round_.seed) == (1, RoundState.PENDING, 7)
        assert round_.requested_by == admin
        assert round_.version == workflow.current_version
        assert round_.config["train"]["epochs"] == 2
        assert round_.config["retirement_votes"] == workflow.retirement_votes
        assert round_.code_version
        assert tuple(round_.stages.values_list("name", flat=True)) == STAGES

    def test_draws_a_seed_where_none_is_given(self, workflow, admin):
        assert services.start_round(workflow=workflow, user=admin, config=TINY).seed >= 0

    def test_a_second_start_is_a_conflict(self, pending, admin):
        with pytest.raises(RoundActiveError, match="round 1 is active") as caught:
            services.start_round(workflow=pending.workflow, user=admin, config=TINY)
        assert caught.value.status == 409
        assert caught.value.extra == {"active": 1}
        assert Round.objects.count() == 1

    def test_too_few_votes_are_refused(self, empty_workflow, admin):
        with pytest.raises(
            TooFewVotesError, match=r"at least 20 galaxies .* there are 0"
        ) as caught:
            services.start_round(workflow=empty_workflow, user=admin)
        assert caught.value.extra == {"found": 0, "needed": 20}
        assert not Round.objects.exists()

    def test_too_few_votes_in_the_panel_are_refused(self, workflow, admin):
        config = {**TINY, "min_held_out_subjects": 9}
        with pytest.raises(TooFewVotesError, match=r"at least 9 .* in the control panel, .* 8"):
            services.start_round(workflow=workflow, user=admin, config=config)

    def test_a_workflow_without_a_version_is_refused(self, workflow, admin):
        workflow.current_version = None
        with pytest.raises(TooFewVotesError, match="must have a version"):
            services.start_round(workflow=workflow, user=admin)

    @pytest.mark.parametrize(
        ("config", "message"),
        [({"folds": 1}, "folds"), ({"train": {"epochs": 0}}, "epochs"), ({"what": 1}, "what")],
    )
    def test_a_bad_setting_is_named(self, workflow, admin, config, message):
        with pytest.raises(RoundConfigError, match=message):
            services.start_round(workflow=workflow, user=admin, config=config)

    def test_what_is_given_goes_over_what_the_workflow_keeps(self, workflow, admin):
        RoundRule.objects.create(workflow=workflow, config=TINY)
        given = {"batch": 9, "train": {"epochs": 3}}
        config = services.start_round(workflow=workflow, user=admin, config=given).config
        assert (config["batch"], config["folds"]) == (9, TINY["folds"])
        trained = (config["train"]["epochs"], config["train"]["encoder"])
        assert trained == (3, TINY["train"]["encoder"])

    def test_goes_by_the_defaults_where_told_to(self, workflow, admin):
        RoundRule.objects.create(workflow=workflow, config=TINY)
        round_ = services.start_round(
            workflow=workflow, user=admin, config={"batch": 9}, from_defaults=True
        )
        expected = RoundConfig(batch=9, retirement_votes=workflow.retirement_votes)
        assert round_.config == expected.to_dict()

    @pytest.mark.parametrize("seed", [-1, 2**32])
    def test_a_bad_seed_is_named(self, workflow, admin, seed):
        with pytest.raises(RoundConfigError, match="seed must be in"):
            services.start_round(workflow=workflow, user=admin, config=TINY, seed=seed)

    def test_others_are_refused(self, workflow, expert):
        with pytest.raises(ForbiddenError):
            services.start_round(workflow=workflow, user=expert, config=TINY)

    def test_hands_the_round_to_a_worker_on_commit(
        self, workflow, handed, django_capture_on_commit_callbacks
    ):
        with django_capture_on_commit_callbacks(execute=True):
            round_ = services.start_round(workflow=workflow, user=None, config=TINY)
            assert handed == []
        assert handed == [round_.pk]

    def test_a_broker_out_of_reach_leaves_the_round_pending(self, pending, monkeypatch):
        class Unreachable:
            def apply_async(self):
                raise OperationalError("connection refused")

        monkeypatch.setattr(services, "signature", lambda *_args, **_kwargs: Unreachable())
        enqueue_round(round_id=pending.pk)
        pending.refresh_from_db()
        assert pending.state == RoundState.PENDING


class TestCancel:
    def test_a_pending_round_ends_at_once(self, pending, admin):
        assert services.cancel_round(round=pending, user=admin).state == RoundState.CANCELLED
        assert not claim_round(round_id=pending.pk, worker=WORKER)

    def test_a_running_round_is_asked_to_stop(self, running, admin):
        round_ = services.cancel_round(round=running, user=admin)
        assert (round_.state, round_.cancel_requested) == (RoundState.RUNNING, True)

    def test_a_stalled_round_ends_at_once(self, running, admin):
        stall(running)
        assert services.cancel_round(round=running, user=admin).state == RoundState.CANCELLED

    def test_an_ended_round_is_a_conflict(self, pending, admin):
        services.cancel_round(round=pending, user=admin)
        with pytest.raises(RoundStateError, match="only an active round"):
            services.cancel_round(round=pending, user=admin)

    def test_others_are_refused(self, pending, expert):
        with pytest.raises(ForbiddenError):
            services.cancel_round(round=pending, user=expert)


class TestResume:
    def test_a_failed_round_waits_for_a_worker_again(self, running, admin):
        fail_round(round_id=running.pk, worker=WORKER, stage="train", error="out of memory")
        round_ = services.resume_round(round=running, user=admin)
        assert (round_.state, round_.error) == (RoundState.PENDING, "")
        assert not round_.stages.exclude(error="").exists()
        assert claim_round(round_id=round_.pk, worker="another")

    def test_a_cancelled_round_is_not_cancelled_again(self, pending, admin):
        services.cancel_round(round=pending, user=admin)
        assert not services.resume_round(round=pending, user=admin).cancel_requested

    def test_an_active_round_is_a_conflict(self, pending, admin):
        with pytest.raises(RoundStateError, match="only a failed or cancelled"):
            services.resume_round(round=pending, user=admin)

    def test_another_active_round_is_a_conflict(self, pending, admin):
        services.cancel_round(round=pending, user=admin)
        services.start_round(workflow=pending.workflow, user=admin, config=TINY)
        with pytest.raises(RoundActiveError, match="round 2 is active"):
            services.resume_round(round=pending, user=admin)

    def test_a_later_round_is_a_conflict(self, pending, admin):
        services.cancel_round(round=pending, user=admin)
        later = services.start_round(workflow=pending.workflow, user=admin, config=TINY)
        services.cancel_round(round=later, user=admin)
        with pytest.raises(RoundStateError, match="round 2 is later"):
            services.resume_round(round=pending, user=admin)

    def test_a_round_of_another_tree_is_a_conflict(self, running, admin, ask_another_tree):
        fail_round(round_id=running.pk, worker=WORKER, stage="train", error="out of memory")
        ask_another_tree()
        with pytest.raises(RoundStateError, match="answers version 1 of the tree"):
            services.resume_round(round=running, user=admin)
        running.refresh_from_db()
        assert running.state == RoundState.FAILED
        assert not selectors.may_be_resumed(running)


class TestOverride:
    def test_publishes_a_refused_round_and_keeps_the_reason(self, running, admin, write_stages):
        published(running, write_stages, not_worse=False)
        round_ = services.override_gate(round=running, user=admin, reason=" too few controls ")
        assert round_.verdict == Verdict.OVERRIDDEN
        assert round_.verdict_reason == "too few controls (ada)"
        assert selectors.current_model(running.workflow).round == running
        assert QueueEntry.objects.filter(generation=1).count() == 2
        assert running.flags.count() == 1

    def test_needs_a_reason(self, running, admin, write_stages):
        published(running, write_stages, not_worse=False)
        with pytest.raises(InvalidInputError, match="reason must say why"):
            services.override_gate(round=running, user=admin, reason=" ")

    def test_an_accepted_round_is_a_conflict(self, running, admin, write_stages):
        published(running, write_stages)
        with pytest.raises(RoundStateError, match="only a refused round"):
            services.override_gate(round=running, user=admin, reason="why not")

    def test_a_later_round_is_a_conflict(self, running, admin, write_stages):
        published(running, write_stages, not_worse=False)
        services.start_round(workflow=running.workflow, user=admin, config=TINY)
        with pytest.raises(RoundActiveError):
            services.override_gate(round=running, user=admin, reason="why not")

    def test_a_round_of_another_tree_is_a_conflict(
        self, running, admin, write_stages, ask_another_tree
    ):
        published(running, write_stages, not_worse=False)
        ask_another_tree()
        with pytest.raises(RoundStateError, match="answers version 1 of the tree"):
            services.override_gate(round=running, user=admin, reason="why not")
        running.refresh_from_db()
        assert running.verdict == Verdict.REFUSED
        assert not selectors.may_be_overridden(running)
        assert not TrainedModel.objects.filter(is_current=True).exists()

    def test_changed_files_are_a_conflict_and_nothing_is_published(
        self, running, admin, write_stages
    ):
        published(running, write_stages, not_worse=False)
        from lenticular.rounds.workspace import stage_folder

        (stage_folder(running, "flag").path / "mislabels.parquet").write_bytes(b"")
        for _ in range(2):
            with pytest.raises(RoundStateError, match=r"mislabels\.parquet has changed; put the"):
                services.override_gate(round=running, user=admin, reason="why not")
        assert not TrainedModel.objects.filter(is_current=True).exists()
        assert not QueueEntry.objects.filter(generation=1).exists()
