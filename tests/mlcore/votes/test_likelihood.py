"""The likelihood against brute force and scipy."""

from itertools import product
from math import exp, lgamma, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import dirichlet_multinomial

from mlcore.errors import InvalidInputError
from mlcore.votes.likelihood import check_counts, negative_log_likelihood

votes = arrays(np.int64, (4, 5), elements=st.integers(0, 40)).map(lambda a: a.astype(float))
alphas = arrays(np.float64, (4, 5), elements=st.floats(0.05, 101))


def by_scipy(counts, concentrations, tree):
    return [
        [
            -dirichlet_multinomial.logpmf(k[part].astype(int), a[part], int(k[part].sum()))
            for part in tree.question_slices.values()
        ]
        for k, a in zip(counts, concentrations, strict=True)
    ]


@given(votes, alphas)
@settings(max_examples=60, deadline=None)
def test_agrees_with_scipy(handed_tree, counts, concentrations):
    found = negative_log_likelihood(counts, concentrations, handed_tree)
    assert np.allclose(found, by_scipy(counts, concentrations, handed_tree), atol=1e-6)


@given(alphas)
@settings(max_examples=20, deadline=None)
def test_probabilities_of_all_outcomes_sum_to_one(handed_tree, concentrations):
    outcomes = [k for k in product(range(5), repeat=3) if sum(k) == 4]
    counts = np.zeros((len(outcomes), 5))
    counts[:, 2:] = outcomes
    repeated = np.repeat(concentrations[:1], len(outcomes), axis=0)
    likelihood = np.exp(-negative_log_likelihood(counts, repeated, handed_tree)[:, 1])
    assert likelihood.sum() == pytest.approx(1)


def test_one_galaxy_by_hand(handed_tree):
    counts = np.array([[2.0, 1.0, 0.0, 0.0, 0.0]])
    concentrations = np.array([[1.0, 1.0, 1.0, 1.0, 1.0]])
    # Under a flat prior every split of three votes in two is as likely.
    found = negative_log_likelihood(counts, concentrations, handed_tree)
    assert found.tolist() == [[pytest.approx(log(4)), 0.0]]
    assert exp(-found[0, 0]) == pytest.approx(exp(lgamma(2) + lgamma(4) - lgamma(5)))


def test_no_galaxies_have_no_losses(handed_tree):
    assert negative_log_likelihood(np.empty((0, 5)), np.empty((0, 5)), handed_tree).shape == (0, 2)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.zeros((3, 4)), r"counts must have shape \(n, 5\), have \(3, 4\)"),
        (np.zeros(5), r"counts must have shape \(n, 5\), have \(5,\)"),
        (np.full((1, 5), np.nan), "counts must be finite and at least 0, one is nan"),
        (np.full((1, 5), -1.0), "counts must be finite and at least 0, one is -1.0"),
    ],
)
def test_counts_that_are_no_votes_are_refused(handed_tree, counts, message):
    with pytest.raises(InvalidInputError, match=message):
        check_counts(counts, handed_tree)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_concentrations_must_be_positive(handed_tree, bad):
    with pytest.raises(InvalidInputError, match="concentrations must be positive and finite"):
        negative_log_likelihood(np.ones((1, 5)), np.full((1, 5), bad), handed_tree)


def test_concentrations_must_match_counts(handed_tree):
    with pytest.raises(InvalidInputError, match=r"shape of counts \(1, 5\), have \(2, 5\)"):
        negative_log_likelihood(np.ones((1, 5)), np.ones((2, 5)), handed_tree)


def test_no_votes_cost_exactly_nothing(handed_tree):
    assert (negative_log_likelihood(np.zeros((2, 5)), np.ones((2, 5)), handed_tree) == 0).all()
