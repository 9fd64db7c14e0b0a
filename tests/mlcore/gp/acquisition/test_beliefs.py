from dataclasses import replace

import numpy as np
import pytest

from mlcore.errors import InvalidInputError
from mlcore.gp.acquisition import Beliefs, believe
from mlcore.gp.targets import dirichlet_targets


class Flat:
    """The same latent for every galaxy."""

    def __init__(self, mean, variance, scatter):
        self.mean, self.variance = np.array(mean), np.array(variance)
        self.scatter_variance = np.array(scatter)

    def latent(self, features):
        return np.tile(self.mean, (len(features), 1)), np.tile(self.variance, (len(features), 1))


FLAT = Flat([0.5, -1.0], [0.8, 0.4], [0.3, 0.2])
TWO = np.zeros((2, 3))


def test_expected_fractions_are_near_the_average_over_draws(branching_tree):
    rng = np.random.default_rng(0)
    beliefs = Beliefs(
        branching_tree,
        mean=2 * rng.standard_normal((50, 5)),
        variance=rng.uniform(0.01, 3.0, (50, 5)),
        scatter=np.zeros((50, 5)),
        promised=np.zeros(50, dtype=int),
    )
    expected = beliefs.fractions()
    np.testing.assert_allclose(expected[:, :3].sum(axis=1), 1.0)
    np.testing.assert_allclose(expected[:, 3:].sum(axis=1), 1.0)
    drawn = beliefs.draws(2000, seed=1).mean(axis=0)
    assert np.abs(expected - drawn).max() < 0.06
    assert np.abs(expected - drawn).mean() < 0.015


def test_expected_fractions_of_the_surest_galaxies_stay_finite(one_question):
    beliefs = believe(Flat([900.0, -900.0], [1e-9, 1e-9], [0.0, 0.0]), TWO, one_question(2))
    np.testing.assert_allclose(beliefs.fractions(), [[1.0, 0.0], [1.0, 0.0]], atol=1e-9)


def test_draws_come_in_pairs_and_follow_the_seed(one_question):
    beliefs = believe(Flat([0.0, 0.0], [1.0, 1.0], [0.0, 0.0]), TWO, one_question(2))
    draws = beliefs.draws(4, seed=1)
    assert draws.shape == (4, 2, 2)
    np.testing.assert_allclose(draws[:2], 1.0 - draws[2:])
    np.testing.assert_array_equal(draws, beliefs.draws(4, seed=1))
    assert beliefs.draws(3, seed=1).shape == (3, 2, 2)


def test_own_votes_settle_the_scatter_as_bayes_says(one_question):
    counts = np.array([[0.0, 0.0], [5.0, 1.0]])
    beliefs = believe(FLAT, TWO, one_question(2), counts=counts)
    np.testing.assert_allclose(beliefs.scatter[0], FLAT.scatter_variance)
    np.testing.assert_allclose(beliefs.mean[0], FLAT.mean)
    target, noise = dirichlet_targets(counts[1:], np.full(2, 0.5))
    for answer in range(2):
        # f and the scatter e are independent; f is known after the votes, e is not.
        smooth, own = FLAT.variance[answer], FLAT.scatter_variance[answer]
        e_given_f = 1.0 / (1.0 / own + 1.0 / noise[0, answer])
        slope = 1.0 - own / (own + noise[0, answer])
        assert beliefs.scatter[1, answer] == pytest.approx(e_given_f)
        assert beliefs.variance[1, answer] == pytest.approx(slope**2 * smooth)
        at_mean = FLAT.mean[answer] + (1 - slope) * (target[0, answer] - FLAT.mean[answer])
        assert beliefs.mean[1, answer] == pytest.approx(at_mean)


def test_some_of_the_galaxies(one_question):
    beliefs = believe(FLAT, TWO, one_question(2), promised=np.array([3, 7]))
    some = beliefs.of(np.array([1]))
    assert len(some) == 1
    assert some.promised.tolist() == [7]


def test_no_galaxies(one_question):
    beliefs = believe(FLAT, np.zeros((0, 3)), one_question(2))
    assert beliefs.fractions().shape == (0, 2)
    assert beliefs.draws(3, 0).shape == (3, 0, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": np.zeros((2, 3))}, r"mean must be \(2, 2\), is \(2, 3\)"),
        ({"mean": np.full((2, 2), np.nan)}, "mean must be finite"),
        ({"variance": -np.ones((2, 2))}, "variance must be finite, a variance at least 0"),
        ({"scatter": np.full((2, 2), np.inf)}, "scatter must be finite"),
        ({"promised": np.array([0, -1])}, "promised must be at least 0"),
    ],
)
def test_impossible_beliefs_are_refused(change, message, one_question):
    beliefs = believe(FLAT, TWO, one_question(2))
    with pytest.raises(InvalidInputError, match=message):
        replace(beliefs, **change)


def test_impossible_votes_are_refused(one_question):
    with pytest.raises(InvalidInputError, match="counts must"):
        believe(FLAT, TWO, one_question(2), counts=-np.ones((2, 2)))
