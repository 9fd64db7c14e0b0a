from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import entr
from scipy.stats import multinomial

from mlcore.errors import InvalidInputError
from mlcore.gp.acquisition import (
    EntropyRule,
    InformationRule,
    RandomRule,
    asked_probability,
    information_gain,
    score_candidates,
    select_batch,
    tree_information,
    votes_wanted,
)


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


def test_rules_share_one_interface(branching_tree):
    draws = np.concatenate([draw(8, 4, 3), draw(8, 4, 2, 1)], axis=2)
    for rule in (RandomRule(1), EntropyRule(), InformationRule(3)):
        scores = rule.score(draws, branching_tree)
        assert scores.shape == (4,)
        assert (scores >= 0).all()


class TwoChunks:
    def iterate_fractions(self, features, n_draws, seed):
        for rows in (slice(0, 3), slice(3, 5)):
            yield rows, draw(n_draws, 3, 3, seed)[:, : rows.stop - rows.start]


def test_candidates_are_scored_chunk_by_chunk(one_question):
    heard = []
    scores = score_candidates(
        TwoChunks(),
        np.zeros((5, 2)),
        one_question(3),
        InformationRule(2),
        n_draws=4,
        seed=0,
        on_progress=lambda *call: heard.append(call[1]),
    )
    np.testing.assert_array_equal(scores[:2], scores[3:])
    assert heard == [0.6, 1.0]


def random_covariance(m, seed):
    root = np.random.default_rng(seed).standard_normal((m, m + 1))
    return root @ root.T


@given(st.integers(0, 200))
@settings(max_examples=25, deadline=None)
def test_each_gain_is_the_score_times_what_is_left_unexplained(seed):
    rng = np.random.default_rng(seed)
    covariance, scores = random_covariance(6, seed), rng.random(6) + 0.1
    chosen, gains = select_batch(scores, covariance, 4, pending=[5])
    known = [5]
    for pick, gain in zip(chosen, gains, strict=True):
        left = {}
        for i in set(range(6)) - set(known):
            block = covariance[np.ix_(known, known)]
            across = covariance[i, known]
            rest = covariance[i, i] - across @ np.linalg.solve(block, across)
            left[i] = scores[i] * rest / covariance[i, i]
        assert pick == max(left, key=left.get)
        assert gain == pytest.approx(left[pick], rel=1e-6)
        known.append(int(pick))
    assert (np.diff(gains) <= 1e-12).all()


def test_two_galaxies_chosen_are_the_best_pair_of_all():
    scores = np.array([1.0, 0.99, 0.6, 0.2])
    covariance = np.eye(4)
    covariance[0, 1] = covariance[1, 0] = 0.95
    quality = np.sqrt(scores[:, None] * scores) * covariance
    best = max(combinations(range(4), 2), key=lambda s: np.linalg.det(quality[np.ix_(s, s)]))
    chosen, _ = select_batch(scores, covariance, 2)
    assert sorted(chosen.tolist()) == list(best) == [0, 2]


def test_a_duplicate_of_a_chosen_or_pending_galaxy_is_never_chosen():
    covariance = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert select_batch([3.0, 3.0, 1.0], covariance, 3)[0].tolist() == [0, 2]
    assert select_batch([3.0, 3.0, 1.0], covariance, 3, pending=[1])[0].tolist() == [2]


def test_nothing_to_choose_from():
    chosen, gains = select_batch(np.empty(0), np.empty((0, 0)), 5)
    assert chosen.shape == gains.shape == (0,)
    assert select_batch([0.0, 0.0], np.eye(2), 2)[0].tolist() == []


@pytest.mark.parametrize(
    ("scores", "covariance", "message"),
    [
        ([np.nan, 1.0], np.eye(2), "scores must be"),
        ([-1.0, 1.0], np.eye(2), "scores must be"),
        ([1.0, 1.0], np.eye(3), "covariance must be"),
        ([1.0, 1.0], np.zeros((2, 2)), "covariance must be"),
    ],
)
def test_impossible_scores_and_covariances_are_refused(scores, covariance, message):
    with pytest.raises(InvalidInputError, match=message):
        select_batch(scores, covariance, 1)


def test_settled_galaxies_want_the_least_votes(one_question):
    settled = np.tile([[[0.02, 0.98]]], (64, 1, 1))
    open_one = np.random.default_rng(0).dirichlet([1, 1], size=(64, 1))
    draws = np.concatenate([settled, open_one], axis=1)
    wanted = votes_wanted(draws, one_question(2), min_votes=3, max_votes=20, price=0.03)
    assert wanted[0] == 3
    assert 3 < wanted[1] <= 20
    assert votes_wanted(draws, one_question(2), min_votes=4, max_votes=4).tolist() == [4, 4]
    with pytest.raises(InvalidInputError, match="max_votes must be at least 5, is 4"):
        votes_wanted(draws, one_question(2), min_votes=5, max_votes=4)
