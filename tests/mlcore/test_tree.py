from __future__ import annotations

import itertools
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import AnnotationError, TreeError
from mlcore.tree import Answer, DecisionTree, Question
from tests.mlcore.tree_strategies import all_paths, trees

FIXTURES = Path(__file__).parents[2] / "fixtures" / "trees"
GZD5 = DecisionTree.from_file(FIXTURES / "gz-decals-5.json")
NAMES = ["gz-decals-5", "gz2", "gz1", "yes-no"]


def answer(slug, following=None):
    return Answer(slug, {"en": slug}, following)


def question(slug, *answers):
    return Question(slug, {"en": slug}, {}, answers)


def tree(*questions, start="a", **more):
    return DecisionTree("t", "T", start, questions, **more)


class TestWellFormed:
    def test_a_question_may_have_several_parents(self):
        diamond = tree(
            question("d", answer("yes"), answer("no")),
            question("a", answer("left", "b"), answer("right", "c")),
            question("c", answer("yes", "d"), answer("no")),
            question("b", answer("yes", "d"), answer("no", "d")),
        )
        assert diamond.parents("d") == (("c", "yes"), ("b", "yes"), ("b", "no"))
        assert [q.slug for q in diamond.questions] == ["a", "c", "b", "d"]

    def test_a_cycle_is_refused_and_spelt_out(self):
        with pytest.raises(TreeError, match=r"'b' -> 'c' -> 'b'|'c' -> 'b' -> 'c'"):
            tree(
                question("a", answer("yes", "b"), answer("no")),
                question("b", answer("yes", "c"), answer("no")),
                question("c", answer("yes", "b"), answer("no")),
            )

    def test_a_question_that_leads_to_itself_is_refused(self):
        with pytest.raises(TreeError, match="'a' -> 'a'"):
            tree(question("a", answer("yes", "a"), answer("no")))

    def test_a_long_chain_needs_no_deep_recursion(self):
        n = 1500
        chain = [
            question(f"q{i}", answer("yes", f"q{i + 1}" if i + 1 < n else None), answer("no"))
            for i in range(n)
        ]
        assert len(list(tree(*chain, start="q0").paths())) == n + 1

    @pytest.mark.parametrize(
        ("questions", "message"),
        [
            ([], "questions must be at least 1"),
            ([question("a", answer("yes"))], "question 'a' must have at least 2 answers"),
            ([question("a")], "question 'a' must have at least 2 answers, has 0"),
            ([question("b", answer("x"), answer("y"))], "start must name a question, is 'a'"),
            (
                [question("a", answer("x"), answer("y"))] * 2,
                "must have one question 'a', has 2",
            ),
            ([question("a", answer("x"), answer("x"))], "question 'a' must have one answer 'x'"),
            (
                [question("a", answer("x", "zz"), answer("y"))],
                "question 'a': next must name a question, is 'zz'",
            ),
            (
                [question("a", answer("x"), answer("y")), question("b", answer("x"), answer("y"))],
                "question 'b' must be reachable",
            ),
            ([question("A b", answer("x"), answer("y"))], "question 'A b': slug must be"),
            ([question("a", answer("x_y"), answer("y"))], "question 'a': answer: slug must be"),
            ([question("a", answer("total-votes"), answer("y"))], "'total-votes' clashes"),
            (
                [Question("a", {}, {}, (answer("x"), answer("y")))],
                "question 'a' must have a text in at least 1 language",
            ),
            (
                [question("a", Answer("x", {}), answer("y"))],
                "question 'a': answer 'x' must have a text",
            ),
        ],
    )
    def test_what_is_malformed_is_refused_by_name(self, questions, message):
        with pytest.raises(TreeError, match=message):
            tree(*questions)

    @pytest.mark.parametrize("pairs", [[("a_x",)], [("a_x", "a_z")], [("a_x", "a_x")], ["ab"]])
    def test_mirror_pairs_must_be_two_columns(self, pairs):
        with pytest.raises(TreeError, match="mirror_pairs"):
            tree(question("a", answer("x"), answer("y")), mirror_pairs=pairs)

    def test_a_tree_is_immutable_hashable_and_picklable(self):
        with pytest.raises(AttributeError):
            GZD5.slug = "other"
        with pytest.raises(TypeError):
            GZD5.questions[0].texts["en"] = "Other?"
        with pytest.raises(ValueError, match="read-only"):
            GZD5.mirror[0] = 1
        copy = pickle.loads(pickle.dumps(GZD5))
        assert copy == GZD5
        assert hash(copy) == hash(GZD5)
        assert repr(copy.questions[0].texts).startswith("Texts({'en'")


