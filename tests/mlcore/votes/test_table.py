from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import InvalidInputError
from mlcore.tree import DecisionTree
from mlcore.votes.table import VoteTable

FIXTURES = Path(__file__).parents[3] / "fixtures" / "trees"
GZD5 = DecisionTree.from_file(FIXTURES / "gz-decals-5.json")
ONE_VOTE = {"volunteer": [0], "subject": [0], "question": [0], "answer": [0]}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.sampled_from(range(10)))))
def test_counts_are_those_of_counting_one_by_one(keys):
    rows = [(*key, place % 2) for place, key in enumerate(dict.fromkeys(keys))]
    volunteer, subject, question, answer = np.array(rows, dtype=int).reshape(-1, 4).T
    votes = VoteTable(GZD5, volunteer, subject, question, answer)
    weight = np.arange(1.0, len(rows) + 1)
    expected = np.zeros((votes.n_subjects, 34))
    for row, (_, s, q, a) in enumerate(rows):
        slug = GZD5.questions[q].slug
        expected[s, GZD5.question_slices[slug].start + a] += weight[row]
    assert np.array_equal(votes.counts(weight), expected)
    assert votes.counts().sum() == len(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"volunteer": [0, 0]}, "subject must have 2 votes"),
        ({"subject": [-1]}, "subject must be at least 0, is -1"),
        ({"answer": [1.5]}, "answer must be one axis of integers"),
        ({"answer": [[1]]}, "answer must be one axis of integers"),
        ({"question": [10]}, "question must be one that the tree has, is 10"),
        ({"answer": [3]}, "answer must be one that the tree has, is 3"),
    ],
)
def test_impossible_votes_are_refused(change, message):
    with pytest.raises(InvalidInputError, match=message):
        VoteTable(GZD5, **(ONE_VOTE | change))


def test_two_answers_of_one_volunteer_are_refused():
    with pytest.raises(InvalidInputError, match="question 0 of subject 0 once, answered 2 times"):
        VoteTable(GZD5, **{name: values * 2 for name, values in ONE_VOTE.items()})
