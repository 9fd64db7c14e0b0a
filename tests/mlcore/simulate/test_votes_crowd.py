"""A crowd at once answers as its volunteers do one by one."""

import numpy as np
import pytest

from mlcore.errors import InvalidInputError
from mlcore.simulate import volunteers as one_by_one
from mlcore.simulate.volunteers import CARELESS, VolunteerPopulation
from mlcore.simulate.votes_crowd import VoteRecord, _Answering, draw_votes
from tests.mlcore.conftest import make_tree
from tests.mlcore.simulate.vote_surveys import TREE, make_survey

FRACTIONS = make_survey(60).fractions


def record(fractions=FRACTIONS, **changes):
    return draw_votes(fractions, TREE, **{"volunteers": 50, "votes": 20, "seed": 3, **changes})


class TestChances:
    @pytest.mark.parametrize("question", TREE.questions, ids=lambda question: question.slug)
    def test_are_those_of_each_volunteer(self, question):
        people = VolunteerPopulation(120, 0, careless=0.5).volunteers()
        assert {person.manner for person in people} > set(CARELESS)
        crowd = FRACTIONS[:3, TREE.question_slices[question.slug]]
        who = np.tile(np.arange(120), (3, 1))
        found = _Answering.of(people, question).chances(crowd, who)
        for galaxy in range(3):
            for place, person in enumerate(people):
                expected = one_by_one._chances(person, question, crowd[galaxy])
                assert found[galaxy, place] == pytest.approx(expected)

    def test_are_those_of_the_careless_where_there_is_no_artifact(self):
        question = make_tree({"bar": {"yes": None, "no": None}}).questions[0]
        people = VolunteerPopulation(60, 1, careless=1.0).volunteers()
        crowd = np.array([[0.3, 0.7]])
        found = _Answering.of(people, question).chances(crowd, np.arange(60)[None])
        expected = [one_by_one._chances(person, question, crowd[0]) for person in people]
        assert found[0] == pytest.approx(np.array(expected))

    def test_are_those_of_the_artifact_happy(self):
        tree = TREE.with_artifacts(["shape_artifact"])
        people = VolunteerPopulation(60, 1, careless=1.0).volunteers()
        crowd = FRACTIONS[:1, :3]
        found = _Answering.of(people, tree.questions[0]).chances(crowd, np.arange(60)[None])
        expected = [one_by_one._chances(each, tree.questions[0], crowd[0]) for each in people]
        assert found[0] == pytest.approx(np.array(expected))


class TestVotes:
    def test_follow_the_tree(self):
        counts = record().counts(np.full(60, 20))
        assert (counts[:, :3].sum(axis=1) == 20).all()
        assert (counts[:, 3:].sum(axis=1) == counts[:, 1]).all()

    def test_average_to_about_the_crowds_fractions(self):
        counts = record(volunteers=200, votes=40).counts(np.full(60, 40))
        assert np.abs(counts[:, :3] / 40 - FRACTIONS[:, :3]).mean() < 0.07

    def test_more_votes_only_add(self):
        votes = record()
        few, more = votes.counts(np.full(60, 3)), votes.counts(np.full(60, 4))
        assert ((more - few)[:, :3].sum(axis=1) == 1).all()
        assert ((more - few) >= 0).all()

    def test_same_seed_same_votes(self):
        assert (record().running == record().running).all()
        assert (record().running != record(seed=4).running).any()

    def test_no_galaxies(self):
        votes = record(fractions=np.empty((0, 5)))
        assert votes.counts(np.empty(0, dtype=np.int64)).shape == (0, 5)

    @pytest.mark.parametrize("votes", [0, 51, 256])
    def test_refuses_impossible_numbers(self, votes):
        with pytest.raises(InvalidInputError, match=f"votes must be from 1 to .*, is {votes}"):
            record(votes=votes)

    @pytest.mark.parametrize("asked", [-1, 3])
    def test_refuses_votes_that_were_not_drawn(self, asked):
        votes = VoteRecord(np.zeros((2, 3, 1), dtype=np.uint8))
        with pytest.raises(InvalidInputError, match="n_votes must be from 0 to 2"):
            votes.counts(np.array([0, asked]))
