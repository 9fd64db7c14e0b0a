from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.errors import InvalidInputError
from mlcore.simulate.answers import answer_fractions
from mlcore.simulate.galaxies import draw_truth
from mlcore.simulate.volunteers import (
    ARTIFACT_HAPPY,
    CAREFUL,
    CARELESS,
    FIRST_ANSWER,
    RANDOM_CLICKER,
    VolunteerPopulation,
    classify,
    safe_answer,
    seconds_taken,
)

from . import trees

PLAIN = replace(
    VolunteerPopulation(size=1, seed=0, careless=0).volunteer(0),
    skill=0.5,
    hesitation=0.0,
    bias=0.0,
    slip=0.0,
)


def shares(volunteer, fractions, tree, times=2000):
    """How often one volunteer gives each answer to the first question."""
    rng = np.random.default_rng(1)
    answers = [classify(volunteer, fractions, tree, rng)[0][1] for _ in range(times)]
    return [answers.count(answer.slug) / times for answer in tree.questions[0].answers]


@given(st.integers(0, 500), st.integers(0, 99), st.integers(0, 2**32))
@settings(deadline=None)
def test_a_walk_is_always_a_complete_path_of_the_tree(galaxy, volunteer, seed):
    tree = trees.published("gz-decals-5")
    population = VolunteerPopulation(size=100, seed=5, careless=0.3)
    fractions = answer_fractions(draw_truth(1, galaxy), tree)

    walk = classify(population.volunteer(volunteer), fractions, tree, np.random.default_rng(seed))

    assert tree.validate(walk) == walk


def test_a_volunteer_and_a_classification_depend_on_their_seeds_alone():
    tree = trees.one_question("any", "a", "b", "c")
    population = VolunteerPopulation(size=9, seed=3)
    fractions = np.array([0.3, 0.3, 0.4])

    assert population.volunteer(7) == VolunteerPopulation(size=99, seed=3).volunteer(7)
    assert population.volunteers()[7] == population.volunteer(7)
    walks = [
        classify(population.volunteer(7), fractions, tree, np.random.default_rng(2))
        for _ in range(2)
    ]
    assert walks[0] == walks[1]


def test_an_ordinary_volunteer_votes_as_the_crowd_does():
    tree = trees.one_question("any", "a", "b", "c")
    own_skill = PLAIN.question_skill("class")
    fractions = np.array([0.6, 0.3, 0.1])
    expected = fractions ** (0.5 + own_skill)

    assert shares(PLAIN, fractions, tree) == pytest.approx(expected / expected.sum(), abs=0.04)


def test_a_population_votes_as_the_crowd_does():
    tree = trees.one_question("any", "a", "b", "c")
    fractions = np.array([0.6, 0.3, 0.1])
    rng = np.random.default_rng(0)
    volunteers = VolunteerPopulation(size=3000, seed=1, careless=0.0).volunteers()
    answers = [classify(one, fractions, tree, rng)[0][1] for one in volunteers]

    found = [answers.count(answer) / 3000 for answer in "abc"]
    assert found == pytest.approx(fractions, abs=0.06)


def test_skill_and_hesitation_pull_opposite_ways_on_a_faint_feature():
    tree = trees.one_question("any", "yes", "no")
    fractions = np.array([0.6, 0.4])

    skilled = shares(replace(PLAIN, skill=1.0), fractions, tree)
    hesitant = shares(replace(PLAIN, hesitation=1.0), fractions, tree)

    assert skilled[0] > 0.6
    assert hesitant[1] > 0.5


def test_bias_is_the_same_for_every_galaxy_and_differs_between_questions():
    biased = replace(PLAIN, bias=1.0)

    np.testing.assert_array_equal(biased.taste("bar", 3), biased.taste("bar", 3))
    assert (biased.taste("bar", 3) != biased.taste("merging", 3)).all()


