import numpy as np
import pytest

from mlcore.errors import InvalidInputError
from mlcore.gp.acquisition import Beliefs, taught, vote_noise, votes_wanted


def beliefs_of(tree, variances, *, scatter=0.1, promised=0):
    shape = (len(variances), len(tree.label_cols))
    return Beliefs(
        tree,
        mean=np.zeros(shape),
        variance=np.tile(np.array(variances, dtype=float)[:, None], shape[1]),
        scatter=np.full(shape, scatter),
        promised=np.full(len(variances), promised),
    )


def test_votes_are_asked_while_the_next_one_is_worth_its_price(one_question):
    beliefs = beliefs_of(one_question(3), [0.01, 0.5, 3.0])
    wanted = votes_wanted(beliefs, min_votes=2, max_votes=30, price=0.03)
    for row, number in enumerate(wanted):
        told = [taught(beliefs, n)[row] for n in range(32)]
        assert number == 2 or told[number] - told[number - 1] >= 0.03
        assert number == 30 or told[number + 1] - told[number] < 0.03
    assert wanted[0] == 2
    assert wanted[0] < wanted[1] < wanted[2] < 30


def test_each_galaxy_may_have_its_own_price(one_question):
    beliefs = beliefs_of(one_question(2), [1.0, 1.0])
    cheap, dear = votes_wanted(beliefs, price=[0.001, 0.5])
    assert cheap > dear == 3


def test_limits_hold_and_promises_are_kept(one_question):
    tree = one_question(2)
    assert votes_wanted(beliefs_of(tree, [9.0]), max_votes=5, price=1e-9).tolist() == [5]
    assert votes_wanted(beliefs_of(tree, [0.0]), min_votes=4, max_votes=4).tolist() == [4]
    assert votes_wanted(beliefs_of(tree, [0.0], promised=7)).tolist() == [7]


def test_votes_explain_what_a_regression_on_them_would(one_question):
    beliefs = beliefs_of(one_question(2), [2.0], scatter=0.5)
    # Either answer has half of 8 votes: noise 1 / 4, plus the galaxy's own scatter.
    assert vote_noise(beliefs, 8)[0] == pytest.approx((0.5 + 0.25) / 2.0)


def test_a_question_rarely_asked_is_little_explained(branching_tree):
    beliefs = beliefs_of(branching_tree, [1.0, 1.0])
    beliefs.mean[1, 1] = -20.0
    often, never = vote_noise(beliefs, 5)
    assert often < never < np.inf


def test_no_votes_explain_nothing(one_question):
    beliefs = beliefs_of(one_question(2), [1.0, 0.0])
    assert vote_noise(beliefs, 0).tolist() == [np.inf, np.inf]
    assert vote_noise(beliefs, [4, 4])[1] == np.inf


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"min_votes": 5, "max_votes": 4}, "max_votes must be at least 5, is 4"),
        ({"min_votes": 0}, "min_votes must be at least 1, is 0"),
        ({"price": 0.0}, "price must be above 0, is 0.0"),
        ({"price": [0.1, np.nan]}, "price must be above 0, is nan"),
    ],
)
def test_impossible_limits_are_refused(limits, message, one_question):
    with pytest.raises(InvalidInputError, match=message):
        votes_wanted(beliefs_of(one_question(2), [1.0, 1.0]), **limits)
