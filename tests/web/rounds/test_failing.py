"""A round that stops for want of disk, memory or time, or over damaged files, and goes on."""

import errno
from pathlib import Path

import pytest
import torch
from django.db import OperationalError

from lenticular.consensus.models import Tally
from lenticular.rounds import disk, pipeline, publishing, selectors, services, tasks
from lenticular.rounds.errors import DiskSpaceError
from lenticular.rounds.failing import for_people
from lenticular.rounds.models import RoundState, Verdict
from lenticular.rounds.rolling import set_model_aside
from lenticular.rounds.workspace import images_folder, round_folder, shared_folder, stage_folder
from lenticular.selection.models import QueueEntry
from lenticular.workflows.models import WorkflowVersion
from mlcore import round_choosing, round_learning
from mlcore.cnn import shards
from mlcore.errors import ArtefactError
from mlcore.tree import DecisionTree

from .conftest import SUBJECTS, TINY

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("one_thread", "quiet_logs"),
]
FULL = OSError(errno.ENOSPC, "No space left on device", "/store/shard")


def start(workflow):
    return services.start_round(workflow=workflow, user=None, config=TINY, seed=1)


def finish(round_):
    tasks.run_round(round_.pk)
    round_.refresh_from_db()
    return round_


def resume(round_):
    return finish(services.resume_round(round=round_, user=None))


@pytest.fixture
def first(workflow):
    """A published round: what it published has to stay whole."""
    round_ = finish(start(workflow))
    assert round_.state == RoundState.SUCCEEDED
    return round_


def assert_whole(first):
    assert selectors.current_model(first.workflow).round == first
    assert QueueEntry.objects.filter(generation=first.number).count() == SUBJECTS


