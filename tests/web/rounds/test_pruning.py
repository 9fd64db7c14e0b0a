"""Disk use of the rounds' files, and what may go."""

import io

import pytest
from django.core.management import CommandError, call_command

from lenticular.common.errors import ForbiddenError, InvalidInputError
from lenticular.releases.models import Release
from lenticular.review.models import SpotChecks
from lenticular.rounds import pruning, services
from lenticular.rounds.models import Round, TrainedModel
from lenticular.rounds.workspace import round_folder, shared_folder

from .conftest import TINY

pytestmark = pytest.mark.django_db


@pytest.fixture
def five(workflow):
    """Five rounds with files of 100 to 500 bytes; 2 is the current model's, 5 is active."""
    for number in range(1, 6):
        round_ = services.start_round(workflow=workflow, user=None, config=TINY)
        folder = round_folder(round_)
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 100 * number)
        if number < 5:
            services.cancel_round(round=round_, user=None)
    second = Round.objects.get(number=2)
    TrainedModel.objects.create(
        workflow=workflow, round=second, artefacts="a", checksum="c", is_current=True
    )
    shared_folder(workflow).mkdir(parents=True)
    (shared_folder(workflow) / "cache").write_bytes(b"x" * 50)
    return workflow


def release(round_):
    return Release.objects.create(
        workflow=round_.workflow, version=round_.version, round=round_, number=1, title="One",
        last_classification_id=0, subjects=0, votes=0, provenance={},
    )  # fmt: skip


def kept(workflow, keep):
    found = pruning.disk_use(workflow=workflow, keep=keep)
    return {each.round.number: each.kept_because for each in found.rounds}


def test_only_what_nothing_needs_may_go(five):
    assert kept(five, 0) == {5: "active", 4: "", 3: "", 2: "the current model", 1: ""}
    assert kept(five, 2)[4] == "among the latest"


def test_what_a_release_names_stays(five):
    release(Round.objects.get(number=1))
    assert kept(five, 0)[1] == "a release names it"


def test_the_spot_checks_of_a_round_keep_no_files(five):
    SpotChecks.objects.create(
        round=Round.objects.get(number=1), next_galaxies=0, rest_galaxies=0,
        earlier_wrong=0, earlier_right=0, undecided=0,
    )  # fmt: skip
    assert kept(five, 0)[1] == ""


def test_sizes_are_added_up(five):
    found = pruning.disk_use(workflow=five, keep=0)
    assert (found.total_bytes, found.shared_bytes, found.prunable_bytes) == (1550, 50, 800)


def test_files_go_and_records_stay(five, admin):
    before = pruning.prune_rounds(workflow=five, user=admin, keep=0)
    assert [each.round.number for each in before.prunable] == [4, 3, 1]
    assert sorted(path.name for path in shared_folder(five).parent.iterdir()) == [
        "00002", "00005", "shared",
    ]  # fmt: skip
    assert Round.objects.count() == 5
    assert pruning.prune_rounds(workflow=five, user=admin, keep=0).prunable == []


def test_what_a_killed_run_left_is_swept(five):
    left = shared_folder(five).parent / ".pruned-00001"
    left.mkdir()
    pruning.prune_rounds(workflow=five, user=None, keep=9)
    assert not left.exists()


def test_others_are_refused(five, expert):
    with pytest.raises(ForbiddenError):
        pruning.prune_rounds(workflow=five, user=expert, keep=0)
    assert len(kept(five, 0)) == 5


def test_keep_below_zero_is_refused(five):
    with pytest.raises(InvalidInputError, match="keep must be at least 0, is -1"):
        pruning.prune_rounds(workflow=five, user=None, keep=-1)


def test_a_workflow_without_files_uses_nothing(workflow):
    assert pruning.disk_use(workflow=workflow).total_bytes == 0


class TestCommand:
    def run(self, *arguments):
        out = io.StringIO()
        call_command("prune_rounds", *arguments, stdout=out)
        return out.getvalue()

    def test_says_what_would_go_and_removes_nothing(self, five):
        said = self.run("tiny", "--keep", "1")
        assert "round    1   100 bytes  would go" in said
        assert "round    2   200 bytes  stays: the current model" in said
        assert said.endswith("800 bytes of 1.5 KB would go\n")
        assert len(kept(five, 0)) == 5

    def test_removes_when_told_to(self, five):
        assert "800 bytes of 1.5 KB removed" in self.run("tiny", "--keep", "1", "--delete")
        assert len(kept(five, 0)) == 2

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [(["nowhere"], "must exist"), (["tiny", "--keep=-1"], "keep must")],
    )
    def test_bad_input_is_refused(self, five, arguments, message):
        with pytest.raises(CommandError, match=message):
            self.run(*arguments)