class TestJson:
    @given(trees())
    def test_a_tree_survives_the_round_trip(self, drawn):
        copy = DecisionTree.from_dict(json.loads(json.dumps(drawn.to_dict())))
        assert copy == drawn
        assert copy.checksum == drawn.checksum

    def test_the_checksum_sees_every_text(self):
        document = GZD5.to_dict()
        document["questions"][0]["help"]["zh-hant"] += "。"
        assert DecisionTree.from_dict(document).checksum != GZD5.checksum

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"slug": None}, "tree: slug must be of type str"),
            ({"nxt": 1}, "tree must have only the keys .*, has 'nxt'"),
            ({"questions": {}}, "tree: questions must be of type list"),
            ({"questions": [3]}, "question must be a JSON object, is 3"),
            ({"questions": [{"slug": "a"}]}, "question 'a': text must be of type Mapping"),
            ({"questions": [{"slug": "a", "text": {"en": " "}, "answers": []}]}, "must be words"),
            (
                {"questions": [{"slug": "a", "text": {"en": "A"}, "answers": [{"slug": "x"}]}]},
                "question 'a': answer: text",
            ),
            ({"slug": "No Slug"}, "tree: slug must be"),
        ],
    )
    def test_a_broken_document_is_refused(self, change, message):
        with pytest.raises(TreeError, match=message):
            DecisionTree.from_dict(GZD5.to_dict() | change)

    @pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[]"])
    def test_a_file_that_holds_no_tree_is_refused(self, tmp_path, content):
        (tmp_path / "tree.json").write_bytes(content)
        with pytest.raises(TreeError, match="JSON"):
            DecisionTree.from_file(tmp_path / "tree.json")

    def test_optional_keys_may_be_left_out(self):
        answers = [{"slug": "yes", "text": {"en": "Yes"}}, {"slug": "no", "text": {"en": "No"}}]
        plain = DecisionTree.from_dict(
            {
                "slug": "t",
                "name": "T",
                "start": "a",
                "questions": [{"slug": "a", "text": {"en": "A?"}, "answers": answers}],
            }
        )
        assert plain.question("a").help_text() == ""
        assert plain.question("a").answers[0] == Answer("yes", {"en": "Yes"})


