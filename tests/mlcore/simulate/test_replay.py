"""A whole replay over bars and blobs with a tiny network, beside random choice."""

import json

import mlcore.cnn  # noqa: F401 - before torch

# isort: split
import pyarrow.parquet as pq
import pytest
import torch

from mlcore.errors import CancelledError, InvalidInputError, NotEnoughVotesError
from mlcore.images import ImageCache
from mlcore.simulate.replay import replay
from tests.mlcore.simulate.replay_galaxies import draw_folder, small_plan
from tests.mlcore.simulate.trees import one_question, published

NUMBER = 200


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small tensors are faster on one thread."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    broken = ["broken", "Bar", "labels.csv"]
    return draw_folder(tmp_path_factory.mktemp("real") / "Bars", NUMBER, [broken])


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    """A replay, where it was done, and what it reported."""
    directory, said = tmp_path_factory.mktemp("work"), []
    report = replay(folder, small_plan(), directory, on_progress=lambda *given: said.append(given))
    return report, directory, said


def subjects(directory, name):
    return pq.read_table(directory / name / "input" / "subjects.parquet").to_pydict()


def votes_of(directory, round_name):
    table = subjects(directory, round_name)
    votes = zip(table["id_str"], table["shape_bar"], table["shape_round"], strict=True)
    return {name: sum(got) for name, *got in votes}


def control_panel(directory):
    table = subjects(directory, "round-1-chosen")
    return dict(zip(table["id_str"], table["control"], strict=True))


class TestWholeReplay:
    def test_all_arms_start_alike_and_spend_as_much(self, finished):
        report = finished[0]
        assert report.rounds[0] == report.control[0] == report.thin[0]
        for arm in (report.rounds, report.control, report.thin):
            assert [score.votes for score in arm] == [350, 650]
        assert [score.galaxies for score in report.control] == [70, 130]

    def test_the_arms_go_on_from_the_first_round_each_in_its_way(self, finished):
        _, directory, _ = finished
        first, *arms = (
            votes_of(directory, name)
            for name in ("round-1-chosen", "round-2-chosen", "round-2-random", "round-2-thin")
        )
        chosen, random, thin = (
            {name: votes[name] - first[name] for name in first} for votes in arms
        )
        for more in (chosen, random, thin):
            assert min(more.values()) >= 0
            assert sum(more.values()) == 300
        assert set(random.values()) == {0, 5}
        panel = {name for name, is_in in control_panel(directory).items() if is_in}
        for more in (chosen, random, thin):
            assert not any(more[name] for name in panel)
        others = [votes for name, votes in arms[2].items() if name not in panel and not first[name]]
        assert max(others) - min(others) <= 1

    def test_the_votes_that_the_queue_wants_are_cast(self, finished):
        _, directory, _ = finished
        first, chosen = (votes_of(directory, name) for name in ("round-1-chosen", "round-2-chosen"))
        panel = control_panel(directory)
        queue = pq.read_table(directory / "round-1-chosen" / "acquire" / "queue.parquet")
        left = 300
        for row in queue.sort_by("rank").to_pylist():
            name = row["id_str"]
            wanted = 0 if panel[name] else min(row["votes_wanted"], left)
            assert chosen[name] - first[name] == wanted
            left -= wanted
        assert left == 0

    def test_no_stage_sees_the_test_galaxies(self, finished):
        report, directory, _ = finished
        test = set(ImageCache.open(directory / "test-images").ids)
        pool = set(ImageCache.open(directory / "shared" / "images-24-1").ids)
        assert len(test) == report.facts["test_galaxies"]
        assert not test & pool
        assert len(test | pool) == NUMBER
        assert pool == set(subjects(directory, "round-2-chosen")["id_str"])

    def test_bars_and_blobs_can_be_told_apart(self, finished):
        assert finished[0].rounds[-1].accuracy > 0.7

    def test_planted_classes_are_ranked(self, finished):
        found = finished[0].mislabels
        assert found.judged == 130
        assert 0 <= found.planted <= finished[0].facts["planted_in_pool"] == 4

    def test_says_what_was_left_out(self, finished):
        (rejected,) = finished[0].rejected
        assert rejected.id_str == "broken"

    def test_can_be_written_as_json(self, finished):
        document = json.loads(json.dumps(finished[0].to_dict(), allow_nan=False))
        assert document["classes"] == ["bar", "round"]
        assert document["tree"] == "bars"

    def test_reports_its_parts_in_order(self, finished):
        parts = list(dict.fromkeys(part for part, _, _ in finished[2]))
        assert parts == [
            "read the galaxies",
            "round 1",
            "round 2, chosen",
            "round 2, random",
            "round 2, thin",
        ]
        for part in parts:
            fractions = [fraction for name, fraction, _ in finished[2] if name == part]
            assert fractions == sorted(fractions)
            assert fractions[-1] == 1.0


