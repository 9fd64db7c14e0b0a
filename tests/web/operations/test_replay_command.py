"""The replay command: its table, its JSON, its errors, and what a stop leaves behind."""

import json
import signal
import tempfile
from dataclasses import dataclass

import mlcore.cnn  # noqa: F401 - before torch

# isort: split
import pytest
import torch
from django.core.management import CommandError, call_command

from lenticular.operations.management.commands.replay import Command
from mlcore.simulate.replay_plan import ReplayPlan
from tests.mlcore.simulate import vote_surveys
from tests.mlcore.simulate.replay_galaxies import draw_folder, small_plan


class SmallReplay(Command):
    plan = small_plan()
    votes_plan = vote_surveys.small_plan(pool=60, goal=0.3)


@dataclass(frozen=True)
class InterruptedPlan(ReplayPlan):
    """A person presses Ctrl-C once the galaxies are read."""

    def sizes(self, pool):
        raise KeyboardInterrupt


class InterruptedReplay(Command):
    plan = InterruptedPlan()


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """Keep temporary folders, signals and threads to this test."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    handler = signal.getsignal(signal.SIGTERM)
    torch.set_num_threads(1)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def folder(tmp_path):
    return draw_folder(tmp_path / "bars", 100, [["gone", "Bar", "images/gone.png"]])


def run(command, folder, *options):
    call_command(command, "--real", str(folder), *options)


class TestReplay:
    def test_prints_a_table_and_writes_json(self, folder, tmp_path, capsys):
        written = tmp_path / "result.json"
        run(SmallReplay(), folder, "--json", str(written), "--seed", "3")
        said = capsys.readouterr()
        assert "round 2, chosen vote by vote" in said.out
        assert "round 2, random, 5 votes each" in said.out
        assert "round 2, random, spread thin" in said.out
        assert "line 102 (gone): missing" in said.err
        assert "Round 2, random" in said.err
        document = json.loads(written.read_text())
        assert [score["round"] for score in document["rounds"]] == [1, 2]
        assert document["rounds"][0] == document["control"]["rounds"][0]
        assert document["rounds"][0] == document["thin"]["rounds"][0]
        assert set(document["mislabels"]) >= {
            "planted",
            "flagged",
            "average_precision",
            "recall_at_5_percent",
        }
        assert document["seed"] == 3
        assert document["seconds"] > 0

    def test_leaves_nothing_in_the_temporary_folder(self, folder, tmp_path):
        with pytest.raises(CommandError):
            run(InterruptedReplay(), folder)
        assert list((tmp_path / "temporary").iterdir()) == []


class TestVotesNeeded:
    def test_compares_strategies_on_a_folder(self, folder, tmp_path, capsys):
        written = tmp_path / "needed.json"
        run(SmallReplay(), folder, "--votes-needed", "--seeds", "1", "--json", str(written))
        said = capsys.readouterr().out
        assert "random, 40 votes each" in said
        assert "| ours" in said
        assert "inverse probability" in said
        document = json.loads(written.read_text())
        assert document["survey"] == "bars"
        assert [result["seed"] for result in document["seeds"]] == [0]

    def test_compares_strategies_on_drawn_galaxies(self, tmp_path, capsys):
        work = tmp_path / "work"
        options = ["--drawn", "90", "--votes-needed", "--seeds", "1", "--seed", "3"]
        call_command(SmallReplay(), *options, "--work", str(work))
        assert "drawn: 60 galaxies in the pool" in capsys.readouterr().out
        assert list(work.glob("votes-needed-*-3.json"))


class TestStop:
    def test_says_so_writes_no_result_and_has_its_own_exit_code(self, folder, tmp_path):
        written = tmp_path / "result.json"
        with pytest.raises(CommandError, match="Nothing is kept") as stopped:
            run(InterruptedReplay(), folder, "--json", str(written))
        assert stopped.value.returncode == 130
        assert not written.exists()

    def test_keeps_the_work_folder(self, folder, tmp_path):
        with pytest.raises(CommandError, match="What was done is kept"):
            run(InterruptedReplay(), folder, "--work", str(tmp_path / "new" / "work"))
        assert (tmp_path / "new" / "work").is_dir()


class TestErrors:
    def test_an_unknown_tree(self, folder):
        with pytest.raises(CommandError, match=r"--tree must be one of .*gz1.*, is 'none'"):
            run(SmallReplay(), folder, "--tree", "none")

    def test_a_tree_without_the_classes(self, folder):
        with pytest.raises(CommandError, match="must have one question with the answers"):
            run(SmallReplay(), folder, "--tree", "gz1")

    def test_a_result_that_could_not_be_written_is_refused_before_the_work(self, folder, tmp_path):
        with pytest.raises(CommandError, match="--json must be in a folder that exists"):
            run(SmallReplay(), folder, "--json", str(tmp_path / "none" / "result.json"))

    def test_drawn_galaxies_without_votes_needed(self):
        with pytest.raises(CommandError, match="--drawn must go with --votes-needed"):
            call_command(SmallReplay(), "--drawn", "90")

    def test_too_few_drawn_galaxies(self):
        with pytest.raises(CommandError, match="galaxies must be at least 40 in the pool"):
            call_command(SmallReplay(), "--drawn", "0", "--votes-needed")

    @pytest.mark.parametrize("galaxies", [[], ["--drawn", "90", "--real", "there"]])
    def test_no_galaxies_or_two_kinds_of_them(self, galaxies):
        with pytest.raises(CommandError, match="--real"):
            call_command(SmallReplay(), *galaxies, "--votes-needed")

    def test_no_seeds(self, folder):
        with pytest.raises(CommandError, match="--seeds must be at least 1, is 0"):
            run(SmallReplay(), folder, "--votes-needed", "--seeds", "0")

    def test_a_bad_seed(self, folder):
        with pytest.raises(CommandError, match="seed must be in"):
            run(SmallReplay(), folder, "--seed", "-1")

    def test_no_folder(self, tmp_path):
        with pytest.raises(CommandError, match=r"labels\.csv must be a CSV file"):
            run(SmallReplay(), tmp_path / "none")

    def test_too_few_galaxies(self, tmp_path):
        with pytest.raises(CommandError, match="must be at least 50, are"):
            run(SmallReplay(), draw_folder(tmp_path / "few", 20))
