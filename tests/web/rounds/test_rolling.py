"""Rolling back to an earlier model: who may, when, and all or nothing."""

import io

import pytest
from django.core.management import CommandError, call_command

from lenticular.common.errors import ForbiddenError, InvalidInputError
from lenticular.consensus.models import Tally
from lenticular.rounds import publishing, rolling, selectors, services
from lenticular.rounds.errors import RoundStateError
from lenticular.rounds.models import MislabelFlag, RollBack, RoundState, TrainedModel, Verdict
from lenticular.rounds.pruning import prune_rounds
from lenticular.rounds.workspace import stage_folder
from lenticular.selection.models import QueueEntry
from lenticular.workflows.models import WorkflowVersion
from mlcore.files import write_json

from .conftest import TINY, WORKER

pytestmark = pytest.mark.django_db


def roll_back(round_, user=None, reason="it asks about stars"):
    return rolling.roll_back(round=round_, user=user, reason=reason)


def generations(workflow):
    published = QueueEntry.objects.filter(workflow=workflow, generation__gt=0)
    return set(published.values_list("generation", flat=True))


def test_the_earlier_model_and_its_queue_are_back(published_twice, admin):
    old, new = published_twice
    assert rolling.why_no_roll_back(round_=old) is None
    done = roll_back(old, admin)
    assert (done.round, done.replaced, done.user) == (old, new, admin)
    assert done.reason == "it asks about stars"
    assert selectors.current_model(old.workflow).round == old
    assert TrainedModel.objects.filter(is_current=True).count() == 1
    assert generations(old.workflow) == {1}
    assert MislabelFlag.objects.filter(round__model__is_current=True).count() == 1


def test_and_forth_again(published_twice):
    old, new = published_twice
    roll_back(old)
    roll_back(new)
    assert selectors.current_model(old.workflow).round == new
    assert [each.round.number for each in RollBack.objects.all()] == [2, 1]


def test_votes_since_then_are_not_asked_for_again(running, write_stages):
    write_stages(running, votes=[5, 5, 0])
    services.publish_round(round=running, worker=WORKER)
    TrainedModel.objects.update(is_current=False)
    Tally.objects.filter(subject__external_id="3").update(classifications=8)
    roll_back(running)
    entries = QueueEntry.objects.filter(subject__external_id__in=("3", "2")).order_by("-priority")
    assert [(entry.wanted, entry.room) for entry in entries] == [(9, 1), (15, 10)]


def test_a_reason_is_not_asked_for(published_twice):
    done = roll_back(published_twice[0], reason=" ")
    assert (done.reason, done.why) == ("", "no reason given")
    assert str(done) == "back to tiny round 1: no reason given"


class TestSetAside:
    """A damaged current model, whose place no other takes."""

    @pytest.fixture
    def damaged(self, published_twice):
        """The file of the current model, which has changed."""
        model = stage_folder(published_twice[1], "train").path / "model" / "model.json"
        model.write_text("{")
        return model

    def set_aside(self, workflow, user=None, reason="the disk broke"):
        return rolling.set_model_aside(workflow=workflow, user=user, reason=reason)

    def test_leaves_the_queue_and_no_model_to_beat(self, published_twice, damaged, admin):
        workflow = published_twice[1].workflow
        done = self.set_aside(workflow, admin)
        assert (done.round, done.replaced, done.user) == (None, published_twice[1], admin)
        assert str(done) == "tiny round 2 set aside: the disk broke"
        assert selectors.current_model(workflow) is None
        assert generations(workflow) == {2}
        assert damaged.read_text() == "{"
        round_ = services.start_round(workflow=workflow, user=None, config=TINY)
        assert (round_.number, round_.state) == (3, RoundState.PENDING)

    def test_one_can_go_back_to_it_once_it_is_mended(self, published_twice, damaged):
        self.set_aside(published_twice[1].workflow)
        write_json(damaged, {"round": 2})
        roll_back(published_twice[1])
        assert selectors.current_model(published_twice[1].workflow).round == published_twice[1]

    def test_others_may_not(self, published_twice, damaged, expert):
        with pytest.raises(ForbiddenError, match="needs the role admin"):
            self.set_aside(published_twice[1].workflow, expert)

    def test_needs_a_reason(self, published_twice, damaged):
        with pytest.raises(InvalidInputError, match="reason must say why"):
            self.set_aside(published_twice[1].workflow, reason=" ")
        assert not RollBack.objects.exists()

    def test_a_whole_model_stays(self, published_twice):
        with pytest.raises(RoundStateError, match="only a damaged model can be set aside"):
            self.set_aside(published_twice[1].workflow)
        assert selectors.current_model(published_twice[1].workflow).round == published_twice[1]

    def test_once_is_enough(self, published_twice, damaged):
        self.set_aside(published_twice[1].workflow)
        with pytest.raises(RoundStateError, match="tiny must have a current model to set aside"):
            self.set_aside(published_twice[1].workflow)

    def test_a_model_gone_back_to_meanwhile_stays(self, published_twice, damaged, monkeypatch):
        old, new = published_twice

        def roll_back_meanwhile(*_args):
            monkeypatch.undo()
            roll_back(old)
            return "it has changed"

        monkeypatch.setattr(rolling, "find_damage", roll_back_meanwhile)
        with pytest.raises(RoundStateError, match="tiny round 2 must be the current one"):
            self.set_aside(new.workflow)
        assert selectors.current_model(new.workflow).round == old

    def test_from_the_command_line(self, published_twice, damaged):
        out = io.StringIO()
        call_command("set_model_aside", "tiny", "--reason", "the disk broke", stdout=out)
        assert out.getvalue() == "the model of tiny round 2 is set aside\n"
        for slug, message in {"tiny": "must have a current model", "nowhere": "must exist"}.items():
            with pytest.raises(CommandError, match=message):
                call_command("set_model_aside", slug, "--reason", "x")


