from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import entr
from scipy.stats import multinomial

from mlcore.errors import InvalidInputError
from mlcore.gp.acquisition import asked_probability, information_gain, tree_information


def draw(n_draws, m, k, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(k), size=(n_draws, m))


def brute_force(draws, n_votes):
    gains = []
    for galaxy in draws.transpose(1, 0, 2):
        k = galaxy.shape[1]
        ways = [w for w in product(range(n_votes + 1), repeat=k) if sum(w) == n_votes]
        p = np.array([[multinomial.pmf(w, n_votes, rho) for w in ways] for rho in galaxy])
        gains.append(entr(p.mean(axis=0)).sum() - entr(p).sum(axis=1).mean())
    return np.array(gains)


@given(st.integers(1, 5), st.integers(2, 4), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_information_is_that_of_every_way_the_votes_can_fall(n_votes, k, seed):
    draws = draw(6, 3, k, seed)
    np.testing.assert_allclose(
        information_gain(draws, n_votes), brute_force(draws, n_votes), atol=1e-7
    )


def test_with_many_answers_it_is_a_lower_bound_not_far_below():
    draws = np.random.default_rng(1).dirichlet([8, 4, 2, 0.2, 0.1, 0.1], size=(8, 5))
    bound, exact = information_gain(draws, 4), brute_force(draws, 4)
    assert (bound <= exact + 1e-9).all()
    assert (bound > 0.65 * exact).all()


def test_agreeing_draws_tell_nothing_and_opposed_ones_one_bit():
    agreed = np.tile([[[0.3, 0.7]]], (4, 1, 1))
    opposed = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    np.testing.assert_allclose(information_gain(agreed, 5), 0.0, atol=1e-9)
    np.testing.assert_allclose(information_gain(opposed, 5), np.log(2), atol=1e-6)


def test_more_votes_tell_more_but_each_less():
    told = [information_gain(draw(16, 20, 2), n) for n in range(5)]
    steps = np.diff(told, axis=0)
    assert (steps >= -1e-12).all()
    assert (np.diff(steps, axis=0) <= 1e-9).all()


def test_no_votes_and_no_galaxies_are_fine():
    assert information_gain(draw(4, 3, 2), 0).tolist() == [0.0, 0.0, 0.0]
    assert information_gain(np.empty((4, 0, 2)), 3).shape == (0,)


@pytest.mark.parametrize(
    "draws", [np.full((2, 2, 2), np.nan), np.empty((0, 2, 2)), np.ones((2, 2))]
)
def test_impossible_draws_are_refused(draws):
    with pytest.raises(InvalidInputError, match="draws must be"):
        information_gain(draws, 3)


def test_a_question_counts_as_often_as_it_is_asked(branching_tree):
    draws = np.concatenate([draw(8, 4, 3), draw(8, 4, 2, 1)], axis=2)
    asked = draws[:, :, 1].mean(axis=0)
    expected = information_gain(draws[..., :3], 3) + asked * information_gain(draws[..., 3:], 3)
    np.testing.assert_allclose(tree_information(draws, branching_tree, 3), expected)
    np.testing.assert_allclose(asked_probability(draws[0], branching_tree)[:, 1], draws[0, :, 1])


def test_draws_that_do_not_fit_the_tree_are_refused(branching_tree):
    with pytest.raises(InvalidInputError, match=r"draws must be \(T, m, 5\), is \(8, 4, 3\)"):
        tree_information(draw(8, 4, 3), branching_tree, 3)
