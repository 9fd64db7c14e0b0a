"""The question of a replay: from the classes found, or from a published tree."""

import numpy as np
import pytest

from mlcore.errors import InvalidInputError
from mlcore.simulate.confusion import GZ1_CONFUSION
from mlcore.simulate.replay_question import confusion_of, question_alone, tree_of_classes
from tests.mlcore.simulate.trees import published

GZ1 = ("dont-know", "edge-on", "elliptical", "merger", "spiral-anticlockwise", "spiral-clockwise")


class TestTreeOfClasses:
    def test_asks_one_question_named_by_the_column(self):
        tree = tree_of_classes("SDSS (GZ1)", "gz1_class", GZ1)
        assert tree.slug == "sdss-gz1"
        assert tree.label_cols == [f"gz1-class_{name}" for name in GZ1]
        assert list(tree.question_slices) == ["gz1-class"]

    def test_a_flip_swaps_what_winds(self):
        tree = tree_of_classes("g", "c", ("anticlockwise", "clockwise", *GZ1))
        swapped = {tree.label_cols[a]: tree.label_cols[b] for a, b in enumerate(tree.mirror)}
        assert swapped["c_spiral-clockwise"] == "c_spiral-anticlockwise"
        assert swapped["c_anticlockwise"] == "c_clockwise"
        assert swapped["c_merger"] == "c_merger"

    @pytest.mark.parametrize("classes", [("a-clockwise", "b-anticlockwise"), ("clockwise", "no")])
    def test_one_hand_alone_is_no_pair(self, classes):
        assert tree_of_classes("g", "c", classes).mirror_pairs == ()

    def test_names_without_latin_letters_get_slugs(self):
        tree = tree_of_classes("星系", "類", ("a", "b"))
        assert (tree.slug, tree.start, tree.name) == ("replay", "class", "星系")

    @pytest.mark.parametrize("number", [0, 1, 51])
    def test_too_few_or_too_many_classes(self, number):
        with pytest.raises(InvalidInputError, match=f"classes must be from 2 to 50, are {number}"):
            tree_of_classes("g", "c", [f"c{place}" for place in range(number)])


class TestQuestionAlone:
    def test_a_tree_of_one_question_stays(self):
        tree = published("gz1")
        assert question_alone(tree, GZ1[:2]) is tree

    def test_one_question_of_several_is_asked_alone(self):
        tree = question_alone(published("gz-decals-5"), ("smooth", "artifact"))
        assert list(tree.question_slices) == ["smooth-or-featured"]
        assert all(answer.next is None for answer in tree.questions[0].answers)

    @pytest.mark.parametrize(("classes", "number"), [(("smooth", "merger"), 0), (("yes", "no"), 4)])
    def test_none_or_several_that_fit(self, classes, number):
        slug = "gz-decals-5" if number == 0 else "gz2"
        with pytest.raises(InvalidInputError, match=rf"must have one question .* has {number}"):
            question_alone(published(slug), classes)

    def test_no_class(self):
        with pytest.raises(InvalidInputError, match="at least 1, are 0"):
            question_alone(published("gz1"), ())


class TestConfusion:
    def test_of_galaxy_zoo_1_is_the_documented_one(self):
        found = confusion_of(GZ1)
        for name in GZ1:
            row = dict(zip(found.classes, found.row(name), strict=True))
            assert row == pytest.approx(
                dict(zip(GZ1_CONFUSION.classes, GZ1_CONFUSION.row(name), strict=True))
            )

    def test_of_some_of_its_classes_keeps_their_proportions(self):
        found = confusion_of(("edge-on", "elliptical"))
        np.testing.assert_allclose(
            found.rows, [[0.84 / 0.92, 0.08 / 0.92], [0.05 / 0.91, 0.86 / 0.91]]
        )

    def test_of_anything_else_is_even(self):
        assert confusion_of(("ring", "none", "other")).row("none").tolist() == pytest.approx(
            [0.075, 0.85, 0.075]
        )
