"""The training loss against numpy's likelihood and Zoobot's."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from zoobot.pytorch.training.losses import get_dirichlet_neg_log_prob

from mlcore.cnn.loss import torch_negative_log_likelihood
from mlcore.votes.likelihood import negative_log_likelihood

votes = arrays(np.int64, (4, 5), elements=st.integers(0, 40)).map(lambda a: a.astype(float))
alphas = arrays(np.float64, (4, 5), elements=st.floats(0.05, 101))


def by_zoobot(counts, concentrations, tree):
    k, a = torch.from_numpy(counts), torch.from_numpy(concentrations)
    parts = tree.question_slices.values()
    return torch.stack([get_dirichlet_neg_log_prob(a[:, p], k[:, p]) for p in parts], dim=1)


@given(votes, alphas)
@settings(max_examples=60, deadline=None)
def test_agrees_with_zoobot(handed_tree, counts, concentrations):
    found = negative_log_likelihood(counts, concentrations, handed_tree)
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


def test_no_votes_cost_exactly_nothing_and_no_gradient(handed_tree):
    concentrations = torch.full((2, 5), 30.0, requires_grad=True)
    parts = handed_tree.question_slices.values()
    loss = torch_negative_log_likelihood(concentrations, torch.zeros(2, 5), parts)
    loss.sum().backward()
    assert loss.abs().max() < 1e-5
    assert concentrations.grad.abs().max() < 1e-5
