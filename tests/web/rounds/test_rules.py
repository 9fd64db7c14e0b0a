"""Why a round would be refused: every reason at once, for anybody and for the schedule."""

import datetime as dt
import os
import shutil
from typing import NamedTuple

import pytest
from django.utils import timezone

from lenticular.rounds import disk, rules, scheduling, services, workspace
from lenticular.rounds.errors import DamagedModelError, DiskSpaceError, TooFewVotesError
from lenticular.rounds.models import Round, RoundRule
from lenticular.rounds.work import fail_round
from lenticular.rounds.workspace import stage_folder

from .conftest import TINY, WORKER

pytestmark = pytest.mark.django_db


class Usage(NamedTuple):
    """What `shutil.disk_usage` returns."""

    total: int
    used: int
    free: int


@pytest.fixture
def rule(workflow):
    """A rule that holds: it asks for no more than there is."""
    return RoundRule.objects.create(
        workflow=workflow, is_on=True, new_votes=100, hours_between=1, config=TINY
    )


@pytest.fixture
def full_disk(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**9, 10**9 - 5000, 5000))


def kinds(workflow):
    return [reason.kind for reason in rules.why_not(workflow=workflow)]


def test_nothing_speaks_against_a_round_whose_rule_holds(rule):
    assert rules.why_not(workflow=rule.workflow) == []


def test_every_reason_is_given_at_once(empty_workflow, full_disk):
    found = rules.why_not(workflow=empty_workflow)
    assert [(reason.kind, reason.schedule_only) for reason in found] == [
        ("too-few-votes", False),
        ("too-few-votes", False),
        ("disk-space", False),
        ("schedule-off", True),
        ("minimum-galaxies", True),
        ("minimum-galaxies", True),
        ("new-votes", True),
    ]
    assert "at least 20 galaxies with votes outside the control panel, there are 0" in (
        found[0].message
    )
    assert "500 votes since the last round, there are 0" in found[-1].message


def test_a_workflow_without_a_version_says_so(rule):
    rule.workflow.current_version = None
    assert kinds(rule.workflow) == ["no-version"]


def test_settings_that_the_code_has_no_more_are_a_reason(rule):
    rule.config = {"of_old": 1}
    rule.save()
    (found,) = rules.why_not(workflow=rule.workflow)
    assert (found.kind, found.schedule_only) == ("round-config", False)
    assert "of_old must be a setting" in found.message


def test_an_active_round_is_named(rule, pending):
    found = rules.why_not(workflow=rule.workflow)
    assert [reason.kind for reason in found] == ["round-active", "hours-between"]
    assert "round 1 is active" in found[0].message


def test_too_little_disk_is_told_with_path_needed_and_free(rule, full_disk, settings):
    settings.LENTICULAR_ROUND_DISK_BYTES = 3 * 2**30
    (found,) = rules.why_not(workflow=rule.workflow)
    assert found.kind == "disk-space"
    for part in ("3.0", "rounds/tiny/shared", "4.9"):
        assert part in found.message
    with pytest.raises(DiskSpaceError) as caught:
        services.start_round(workflow=rule.workflow, user=None, config=TINY)
    assert caught.value.status == 507
    assert (caught.value.extra["needed"], caught.value.extra["free"]) == (3 * 2**30, 5000)
    assert not Round.objects.exists()


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "one").write_bytes(b"12345")
    (tmp_path / "two").write_bytes(b"123")
    assert disk.folder_bytes(tmp_path) == 8
    assert disk.folder_bytes(tmp_path / "none") == 0


class TestFolds:
    def start(self, workflow, **changes):
        services.start_round(workflow=workflow, user=None, config={**TINY, **changes})

    def test_no_more_than_galaxies_to_learn_from(self, rule):
        with pytest.raises(
            TooFewVotesError, match=r"folds must be .* 25 .* there are 24"
        ) as caught:
            self.start(rule.workflow, folds=25)
        assert caught.value.extra == {"needed": 25, "found": 24}
        assert not Round.objects.exists()
        self.start(rule.workflow, folds=24)

    def test_one_reason_is_enough_where_galaxies_are_missing_anyway(self, rule):
        rule.config = {**TINY, "folds": 40, "min_training_subjects": 30}
        rule.save()
        assert kinds(rule.workflow) == ["too-few-votes"]


