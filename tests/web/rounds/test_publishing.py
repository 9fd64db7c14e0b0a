"""Publication: the gate, and all or nothing."""

from contextlib import contextmanager

import pytest
from django.db import connection

from lenticular.common.errors import LenticularError
from lenticular.consensus.models import Tally
from lenticular.rounds import publishing, rolling, selectors, services, workspace
from lenticular.rounds.errors import LostClaimError, NotComparedError
from lenticular.rounds.models import (
    FlagState,
    MislabelFlag,
    RoundState,
    TrainedModel,
    Verdict,
)
from lenticular.rounds.rolling import roll_back
from lenticular.rounds.work import claim_round
from lenticular.rounds.workspace import stage_folder
from lenticular.selection.models import QueueEntry
from lenticular.subjects.models import Subject
from mlcore import stages
from mlcore.errors import ArtefactError, CancelledError

from .conftest import TINY, WORKER

pytestmark = pytest.mark.django_db


def publish(round_):
    return services.publish_round(round=round_, worker=WORKER)


@pytest.fixture
def second(running, admin, write_stages):
    """The first round is published, the second one is running."""
    write_stages(running)
    publish(running)
    round_ = services.start_round(workflow=running.workflow, user=admin, config=TINY, seed=2)
    assert claim_round(round_id=round_.pk, worker=WORKER)
    return round_


class TestFirstRound:
    def test_its_model_is_the_current_one(self, running, write_stages):
        write_stages(running)
        round_ = publish(running)
        model = selectors.current_model(running.workflow)
        assert (round_.state, round_.verdict) == (RoundState.SUCCEEDED, Verdict.ACCEPTED)
        assert model.round == round_
        assert model.artefacts == f"{round_.artefacts}/train/model"
        assert model.origin["source"] == "scratch"

    def test_its_findings_are_recorded(self, running, write_stages):
        write_stages(running)
        round_ = publish(running)
        assert round_.catalogue_checksum == "c" * 64
        assert round_.evaluation["questions"]["shape"]["accuracy"] == 0.9
        assert round_.verdict_reason == "Said by the gate."
        assert round_.stages.get(name="publish").progress == 1.0

    def test_its_queue_is_served(self, running, write_stages):
        write_stages(running)
        publish(running)
        entries = QueueEntry.objects.filter(generation=1).order_by("-priority")
        assert [entry.subject.external_id for entry in entries] == ["3", "2"]
        assert [entry.room for entry in entries] == [4, 10]
        assert min(entry.priority for entry in entries) >= 1
        assert entries[0].top_answer == "shape_bar"

    def test_its_flags_are_kept_in_order(self, running, write_stages):
        write_stages(running, flags=("1", "5"))
        publish(running)
        flags = MislabelFlag.objects.all()
        assert [(flag.rank, flag.subject.external_id) for flag in flags] == [(1, "1"), (2, "5")]
        assert flags[0].observed == {"round": 0.0, "bar": 1.0}
        assert flags[0].reason == "5 of 5 said bar"


class TestVotesThatCameInMeanwhile:
    """The first queue asks for 4 more votes on subject 3, which had 5."""

    @pytest.mark.parametrize(
        ("now", "wanted", "room"), [(5, 9, 4), (7, 9, 2), (9, 9, 0), (12, 12, 0)]
    )
    def test_are_not_asked_for_again(self, running, write_stages, now, wanted, room):
        write_stages(running, votes=[5, 0, 0])
        Tally.objects.filter(subject__external_id="3").update(classifications=now)
        publish(running)
        entry = QueueEntry.objects.get(subject__external_id="3")
        assert (entry.wanted, entry.room) == (wanted, room)

    def test_are_not_known_to_rounds_of_earlier_releases(self, running, write_stages):
        write_stages(running)
        Tally.objects.filter(subject__external_id="3").update(classifications=9)
        publish(running)
        entry = QueueEntry.objects.get(subject__external_id="3")
        assert (entry.wanted, entry.room) == (13, 4)


class TestGate:
    def test_a_model_that_is_not_worse_replaces_the_old(self, second, write_stages):
        write_stages(second, not_worse=True)
        assert publish(second).verdict == Verdict.ACCEPTED
        assert selectors.current_model(second.workflow).round == second
        assert TrainedModel.objects.filter(is_current=True).count() == 1
        assert QueueEntry.objects.filter(generation=2).count() == 2

    def test_a_worse_model_is_refused_and_keeps_its_record(self, second, write_stages):
        write_stages(second, not_worse=False)
        round_ = publish(second)
        assert (round_.state, round_.verdict) == (RoundState.SUCCEEDED, Verdict.REFUSED)
        assert round_.evaluation["comparison"]["high"] == 0.2
        assert selectors.current_model(second.workflow).round.number == 1
        assert not QueueEntry.objects.filter(generation=2).exists()
        assert not second.flags.exists()
        assert not second.model.is_current


class TestRolledBackMeanwhile:
    @pytest.fixture
    def third(self, published_twice, write_stages):
        """A round that was compared with the second, when the first came back."""
        first, _second = published_twice
        round_ = services.start_round(workflow=first.workflow, user=None, config=TINY, seed=3)
        assert claim_round(round_id=round_.pk, worker=WORKER)
        write_stages(round_, not_worse=True)
        roll_back(round=first, user=None, reason="the second asks about stars")
        return round_

    def test_a_model_does_not_replace_one_that_it_was_not_compared_with(self, third):
        with pytest.raises(NotComparedError, match="must be compared with the current model"):
            publish(third)
        assert selectors.current_model(third.workflow).round.number == 1
        third.refresh_from_db()
        assert (third.state, third.verdict) == (RoundState.RUNNING, Verdict.NONE)

    def test_compared_anew_it_does(self, third, write_stages):
        write_stages(third, not_worse=True)
        assert publish(third).verdict == Verdict.ACCEPTED
        assert selectors.current_model(third.workflow).round == third


