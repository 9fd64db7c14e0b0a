from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given

from mlcore.errors import TreeError
from mlcore.tree import DecisionTree
from mlcore.tree_formats import slugify
from tests.mlcore.tree_strategies import all_paths, trees

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("LENTICULAR_REAL_DATA", ROOT.parent / "shared" / "data"))
GZD5 = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz-decals-5.json")


def single(*answers, **more):
    return {"type": "single", "question": "Is it?", "answers": list(answers), **more}


def leads(label, following=None):
    return {"label": label, "next": following} if following else {"label": label}


TWO = {
    "T0": single(leads("Yes", "T1"), leads("No")),
    "T1": single(leads("1"), leads("2"), question="How many?"),
}


class TestPanoptes:
    @given(trees())
    def test_a_tree_survives_the_round_trip(self, drawn):
        back = DecisionTree.from_panoptes(
            drawn.to_panoptes(),
            slug=drawn.slug,
            name=drawn.name,
            slugs=drawn.panoptes_slugs(),
            artifact_cols=drawn.artifact_cols,
        )
        assert set(back.label_cols) == set(drawn.label_cols)
        assert sorted(back.paths()) == sorted(all_paths(drawn))
        assert back.artifact_cols == [c for c in back.label_cols if c in drawn.artifact_cols]
        for q in drawn.questions:
            assert back.question(q.slug).text() == q.text()
            assert [a.text() for a in back.question(q.slug).answers] == [
                a.text() for a in q.answers
            ]

    def test_the_form_is_panoptess_own(self):
        tasks = GZD5.to_panoptes("zh-hant")
        assert tasks["T0"]["type"] == "single"
        assert tasks["T0"]["answers"] == [
            {"label": "平滑", "next": "T1"},
            {"label": "有特徵或盤面", "next": "T2"},
            {"label": "恆星或影像瑕疵"},
        ]

    def test_slugs_come_from_the_words(self):
        tree = DecisionTree.from_panoptes(TWO, slug="t")
        assert tree.label_cols == ["is-it_yes", "is-it_no", "how-many_1", "how-many_2"]
        assert tree.name == "t"

    def test_markdown_images_are_dropped_from_labels(self):
        tasks = {"T0": single(leads("![a.png](https://x.org/a.png) Smooth"), leads("Can't tell"))}
        tree = DecisionTree.from_panoptes(tasks, slug="t")
        assert tree.label_cols == ["is-it_smooth", "is-it_cant-tell"]

    def test_init_is_the_first_task(self):
        tasks = {"T1": TWO["T1"], "init": single(leads("Yes", "T1"), leads("No"))}
        assert DecisionTree.from_panoptes(tasks, slug="t").start == "is-it"

    def test_the_first_task_may_be_named(self):
        assert DecisionTree.from_panoptes(TWO, slug="t", first_task="T1").start == "how-many"

    def test_tasks_that_nothing_leads_to_are_left_out(self):
        tasks = TWO | {"T9": {"type": "drawing"}}
        assert len(DecisionTree.from_panoptes(tasks, slug="t").questions) == 2

    def test_skipped_tasks_are_passed_over(self):
        tasks = {
            "T0": single(leads("Yes", "T5"), leads("No")),
            "T5": {"type": "multiple", "next": "T1"},
            "T1": TWO["T1"],
        }
        tree = DecisionTree.from_panoptes(tasks, slug="t", skip=["T5"])
        assert tree.parents("how-many") == (("is-it", "yes"),)

    def test_strings_are_looked_up(self):
        keys = {"T0": single(leads("T0.a.0"), leads("T0.a.1"), question="T0.q", help="T0.h")}
        strings = {"T0.q": "Ring?", "T0.h": "", "T0.a.0": "Yes", "T0.a.1": "No"}
        tree = DecisionTree.from_panoptes(keys, slug="t", strings=strings)
        assert tree.label_cols == ["ring_yes", "ring_no"]
        assert tree.question("ring").help_text() == ""

    @pytest.mark.parametrize(
        ("tasks", "options", "message"),
        [
            ({}, {}, "tasks must be at least 1"),
            (TWO, {"first_task": "T7"}, "next must name a task, is 'T7'"),
            ({"T0": single(leads("Yes", "T4"), leads("No"))}, {}, "task 'T0': next .* is 'T4'"),
            ({"T0": {"type": "drawing"}}, {}, "task 'T0': type must be 'single', is 'drawing'"),
            ({"T0": 3}, {}, "task 'T0': type must be 'single'"),
            ({"T0": {"type": "single", "answers": [1]}}, {}, "answers must be a list"),
            ({"T0": single({"next": None}, leads("No"))}, {}, "texts must be words, is None"),
            ({"T0": single(leads("是"), leads("否"))}, {}, "question 'is-it': answer: slug"),
            (TWO, {"strings": {}}, "strings must hold 'Is it\\?'"),
            (TWO, {"slugs": {"T0": ("ring", ["yes"])}}, "slugs of task 'T0' must be 2, is 1"),
            (TWO, {"skip": ["T0"]}, "skip must leave a task"),
            (
                {"T0": {"type": "multiple", "next": "T0"}},
                {"skip": ["T0"]},
                "task 'T0' must not lead back",
            ),
            ({"T0": single(leads("Yes", "T0"), leads("No"))}, {}, "'is-it' -> 'is-it'"),
        ],
    )
    def test_what_a_tree_cannot_hold_is_refused(self, tasks, options, message):
        with pytest.raises(TreeError, match=message):
            DecisionTree.from_panoptes(tasks, slug="t", **options)

    def test_slugify_keeps_words(self):
        assert slugify("  More than 4! ") == "more-than-4"