class TestAgain:
    def test_resumes_to_the_same_result_without_learning_again(self, finished, folder):
        report, directory, _ = finished
        said = []
        again = replay(
            folder, small_plan(), directory, on_progress=lambda *given: said.append(given[2])
        )
        assert (again.rounds, again.control) == (report.rounds, report.control)
        assert again.thin == report.thin
        assert again.mislabels == report.mislabels
        assert not [message for message in said if "begins" in message]

    def test_a_stopped_one_ends_as_an_unbroken_one(self, finished, folder, tmp_path):
        said = []
        with pytest.raises(CancelledError):
            replay(
                folder,
                small_plan(),
                tmp_path,
                on_progress=lambda *given: said.append(given[0]),
                should_stop=lambda: bool(said) and said[-1] == "round 2, chosen",
            )
        again = replay(folder, small_plan(), tmp_path)
        assert again.rounds == finished[0].rounds
        assert again.mislabels == finished[0].mislabels

    def test_the_seed_changes_the_votes_but_not_the_test_set(self, finished, folder, tmp_path):
        stop = []
        with pytest.raises(CancelledError):
            replay(
                folder,
                small_plan(seed=1),
                tmp_path,
                on_progress=lambda *given: stop.append(given[2]),
                should_stop=lambda: bool(stop) and stop[-1].startswith("train:"),
            )
        _, directory, _ = finished
        before, after = (subjects(each, "round-1-chosen") for each in (directory, tmp_path))
        assert before["id_str"] == after["id_str"]
        assert before["shape_bar"] != after["shape_bar"]


class TestTree:
    def test_a_given_tree_must_have_the_classes(self, folder, tmp_path):
        with pytest.raises(InvalidInputError, match="question with the answers bar, round, has 0"):
            replay(folder, small_plan(), tmp_path, tree=published("gz1"))

    def test_a_given_tree_is_asked(self, folder, tmp_path):
        said = []
        tree = one_question("given", "round", "other", "bar")
        with pytest.raises(CancelledError):
            replay(
                folder,
                small_plan(),
                tmp_path,
                tree=tree,
                on_progress=lambda *given: said.append(given[2]),
                should_stop=lambda: bool(said) and said[-1].startswith("train:"),
            )
        assert set(tree.label_cols) < set(subjects(tmp_path, "round-1-chosen"))


class TestBadFolder:
    def test_too_few_galaxies(self, tmp_path):
        with pytest.raises(NotEnoughVotesError, match="must be at least 50, are"):
            replay(draw_folder(tmp_path / "few", 30), small_plan(), tmp_path / "work")

    def test_one_class(self, tmp_path):
        folder = draw_folder(tmp_path / "one", 60)
        text = (folder / "labels.csv").read_text().replace("Bar", "Round")
        (folder / "labels.csv").write_text(text)
        with pytest.raises(InvalidInputError, match="classes must be from 2 to 50, are 1"):
            replay(folder, small_plan(), tmp_path / "work")