class TestRefused:
    def refuse(self, round_, message, error=RoundStateError, **given):
        current = selectors.current_model(round_.workflow)
        with pytest.raises(error, match=message):
            roll_back(round_, **given)
        assert selectors.current_model(round_.workflow) == current
        assert not RollBack.objects.exists()

    def test_others(self, published_twice, expert):
        self.refuse(published_twice[0], "needs the role admin", ForbiddenError, user=expert)

    def test_the_current_model(self, published_twice):
        self.refuse(published_twice[1], "round 2 is the current one")

    def test_a_model_that_the_gate_refused(self, published_twice):
        old = published_twice[0]
        old.verdict = Verdict.REFUSED
        old.save()
        self.refuse(old, "was never published")

    def test_a_round_without_a_model(self, pending):
        self.refuse(pending, "round 1 was never published")

    def test_another_tree(self, published_twice):
        old = published_twice[0]
        old.workflow.current_version = WorkflowVersion.objects.create(
            workflow=old.workflow, number=2, tree_json=old.version.tree_json, checksum="other"
        )
        old.workflow.save()
        self.refuse(old, "answers version 1 of the tree")

    def test_files_that_are_gone(self, published_twice):
        stage_folder(published_twice[0], "predict").unmark()
        self.refuse(published_twice[0], "Files of round 1 are gone: predict")

    def test_a_damaged_file_which_stays_for_whoever_mends_it(self, published_twice):
        queue = stage_folder(published_twice[0], "acquire").path / "queue.parquet"
        queue.write_bytes(queue.read_bytes()[:-1])
        self.refuse(published_twice[0], r"queue\.parquet has changed")
        assert queue.is_file()

    def test_files_that_are_pruned_while_they_are_looked_at(self, published_twice, monkeypatch):
        old, _new = published_twice

        def prune(_round, _stage):
            prune_rounds(workflow=old.workflow, user=None, keep=1)

        monkeypatch.setattr(rolling, "require_whole", prune)
        self.refuse(old, "the queue of tiny round 1 must be readable, is not")

    def test_a_model_that_becomes_the_current_one_meanwhile(self, published_twice, monkeypatch):
        old, _new = published_twice

        def roll_back_too(_round, _stage):
            monkeypatch.undo()
            roll_back(old)

        monkeypatch.setattr(rolling, "require_whole", roll_back_too)
        with pytest.raises(RoundStateError, match="round 1 is the current one"):
            roll_back(old)
        assert RollBack.objects.count() == 1

    def test_what_fails_half_way_changes_nothing(self, published_twice, monkeypatch):
        def fail(**_given):
            raise RuntimeError("the database is away")

        monkeypatch.setattr(publishing, "install_queue", fail)
        self.refuse(published_twice[0], "the database is away", RuntimeError)
        assert generations(published_twice[0].workflow) == {2}


def test_the_next_round_has_to_beat_the_model_rolled_back_to(published_twice):
    from lenticular.rounds import pipeline

    old, _new = published_twice
    roll_back(old)
    round_ = services.start_round(workflow=old.workflow, user=None, config=old.config, seed=3)
    assert "00001" in str(pipeline.plan_of(round_).previous_model)


class TestCommand:
    def run(self, *arguments):
        out = io.StringIO()
        call_command("roll_back_round", *arguments, stdout=out)
        return out.getvalue()

    def test_rolls_back(self, published_twice):
        said = self.run("tiny", "1", "--reason", "odd")
        assert said == "the model of tiny round 1 and its queue are in place again\n"
        assert RollBack.objects.get().user is None

    def test_a_reason_is_not_asked_for(self, published_twice):
        self.run("tiny", "1")
        assert RollBack.objects.get().why == "no reason given"

    @pytest.mark.parametrize(
        ("slug", "number", "message"),
        [("tiny", "9", "has no round 9"), ("nowhere", "1", "must exist"), ("tiny", "2", "current")],
    )
    def test_bad_input_is_refused(self, published_twice, slug, number, message):
        with pytest.raises(CommandError, match=message):
            self.run(slug, number, "--reason", "odd")
