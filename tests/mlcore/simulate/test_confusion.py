import numpy as np
import pytest

from mlcore.errors import InvalidInputError
from mlcore.simulate.confusion import GZ1_CONFUSION, Confusion, confusion_volunteer
from mlcore.simulate.volunteers import VolunteerPopulation, classify

from . import trees


@pytest.mark.parametrize("class_name", GZ1_CONFUSION.classes)
def test_answers_follow_the_documented_confusion(class_name):
    answer = confusion_volunteer(class_name, GZ1_CONFUSION)
    rng = np.random.default_rng(0)
    answers = [answer(rng) for _ in range(4000)]

    found = [answers.count(name) / 4000 for name in GZ1_CONFUSION.classes]
    assert found == pytest.approx(GZ1_CONFUSION.row(class_name), abs=0.03)


def test_the_published_class_is_the_most_likely_answer():
    for class_name in GZ1_CONFUSION.classes:
        best = int(GZ1_CONFUSION.row(class_name).argmax())
        assert GZ1_CONFUSION.classes[best] == class_name


def test_the_two_senses_of_winding_are_confused_alike():
    place = {name: at for at, name in enumerate(GZ1_CONFUSION.classes)}
    mirror = np.arange(len(place))
    left, right = place["spiral-clockwise"], place["spiral-anticlockwise"]
    mirror[[left, right]] = right, left
    matrix = np.array(GZ1_CONFUSION.rows)

    np.testing.assert_array_equal(matrix, matrix[mirror][:, mirror])


def test_even_confusion_shares_the_errors():
    confusion = Confusion.even(("a", "b", "c"), 0.8)

    np.testing.assert_allclose(confusion.row("b"), [0.1, 0.8, 0.1])


def test_fractions_come_in_the_trees_order_and_can_be_classified():
    tree = trees.one_question("any", "c", "a", "b")
    fractions = Confusion.even(("a", "b", "c"), 0.8).fractions("a", tree)
    volunteer = VolunteerPopulation(size=1, seed=0).volunteer(0)

    np.testing.assert_allclose(fractions, [0.1, 0.8, 0.1])
    walk = classify(volunteer, fractions, tree, np.random.default_rng(0))
    assert tree.validate(walk) == walk


def test_the_confusion_of_galaxy_zoo_1_fits_its_tree():
    tree = trees.published("gz1")

    assert GZ1_CONFUSION.fractions("merger", tree).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("classes", "rows", "message"),
    [
        (("a",), ((1.0,),), "classes must be at least 2 different names"),
        (("a", "a"), ((1.0, 0.0), (0.0, 1.0)), "classes must be at least 2 different names"),
        (("a", "b"), ((1.0, 0.0),), "rows must be 2 rows of 2"),
        (("a", "b"), ((1.0, 0.0), (1.0,)), "rows must be 2 rows of 2"),
        (("a", "b"), ((1.0, 0.0), (0.5, 0.6)), "row of 'b' must sum to 1"),
        (("a", "b"), ((1.5, -0.5), (0.5, 0.5)), "row of 'a' must sum to 1 with none below 0"),
        (("a", "b"), ((float("nan"), 1.0), (0.5, 0.5)), "row of 'a' must sum to 1"),
    ],
)
def test_an_impossible_confusion_is_refused(classes, rows, message):
    with pytest.raises(InvalidInputError, match=message):
        Confusion(classes, rows)


@pytest.mark.parametrize("accuracy", [-0.1, 1.1])
def test_an_impossible_accuracy_is_refused(accuracy):
    with pytest.raises(InvalidInputError, match=f"accuracy must be from 0 to 1, is {accuracy}"):
        Confusion.even(("a", "b"), accuracy)


def test_an_unknown_class_is_refused_with_the_known_ones():
    with pytest.raises(InvalidInputError, match=r"class_name must be one of elliptical.*'cat'"):
        confusion_volunteer("cat", GZ1_CONFUSION)


def test_a_tree_with_other_answers_is_refused():
    tree = trees.one_question("any", "a", "b")

    with pytest.raises(InvalidInputError, match="tree must ask one question with the answers"):
        GZ1_CONFUSION.fractions("merger", tree)