class TestFullDisk:
    def test_each_stage_fails_with_a_word_and_goes_on_once_there_is_room(self, first, monkeypatch):
        """The disk is full for one stage after the other; each resumed round gets further."""
        replace, full = Path.replace, {"stage": ""}

        def replace_unless_full(path, target):
            if f"/00002/{full['stage']}/" in str(target):
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", replace_unless_full)
        folders = {"input": "snapshot", "snapshot": "snapshot", "train": "train"}
        folders |= {stage: stage for stage in ("evaluate", "predict", "acquire", "flag")}
        round_ = start(first.workflow)
        for folder, stage in folders.items():
            full["stage"] = folder
            round_ = finish(round_) if folder == "input" else resume(round_)
            assert round_.state == RoundState.FAILED
            assert round_.error.startswith(f"{stage}: the disk is full where /")
            assert "prune_rounds" in round_.error
            assert not list(stage_folder(round_, folder).path.rglob("*.partial"))
            assert_whole(first)
        full["stage"] = "nothing"
        assert resume(round_).state == RoundState.SUCCEEDED
        assert selectors.current_model(first.workflow).round == round_

    def test_a_full_database_publishes_nothing(self, first, monkeypatch):
        def fail(**_given):
            raise OperationalError("database or disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(publishing, "install_queue", fail)
            round_ = finish(start(first.workflow))
        assert round_.error.startswith("publish: the disk is full: make room")
        assert_whole(first)
        assert resume(round_).state == RoundState.SUCCEEDED

    def test_it_is_looked_at_before_each_stage(self, first, monkeypatch):
        """Room for the votes, none left when training begins."""
        round_ = start(first.workflow)
        answers = iter([10**12])
        monkeypatch.setattr(disk, "free_bytes", lambda _path: next(answers, 7))
        assert finish(round_).error.startswith("train: a round needs 1.0")
        assert "there are 7" in round_.error
        assert_whole(first)
        monkeypatch.undo()
        assert resume(round_).state == RoundState.SUCCEEDED

    def test_nothing_starts_without_room(self, workflow, monkeypatch):
        monkeypatch.setattr(disk, "free_bytes", lambda _path: 0)
        with pytest.raises(DiskSpaceError):
            start(workflow)


class TestMemory:
    @pytest.mark.parametrize(
        ("stage", "work", "error"),
        [
            ("train", round_learning, torch.OutOfMemoryError("CUDA out of memory")),
            (
                "predict",
                shards,
                RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
            ),
            ("acquire", round_choosing, MemoryError()),
        ],
    )
    def test_too_little_fails_the_round_with_a_word_and_it_goes_on_once_there_is_more(
        self, first, monkeypatch, stage, work, *, error
    ):
        def fail(*_args, **_kwargs):
            raise error

        name = {"train": "train", "predict": "predict", "acquire": "place_votes"}[stage]
        round_ = start(first.workflow)
        with monkeypatch.context() as patched:
            patched.setattr(work, name, fail)
            assert finish(round_).state == RoundState.FAILED
        assert round_.error.startswith(f"{stage}: the memory is used up (")
        assert "train.batch_size" in round_.error
        assert_whole(first)
        assert selectors.may_be_resumed(round_)
        assert resume(round_).state == RoundState.SUCCEEDED
        assert selectors.current_model(first.workflow).round == round_


class TestTime:
    def test_a_round_stops_at_its_limit_and_goes_on_when_resumed(self, first, settings):
        round_ = start(first.workflow)
        settings.LENTICULAR_ROUND_MAX_SECONDS = 1e-9
        assert "the round may take 1e-09 s, has taken" in finish(round_).error
        assert_whole(first)
        settings.LENTICULAR_ROUND_MAX_SECONDS = 0
        assert resume(round_).state == RoundState.SUCCEEDED

    def test_threads_are_set(self, pending, settings, monkeypatch):
        asked = []
        monkeypatch.setattr(torch, "set_num_threads", asked.append)
        monkeypatch.setattr(pipeline, "run_round", lambda *_args, **_given: None)
        settings.LENTICULAR_ROUND_THREADS = 3
        finish(pending)
        assert asked == [3]


class TestDamage:
    def test_each_truncated_file_stops_the_round_once_and_is_made_again(self, first, monkeypatch):
        def fail(**_given):
            raise ArtefactError("not yet")

        with monkeypatch.context() as patched:
            patched.setattr(services, "publish_round", fail)
            round_ = finish(start(first.workflow))
        names = {"train": "model/*.safetensors", "predict": "*.parquet", "acquire": "*.parquet"}
        for stage, pattern in names.items():
            damaged = next(stage_folder(round_, stage).path.glob(pattern))
            damaged.write_bytes(damaged.read_bytes()[:-9])
        for stage in names:
            round_ = resume(round_)
            assert f"{stage}/" in round_.error
            assert f"resume the round to make {stage} again" in round_.error
            assert_whole(first)
        assert resume(round_).state == RoundState.SUCCEEDED

    def test_a_damaged_current_model_is_named_and_left_where_it_is(self, first):
        weights = next(stage_folder(first, "train").path.glob("model/*.safetensors"))
        whole = weights.read_bytes()
        round_ = start(first.workflow)
        weights.write_bytes(whole[:-9])
        round_ = finish(round_)
        assert "the current model, of round 1, must be whole" in round_.error
        assert f"{weights.name} has changed" in round_.error
        assert weights.read_bytes() == whole[:-9]
        assert_whole(first)
        weights.write_bytes(whole)
        assert resume(round_).state == RoundState.SUCCEEDED

    def test_the_only_model_can_be_set_aside_and_the_round_goes_on_without(self, first):
        weights = next(stage_folder(first, "train").path.glob("model/*.safetensors"))
        round_ = start(first.workflow)
        weights.unlink()
        assert f"{weights.name} is missing" in finish(round_).error
        assert not (round_folder(round_) / "input").exists()
        set_model_aside(workflow=first.workflow, user=None, reason="the disk broke")
        assert QueueEntry.objects.filter(generation=first.number).count() == SUBJECTS
        round_ = resume(round_)
        assert (round_.state, round_.verdict) == (RoundState.SUCCEEDED, Verdict.ACCEPTED)
        assert round_.evaluation["comparison"] is None
        assert_whole(round_)

    def test_damaged_shared_files_are_made_again(self, first):
        for path in shared_folder(first.workflow).rglob("*"):
            if path.is_file():
                path.write_bytes(path.read_bytes()[:-3])
        assert finish(start(first.workflow)).state == RoundState.SUCCEEDED


class TestImages:
    @pytest.fixture
    def image(self, workflow):
        subject = QueueEntry.objects.filter(workflow=workflow, in_panel=False).first().subject
        return images_folder() / subject.images.get().stored_name("page")

    def test_a_folder_that_is_away_stops_the_round_until_it_is_back(self, workflow):
        folder = images_folder() / "images"
        folder.rename(folder.with_name("away"))
        try:
            round_ = finish(start(workflow))
        finally:
            folder.with_name("away").rename(folder)
        assert round_.state == RoundState.FAILED
        assert "cannot be read just now: its folder" in round_.error
        round_ = resume(round_)
        assert round_.state == RoundState.SUCCEEDED
        assert round_.evaluation["images"] == {}

    def test_a_missing_one_is_left_out_and_recorded(self, workflow, image):
        whole = image.read_bytes()
        image.unlink()
        try:
            round_ = finish(start(workflow))
        finally:
            image.write_bytes(whole)
        assert round_.state == RoundState.SUCCEEDED
        found = round_.evaluation["images"]
        assert (found["unreadable"], found["reasons"]) == (1, {"missing": 1})
        assert [image.name in reason for reason in found["named"].values()] == [True]
        following = finish(start(workflow))
        assert following.evaluation["images"] == {}


def test_a_tree_that_changed_between_rounds_is_told_and_nothing_is_compared(first):
    tree = first.version.tree.to_dict()
    tree["questions"][0]["answers"][0]["slug"] = "smooth"
    changed = DecisionTree.from_dict(tree)
    version = WorkflowVersion.objects.create(
        workflow=first.workflow, number=2, tree_json=changed.to_dict(), checksum=changed.checksum
    )
    first.workflow.current_version = version
    first.workflow.save()
    for tally in Tally.objects.filter(version=first.version):
        counts = {name.replace("round", "smooth"): n for name, n in tally.counts.items()}
        Tally.objects.create(
            version=version, subject=tally.subject, counts=counts, classifications=5
        )
    round_ = finish(start(first.workflow))
    assert round_.state == RoundState.SUCCEEDED
    assert round_.evaluation["comparison"] is None
    assert round_.verdict_reason == "The model before this one answered another decision tree."


class TestWords:
    def test_a_full_disk_is_seen_through_what_wraps_it(self):
        wrapped = ArtefactError("must be a Parquet file")
        wrapped.__cause__ = FULL
        assert for_people(wrapped).startswith("the disk is full where /store/shard is written")

    def test_our_own_errors_stand_as_they_are(self):
        assert for_people(ArtefactError("it is gone")) == "it is gone"

    def test_others_are_told_with_their_kind(self):
        assert for_people(KeyError("a")) == "KeyError: 'a'"