class TestAnotherTree:
    def test_what_answers_a_tree_of_before_is_kept_but_not_published(
        self, second, write_stages, ask_another_tree
    ):
        write_stages(second, not_worse=True)
        ask_another_tree()
        asked = list(QueueEntry.objects.order_by("id").values())
        round_ = publish(second)
        assert (round_.state, round_.verdict) == (RoundState.SUCCEEDED, Verdict.OUTDATED)
        assert round_.verdict_reason.startswith("People answer another version")
        assert round_.evaluation["n"] == 8
        assert list(QueueEntry.objects.order_by("id").values()) == asked
        assert selectors.current_model(second.workflow).round.number == 1
        assert not second.model.is_current
        assert not second.flags.exists()


class TestAllOrNothing:
    @pytest.mark.parametrize(
        ("stage", "name"), [("acquire", "queue.parquet"), ("flag", "mislabels.parquet")]
    )
    def test_a_changed_file_leaves_the_queue_whole(self, second, write_stages, stage, name):
        write_stages(second, not_worse=True)
        (stage_folder(second, stage).path / name).write_bytes(b"tampered")
        with pytest.raises(ArtefactError, match=f"{stage}/{name} must have checksum"):
            publish(second)
        assert selectors.current_model(second.workflow).round.number == 1
        assert QueueEntry.objects.filter(generation=1).count() == 2
        assert not QueueEntry.objects.filter(generation=2).exists()
        second.refresh_from_db()
        assert second.state == RoundState.RUNNING

    def test_an_unfinished_stage_is_not_published(self, running, write_stages):
        write_stages(running)
        stage_folder(running, "train").unmark()
        with pytest.raises(ArtefactError, match=r"stage train .* must be finished"):
            publish(running)

    def test_a_cancelled_round_publishes_nothing(self, running, admin, write_stages):
        write_stages(running)
        services.cancel_round(round=running, user=admin)
        with pytest.raises(CancelledError):
            publish(running)
        assert not TrainedModel.objects.exists()
        assert not QueueEntry.objects.filter(generation=1).exists()

    def test_a_lost_claim_publishes_nothing(self, running, write_stages):
        write_stages(running)
        with pytest.raises(LostClaimError):
            services.publish_round(round=running, worker="another")
        assert not TrainedModel.objects.exists()


def override(round_):
    return services.override_gate(round=round_, user=None, reason="better to look at")


def roll_back_to_first(round_):
    first = round_.workflow.rounds.get(number=1)
    return rolling.roll_back(round=first, user=None, reason="it asks about stars")


WAYS = {"publish": publish, "override": override, "roll back": roll_back_to_first}


@pytest.fixture(params=WAYS)
def put_in_place(request, second, write_stages):
    """Return what puts a round in place that is ready for it."""
    write_stages(second, not_worse=request.param != "override")
    if request.param != "publish":
        publish(second)
    return WAYS[request.param]


class TestVerifiedBeforeTheTransaction:
    @pytest.mark.django_db(transaction=True)
    def test_nobody_waits_while_files_are_hashed(self, second, put_in_place, monkeypatch):
        inside, checksum = [], stages.file_checksum

        def hashed(path):
            inside.append(connection.in_atomic_block)
            return checksum(path)

        for module in (stages, workspace):
            monkeypatch.setattr(module, "file_checksum", hashed)
        put_in_place(second)
        assert inside
        assert not any(inside)

    def test_a_queue_that_goes_away_before_it_is_read_is_told(
        self, second, put_in_place, monkeypatch
    ):
        current, staged_queue = selectors.current_model(second.workflow), publishing.staged_queue

        def too_late(**given):
            for queue in workspace.local_path("rounds").rglob("queue.parquet"):
                queue.unlink()
            return staged_queue(**given)

        monkeypatch.setattr(publishing, "staged_queue", too_late)
        with pytest.raises((ArtefactError, LenticularError), match="must be readable, is not"):
            put_in_place(second)
        assert selectors.current_model(second.workflow) == current

    @pytest.mark.parametrize("name", ["acquire/queue.parquet", "flag/mislabels.parquet"])
    def test_a_file_touched_since_is_not_published(self, second, put_in_place, monkeypatch, name):
        number = 1 if put_in_place is roll_back_to_first else 2
        round_ = second.workflow.rounds.get(number=number)
        current, staged_queue = selectors.current_model(second.workflow), publishing.staged_queue

        @contextmanager
        def touching(**given):
            with staged_queue(**given) as staged:
                (workspace.round_folder(round_) / name).write_bytes(b"tampered")
                yield staged

        monkeypatch.setattr(publishing, "staged_queue", touching)
        with pytest.raises((ArtefactError, LenticularError), match=f"{name} has changed while"):
            put_in_place(second)
        assert selectors.current_model(second.workflow) == current
        assert not QueueEntry.objects.exclude(generation__in=(0, current.round.number)).exists()


def test_what_an_expert_has_judged_is_not_flagged_again(second, write_stages):
    MislabelFlag.objects.update(state=FlagState.VOTES_RIGHT)
    write_stages(second, not_worse=True, flags=("1", "5"))
    publish(second)
    assert [flag.subject.external_id for flag in second.flags.all()] == ["5"]
    assert Subject.objects.get(pk=second.flags.get().subject_id).external_id == "5"