class TestWalking:
    @given(trees())
    def test_paths_are_those_of_brute_force(self, drawn):
        assert list(drawn.paths()) == list(all_paths(drawn))

    @given(trees(max_questions=4, max_answers=3), st.randoms())
    def test_validate_accepts_exactly_the_enumerated_paths(self, drawn, random):
        accepted = {frozenset(path): path for path in all_paths(drawn)}
        choices = [[None, *(a.slug for a in q.answers)] for q in drawn.questions]
        for chosen in itertools.product(*choices):
            pairs = zip(drawn.questions, chosen, strict=True)
            steps = [(q.slug, a) for q, a in pairs if a is not None]
            random.shuffle(steps)
            if frozenset(steps) in accepted:
                path = accepted[frozenset(steps)]
                assert drawn.validate(steps) == drawn.validate(dict(steps)) == path
            else:
                with pytest.raises(AnnotationError):
                    drawn.validate(steps)

    @pytest.mark.parametrize(
        ("steps", "message"),
        [
            ([], "question 'smooth-or-featured' must be answered"),
            ([("colour", "red")], "no question 'colour'"),
            ([("smooth-or-featured", "red")], "'smooth-or-featured' has no answer 'red'"),
            ([("smooth-or-featured", "artifact")] * 2, "must have one answer, has two"),
            ([("smooth-or-featured", "smooth")], "question 'how-rounded' must be answered"),
            (
                [("smooth-or-featured", "artifact"), ("bar", "no")],
                "question 'bar' is not on the path",
            ),
        ],
    )
    def test_validate_says_what_is_wrong(self, steps, message):
        with pytest.raises(AnnotationError, match=message):
            GZD5.validate(steps)

    @given(trees())
    def test_parents_come_first_and_columns_are_contiguous(self, drawn):
        order = [q.slug for q in drawn.questions]
        assert order[0] == drawn.start
        for q in drawn.questions:
            assert all(order.index(p) < order.index(q.slug) for p, _ in drawn.parents(q.slug))
            assert drawn.label_cols[drawn.question_slices[q.slug]] == q.columns
        assert [f"{q}_{a}" for q, a in drawn.column_index] == drawn.label_cols


class TestFixtures:
    @pytest.mark.parametrize(("name", "n_answers"), [*zip(NAMES, [34, 37, 6, 2], strict=True)])
    def test_it_has_its_answers(self, name, n_answers):
        loaded = DecisionTree.from_file(FIXTURES / f"{name}.json")
        assert len(loaded.label_cols) == n_answers
        assert loaded.slug == name

    @pytest.mark.parametrize("name", NAMES)
    def test_every_text_is_there_in_three_languages(self, name):
        for q in DecisionTree.from_file(FIXTURES / f"{name}.json").questions:
            for texts in [q.texts, q.help, *(a.texts for a in q.answers)]:
                assert set(texts) == {"en", "zh-hant", "zh-hans"}

    @pytest.mark.parametrize("name", NAMES)
    def test_answers_of_one_question_have_different_icons(self, name):
        for q in DecisionTree.from_file(FIXTURES / f"{name}.json").questions:
            icons = [a.icon for a in q.answers]
            assert all(icons)
            assert len(set(icons)) == len(icons)

    def test_gz1_swaps_handedness_in_a_mirror(self):
        gz1 = DecisionTree.from_file(FIXTURES / "gz1.json")
        cols = np.array(gz1.label_cols)
        assert cols[gz1.mirror].tolist() == [
            "morphology_elliptical",
            "morphology_edge-on",
            "morphology_spiral-anticlockwise",
            "morphology_spiral-clockwise",
            "morphology_merger",
            "morphology_dont-know",
        ]
        assert (gz1.mirror[gz1.mirror] == np.arange(6)).all()

    def test_only_star_or_artifact_is_an_artifact(self):
        assert GZD5.artifact_cols == ["smooth-or-featured_artifact"]


class TestTexts:
    @pytest.mark.parametrize(
        ("language", "expected"),
        [("en", "Smooth"), ("en-gb", "Smooth"), ("zh-Hant", "平滑"), ("fr", "Smooth")],
    )
    def test_the_nearest_language_is_chosen(self, language, expected):
        assert GZD5.questions[0].answers[0].text(language) == expected

    def test_without_english_the_first_language_is_chosen(self):
        assert Answer("x", {"cy": "Oes", "ga": "Tá"}).text("en") == "Oes"

    def test_question_and_help_have_a_language(self):
        assert GZD5.question("bar").text("zh-hans") == "有没有一条棒穿过星系中心？"
        assert "straight band" in GZD5.question("bar").help_text()


class TestArtifacts:
    def test_exactly_the_given_columns_are_marked(self):
        marked = GZD5.with_artifacts(["bar_no"])
        assert marked.artifact_cols == ["bar_no"]

    def test_an_unknown_column_is_refused(self):
        with pytest.raises(TreeError, match="is 'bar_maybe'"):
            GZD5.with_artifacts(["bar_maybe"])
