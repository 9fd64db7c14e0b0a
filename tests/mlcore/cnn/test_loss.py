"""The likelihood against brute force, scipy and Zoobot."""

from itertools import product
from math import exp, lgamma, log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import dirichlet_multinomial
from zoobot.pytorch.training.losses import get_dirichlet_neg_log_prob

from mlcore.cnn.loss import check_counts, negative_log_likelihood, torch_negative_log_likelihood
from mlcore.errors import InvalidInputError

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


def by_zoobot(counts, concentrations, tree):
    k, a = torch.from_numpy(counts), torch.from_numpy(concentrations)
    parts = tree.question_slices.values()
    return torch.stack([get_dirichlet_neg_log_prob(a[:, p], k[:, p]) for p in parts], dim=1)


@given(votes, alphas)
@settings(max_examples=60, deadline=None)
def test_agrees_with_scipy_and_zoobot(handed_tree, counts, concentrations):
    found = negative_log_likelihood(counts, concentrations, handed_tree)
    assert np.allclose(found, by_scipy(counts, concentrations, handed_tree), atol=1e-6)
    assert np.allclose(found, by_zoobot(counts, concentrations, handed_tree), atol=1e-5)


@given(votes, alphas)
@settings(max_examples=40, deadline=None)
def test_the_training_loss_is_the_same(handed_tree, counts, concentrations):
    loss = torch_negative_log_likelihood(
        torch.from_numpy(concentrations),
        torch.from_numpy(counts),
        handed_tree.question_slices.values(),
    )
    found = negative_log_likelihood(counts, concentrations, handed_tree)
    assert np.allclose(loss.numpy(), found, atol=1e-9)


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


def test_no_votes_cost_exactly_nothing_and_no_gradient(handed_tree):
    concentrations = torch.full((2, 5), 30.0, requires_grad=True)
    parts = handed_tree.question_slices.values()
    loss = torch_negative_log_likelihood(concentrations, torch.zeros(2, 5), parts)
    loss.sum().backward()
    assert loss.abs().max() < 1e-5
    assert concentrations.grad.abs().max() < 1e-5
    assert (negative_log_likelihood(np.zeros((2, 5)), np.ones((2, 5)), handed_tree) == 0).all()


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