class TestRealWorkflows:
    @pytest.fixture
    def versions(self):
        path = REAL / "panoptes_gz" / "workflow_versions.txt"
        if not path.exists():
            pytest.skip(f"real Galaxy Zoo workflows are not at {path}")
        return json.loads(path.read_text())

    def test_every_version_is_read_once_its_multiple_tasks_are_skipped(self, versions):
        assert len(versions) == 24
        for version in versions:
            multiple = [k for k, t in version["tasks"].items() if t["type"] == "multiple"]
            tree = DecisionTree.from_panoptes(
                version["tasks"],
                slug="gz",
                first_task=version["first_task"],
                strings=version["strings"],
                skip=multiple,
            )
            assert len(tree.questions[0].answers) == 3

    def test_a_multiple_task_is_named_in_the_refusal(self, versions):
        with pytest.raises(TreeError, match="task 'T10': type must be 'single', is 'multiple'"):
            DecisionTree.from_panoptes(
                versions[0]["tasks"], slug="gz", strings=versions[0]["strings"]
            )

    def test_real_decals_classifications_fit_the_tree(self, versions):
        lines = (REAL / "panoptes_gz" / "panoptes_flat.json").read_text().splitlines()
        walks = {}
        for row in map(json.loads, lines):
            steps = walks.setdefault(row["classification_id"], [])
            steps.append((row["question"], row["response"]))
        fitting = [steps for steps in walks.values() if _fits(steps)]
        assert len(walks) == 467
        assert len(fitting) == 467


def _fits(steps):
    try:
        return bool(GZD5.validate(steps))
    except ValueError:
        return False


class TestZoobot:
    def test_gzd5_has_zoobots_own_columns_and_dependencies(self):
        metadata = pytest.importorskip("galaxy_datasets.shared.label_metadata")
        schema = GZD5.to_zoobot_schema()
        assert schema.question_answer_pairs == metadata.desi_pairs
        assert schema.dependencies == metadata.desi_dependencies
        assert schema.label_cols == GZD5.label_cols

    def test_gz2_has_zoobots_columns_where_zoobot_has_any(self):
        metadata = pytest.importorskip("galaxy_datasets.shared.label_metadata")
        gz2 = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz2.json")
        pairs = gz2.to_zoobot_schema().question_answer_pairs
        for question, answers in metadata.gz2_ortho_pairs.items():
            assert pairs[question.removesuffix("-gz2")] == answers

    @given(trees())
    def test_a_dependency_is_an_answer_that_every_path_shares(self, drawn):
        dependencies = drawn.to_zoobot_schema().dependencies
        paths = list(all_paths(drawn))
        for question, column in dependencies.items():
            before = [_columns_before(path, question) for path in paths]
            before = [columns for columns in before if columns is not None]
            shared = [c for c in before[0] if all(c in columns for columns in before)]
            assert column == (shared[-1] if shared else None)


def _columns_before(path, question):
    asked = [q for q, _ in path]
    if question not in asked:
        return None
    return [f"{q}_{a}" for q, a in path[: asked.index(question)]]
