from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.errors import InvalidInputError
from mlcore.gp.acquisition import select_batch


def random_covariance(m, seed):
    root = np.random.default_rng(seed).standard_normal((m, m + 1))
    return root @ root.T


def left_over(covariance, i, known, noise):
    """Var[f_i | noisy f_known] / Var[f_i], by solving for all of them at once."""
    spread = np.sqrt(np.diag(covariance))
    correlation = covariance / spread / spread[:, None]
    if not known:
        return 1.0
    block = correlation[np.ix_(known, known)] + np.diag(noise)
    across = correlation[i, known]
    return 1.0 - across @ np.linalg.solve(block, across)


@given(st.integers(0, 200))
@settings(max_examples=25, deadline=None)
def test_each_gain_is_the_score_times_what_the_others_leave_unexplained(seed):
    rng = np.random.default_rng(seed)
    covariance, scores = random_covariance(6, seed), rng.random(6) + 0.1
    noise, owed = rng.uniform(0.1, 1.0, 6), np.full(6, np.inf)
    owed[[1, 5]] = rng.uniform(0.2, 2.0, 2)
    chosen, gains = select_batch(scores, covariance, 4, noise=noise, promised_noise=owed)
    votes = [(1, owed[1]), (5, owed[5])]
    for step, (pick, gain) in enumerate(zip(chosen, gains, strict=True)):
        left = {}
        for i in set(range(6)) - set(chosen[:step].tolist()):
            others = [(j, r) for j, r in votes if j != i]
            known, noises = [j for j, _ in others], [r for _, r in others]
            left[i] = scores[i] * left_over(covariance, i, known, noises)
        assert pick == max(left, key=left.get)
        assert gain == pytest.approx(left[pick], rel=1e-6)
        votes.append((int(pick), noise[pick]))
    assert (np.diff(gains) <= 1e-12).all()


def test_two_galaxies_chosen_are_the_best_pair_of_all():
    scores = np.array([1.0, 0.99, 0.6, 0.2])
    covariance = np.eye(4)
    covariance[0, 1] = covariance[1, 0] = 0.95
    quality = np.sqrt(scores[:, None] * scores) * covariance
    best = max(combinations(range(4), 2), key=lambda s: np.linalg.det(quality[np.ix_(s, s)]))
    chosen, _ = select_batch(scores, covariance, 2)
    assert sorted(chosen.tolist()) == list(best) == [0, 2]


TWINS = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def test_a_twin_of_a_galaxy_that_becomes_known_is_never_chosen():
    assert select_batch([3.0, 3.0, 1.0], TWINS, 3)[0].tolist() == [0, 2]


def test_a_twin_is_worth_what_few_votes_leave_open():
    chosen, gains = select_batch([3.0, 3.0, 1.0], TWINS, 3, noise=0.25)
    assert chosen.tolist() == [0, 2, 1]
    assert gains[2] == pytest.approx(3.0 * 0.2)


def test_promised_votes_lower_the_gain_of_neighbours_but_not_of_the_galaxy_itself():
    owed = np.array([np.inf, 0.25, np.inf])
    chosen, gains = select_batch([3.0, 2.9, 1.0], TWINS, 1, promised_noise=owed)
    assert chosen.tolist() == [1]
    assert gains[0] == pytest.approx(2.9)


def test_nothing_to_choose_from():
    chosen, gains = select_batch(np.empty(0), np.empty((0, 0)), 5)
    assert chosen.shape == gains.shape == (0,)
    assert select_batch([0.0, 0.0], np.eye(2), 2)[0].tolist() == []
    assert select_batch([1.0, 1.0], np.eye(2), 0)[0].tolist() == []


@pytest.mark.parametrize(
    ("scores", "covariance", "noise", "message"),
    [
        ([np.nan, 1.0], np.eye(2), 0.0, "scores must be"),
        ([-1.0, 1.0], np.eye(2), 0.0, "scores must be"),
        ([1.0, 1.0], np.eye(3), 0.0, "covariance must be"),
        ([1.0, 1.0], np.zeros((2, 2)), 0.0, "covariance must be"),
        ([1.0, 1.0], np.eye(2), -1.0, "noise must be at least 0"),
        ([1.0, 1.0], np.eye(2), np.ones(3), r"noise must be \(2,\), is \(3,\)"),
    ],
)
def test_impossible_input_is_refused(scores, covariance, noise, message):
    with pytest.raises(InvalidInputError, match=message):
        select_batch(scores, covariance, 1, noise=noise)


def test_promised_votes_always_have_some_noise():
    with pytest.raises(InvalidInputError, match="promised_noise above 0"):
        select_batch([1.0, 1.0], np.eye(2), 1, promised_noise=0.0)
