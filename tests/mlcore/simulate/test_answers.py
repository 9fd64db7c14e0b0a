from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import InvalidInputError
from mlcore.simulate.answers import KNOWN_TREES, answer_fractions
from mlcore.simulate.galaxies import draw_truth

from . import trees


def asked(fractions, tree):
    """Chance that each question is asked, by walking every path's first part once."""
    chances = {}
    for question in tree.questions:
        routes = tree.parents(question.slug)
        chances[question.slug] = (
            sum(
                chances[parent] * fractions[tree.label_cols.index(f"{parent}_{answer}")]
                for parent, answer in routes
            )
            if routes
            else 1.0
        )
    return chances


def fraction(truth, tree, column):
    return answer_fractions(truth, tree)[tree.label_cols.index(column)]


@pytest.mark.parametrize("slug", KNOWN_TREES)
def test_every_answer_is_the_most_likely_for_some_galaxy_that_is_asked(slug):
    tree = trees.published(slug)
    found = set()
    for index in range(2000):
        fractions = answer_fractions(draw_truth(0, index), tree)
        chances = asked(fractions, tree)
        for question, place in tree.question_slices.items():
            if chances[question] > 0.5:
                found.add(tree.label_cols[place.start + int(fractions[place].argmax())])
    never = set(tree.label_cols) - found - {"odd-feature_lens-or-arc", "odd-feature_other"}

    assert not never


@pytest.mark.parametrize("slug", KNOWN_TREES)
@given(seed=st.integers(0, 1000), index=st.integers(0, 1000))
def test_each_question_sums_to_1_and_no_answer_is_impossible(slug, seed, index):
    tree = trees.published(slug)
    fractions = answer_fractions(draw_truth(seed, index), tree)

    assert fractions.shape == (len(tree.label_cols),)
    assert (fractions > 0).all()
    for place in tree.question_slices.values():
        assert fractions[place].sum() == pytest.approx(1)


@pytest.mark.parametrize("slug", KNOWN_TREES)
@given(index=st.integers(0, 1000))
def test_a_mirrored_galaxy_gets_the_mirrored_votes(slug, index):
    tree = trees.published(slug)
    truth = draw_truth(3, index)
    flipped = replace(truth, clockwise=not truth.clockwise)

    np.testing.assert_allclose(
        answer_fractions(flipped, tree), answer_fractions(truth, tree)[tree.mirror]
    )


def test_most_galaxies_are_smooth_and_few_are_artifacts():
    tree = trees.published("gz-decals-5")
    mean = np.mean([answer_fractions(draw_truth(8, index), tree) for index in range(1500)], axis=0)
    share = dict(zip(tree.label_cols, mean, strict=True))

    assert 0.5 < share["smooth-or-featured_smooth"] < 0.65
    assert 0.02 < share["smooth-or-featured_artifact"] < 0.09
    assert 0.02 < share["merging_merger"] < 0.09


def test_a_stronger_bar_gets_more_votes_and_haze_takes_them_away():
    tree = trees.published("gz-decals-5")
    face_on = replace(
        draw_truth(0, 0), kind="disk", inclination=20.0, bulge_fraction=0.1, radius=8.0,
        magnitude=15.0, depth=26.5, seeing=1.0, bar_strength=0.9,
    )  # fmt: skip
    votes = [
        fraction(replace(face_on, bar_strength=strength), tree, "bar_strong")
        for strength in np.linspace(0, 1, 11)
    ]

    assert (np.diff(votes) > 0).all()
    assert fraction(replace(face_on, radius=1.0), tree, "bar_strong") < 0.5 * votes[9]


def test_an_unknown_tree_is_refused_with_the_known_ones():
    tree = trees.one_question("cats", "tabby", "black")

    with pytest.raises(InvalidInputError, match=r"tree must be one of gz-decals-5.*'cats'"):
        answer_fractions(draw_truth(0, 0), tree)


def test_another_tree_under_a_known_name_is_refused():
    other_answers = trees.one_question("gz1", "tabby", "black")
    other_questions = trees.one_question("gz2", "tabby", "black")

    with pytest.raises(InvalidInputError, match="answers of question 'class' of 'gz1'"):
        answer_fractions(draw_truth(0, 0), other_answers)
    with pytest.raises(InvalidInputError, match=r"questions of 'gz2' must be among .* has 'class'"):
        answer_fractions(draw_truth(0, 0), other_questions)