@pytest.mark.parametrize(
    ("manner", "expected"),
    [
        (RANDOM_CLICKER, [1 / 3, 1 / 3, 1 / 3]),
        (FIRST_ANSWER, [1, 0, 0]),
        (ARTIFACT_HAPPY, [0.08, 0.015, 0.905]),
    ],
)
def test_careless_volunteers_keep_their_manner(manner, expected):
    tree = trees.published("gz-decals-5")
    fractions = np.ones(len(tree.label_cols))
    fractions[:3] = [0.8, 0.15, 0.05]

    found = shares(replace(PLAIN, manner=manner), fractions, tree)

    assert found == pytest.approx(expected, abs=0.05)


def test_the_artifact_happy_vote_like_the_crowd_where_there_is_no_artifact_answer():
    tree = trees.one_question("any", "a", "b")

    found = shares(replace(PLAIN, manner=ARTIFACT_HAPPY), np.array([0.8, 0.2]), tree)

    assert found == pytest.approx([0.8, 0.2], abs=0.04)


def test_the_careless_come_in_their_share_and_in_every_manner():
    manners = [one.manner for one in VolunteerPopulation(1500, seed=2, careless=0.1).volunteers()]

    assert manners.count(CAREFUL) / 1500 == pytest.approx(0.9, abs=0.03)
    assert set(manners) == {CAREFUL, *CARELESS}


def test_a_few_volunteers_do_much_of_the_work():
    activity = np.sort([one.activity for one in VolunteerPopulation(2000, seed=0).volunteers()])

    assert activity[-200:].sum() > 0.3 * activity.sum()


def test_a_longer_walk_takes_longer_and_an_empty_one_no_time():
    rng = np.random.default_rng(0)
    short = np.mean([seconds_taken(PLAIN, (("q", "a"),), rng) for _ in range(300)])
    long = np.mean([seconds_taken(PLAIN, (("q", "a"),) * 5, rng) for _ in range(300)])

    assert long > 2 * short > 0
    assert seconds_taken(PLAIN, (), rng) == 0


@pytest.mark.parametrize(
    ("answers", "expected"),
    [(("a", "no", "b"), 1), (("artifact", "smooth"), 1), (("1", "2", "3"), 1), (("1", "2"), 1)],
)
def test_the_safe_answer_is_the_vague_one_or_the_middle(answers, expected):
    assert safe_answer(answers) == expected


def test_a_question_without_answers_has_no_safe_one():
    with pytest.raises(InvalidInputError, match="answers must have at least 1 entry, has 0"):
        safe_answer([])


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ([0.5, 0.5, 0.0], r"must have shape \(2,\), is \(3,\)"),
        ([1.5, -0.5], "must be at least 0, has -0.5"),
        ([np.nan, 0.5], "must be at least 0, has nan"),
        ([0.0, 0.0], "question 'class' must have a positive sum, is 0.0"),
        ([np.inf, 0.0], "question 'class' must have a positive sum, is inf"),
    ],
)
def test_impossible_fractions_are_refused(fractions, message):
    tree = trees.one_question("any", "a", "b")

    with pytest.raises(InvalidInputError, match=message):
        classify(PLAIN, np.array(fractions), tree, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"size": 0}, "size must be at least 1, is 0"),
        ({"seed": -1}, "seed must be at least 0, is -1"),
        ({"careless": 1.5}, "careless must be from 0 to 1, is 1.5"),
        ({"mean_skill": -0.1}, "mean_skill must be from 0 to 1, is -0.1"),
    ],
)
def test_an_impossible_population_is_refused(parameters, message):
    with pytest.raises(InvalidInputError, match=message):
        VolunteerPopulation(**({"size": 5, "seed": 0} | parameters))


@pytest.mark.parametrize("index", [-1, 5])
def test_a_volunteer_outside_the_population_is_refused(index):
    with pytest.raises(InvalidInputError, match=f"index must be from 0 to 4, is {index}"):
        VolunteerPopulation(size=5, seed=0).volunteer(index)