class TestDamagedModel:
    @pytest.fixture
    def model(self, published_twice, rule):
        """The file of the current model, of the second round."""
        Round.objects.update(created_at=timezone.now() - dt.timedelta(hours=2), votes=0)
        return next(stage_folder(published_twice[1], "train").path.glob("model/*.json"))

    def test_is_named_and_no_round_starts(self, model, rule):
        assert kinds(rule.workflow) == []
        model.write_text("{")
        (found,) = rules.why_not(workflow=rule.workflow)
        assert (found.kind, found.schedule_only) == ("damaged-model", False)
        assert "of round 2, must be whole" in found.message
        assert f"{model.name} has changed" in found.message
        with pytest.raises(DamagedModelError, match="set the damaged one aside") as caught:
            services.start_round(workflow=rule.workflow, user=None, config=TINY)
        assert caught.value.status == 409
        assert Round.objects.count() == 2

    def test_is_no_reason_any_more_once_it_is_mended(self, model, rule):
        whole = model.read_bytes()
        model.unlink()
        assert kinds(rule.workflow) == ["damaged-model"]
        model.write_bytes(whole)
        assert kinds(rule.workflow) == []

    def test_bits_lost_without_a_word_are_seen_after_a_while(self, model, rule, monkeypatch):
        monkeypatch.setattr(workspace, "LOOK_AGAIN_SECONDS", 10**12)
        assert kinds(rule.workflow) == []
        before, content = model.stat(), bytearray(model.read_bytes())
        content[0] ^= 1
        model.write_bytes(content)
        os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert kinds(rule.workflow) == []
        monkeypatch.setattr(workspace, "LOOK_AGAIN_SECONDS", 1e-6)
        assert kinds(rule.workflow) == ["damaged-model"]

    def test_files_are_not_read_again_for_every_page(self, model, rule, monkeypatch):
        monkeypatch.setattr(workspace, "LOOK_AGAIN_SECONDS", 10**12)
        rules.why_not(workflow=rule.workflow)
        monkeypatch.setattr(workspace, "file_checksum", lambda _path: pytest.fail("read again"))
        assert kinds(rule.workflow) == []


class TestSchedule:
    def test_votes_of_the_last_good_round_are_not_new(self, rule, running, write_stages):
        assert rules.new_votes(version=running.version) == 160
        Round.objects.update(votes=90, created_at=timezone.now() - dt.timedelta(hours=2))
        write_stages(running)
        services.publish_round(round=running, worker=WORKER)
        assert rules.new_votes(version=running.version) == 70
        (found,) = rules.why_not(workflow=rule.workflow)
        assert found.kind == "new-votes"
        assert "100 votes since the last round, there are 70" in found.message

    def test_votes_taken_back_are_no_new_ones(self, rule, running, write_stages):
        write_stages(running)
        services.publish_round(round=running, worker=WORKER)
        Round.objects.update(votes=999)
        assert rules.new_votes(version=running.version) == 0

    def test_it_waits_between_rounds(self, rule, pending):
        services.cancel_round(round=pending, user=None)
        assert kinds(rule.workflow) == ["hours-between"]
        Round.objects.update(created_at=timezone.now() - dt.timedelta(minutes=61))
        assert kinds(rule.workflow) == []

    def test_it_leaves_a_failed_round_to_people(self, rule, running):
        fail_round(round_id=running.pk, worker=WORKER, stage="train", error="broken")
        Round.objects.update(created_at=timezone.now() - dt.timedelta(days=9))
        assert kinds(rule.workflow) == ["last-failed"]

    def test_it_wants_its_own_minimum_of_galaxies(self, rule):
        scheduling.set_round_rule(
            workflow=rule.workflow,
            user=None,
            changes={"training_galaxies": 25, "panel_galaxies": 9},
        )
        found = rules.why_not(workflow=rule.workflow)
        assert [reason.message for reason in found] == [
            "the rule wants 25 galaxies with votes outside the panel, 24 have",
            "the rule wants 9 galaxies with votes in the panel, 8 have",
        ]
