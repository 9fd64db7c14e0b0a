"""The gate between models, on votes whose truth is known."""

import json

import numpy as np
import pytest

from mlcore.errors import InvalidInputError, NotEnoughVotesError
from mlcore.evaluation.comparison import compare
from tests.mlcore.evaluation.simulated import simulated


def test_a_model_is_not_worse_than_itself(handed_tree):
    counts, concentrations = simulated(np.random.default_rng(0), n=50)
    found = compare(counts, concentrations, concentrations, handed_tree, seed=0)
    assert (found.difference, found.low, found.high, found.not_worse) == (0, 0, 0, True)


def test_the_truth_is_better_and_its_rival_is_worse(handed_tree):
    counts, truth = simulated(np.random.default_rng(0), n=400)
    flat = np.ones((400, 5))
    better = compare(counts, truth, flat, handed_tree, seed=0)
    worse = compare(counts, flat, truth, handed_tree, seed=0)
    assert better.high < 0 < worse.low
    assert (better.not_worse, worse.not_worse) == (True, False)
    assert better.difference == pytest.approx(-worse.difference)


def test_too_few_galaxies_to_tell_do_not_pass(handed_tree):
    rng = np.random.default_rng(1)
    counts, truth = simulated(rng, n=4)
    other = truth * rng.uniform(0.2, 5, truth.shape)
    found = compare(counts, other, truth, handed_tree, seed=0)
    assert found.high > found.margin
    assert not found.not_worse


def test_the_interval_holds_the_true_difference_nine_times_in_ten(handed_tree):
    counts, truth = simulated(np.random.default_rng(2), n=20_000)
    whole = compare(counts, truth * 0.5, truth, handed_tree, seed=0, n_bootstrap=1).difference
    held = 0
    for draw in range(100):
        part = np.random.default_rng(draw).choice(20_000, 100, replace=False)
        found = compare(
            counts[part],
            truth[part] * 0.5,
            truth[part],
            handed_tree,
            seed=draw,
            n_bootstrap=200,
        )
        held += found.low <= whole <= found.high
    assert 80 <= held <= 97


def test_galaxies_without_votes_do_not_count(handed_tree):
    counts, truth = simulated(np.random.default_rng(0), n=30)
    more = [
        np.concatenate([each, np.ones((5, 5)) * scale]) for each, scale in ((truth, 1), (truth, 9))
    ]
    padded = np.concatenate([counts, np.zeros((5, 5))])
    found = compare(padded, *more, handed_tree, seed=0)
    assert (found.n, found.difference) == (30, 0)


def test_is_the_same_for_the_same_seed(handed_tree):
    counts, truth = simulated(np.random.default_rng(0), n=30)
    twice = [compare(counts, truth * 2, truth, handed_tree, seed=4).to_dict() for _ in "ab"]
    assert twice[0] == twice[1]
    json.dumps(twice[0])


def test_impossible_arguments_are_refused(handed_tree):
    ones = np.ones((2, 5))
    with pytest.raises(InvalidInputError, match="n_bootstrap must be at least 1, is 0"):
        compare(ones, ones, ones, handed_tree, seed=0, n_bootstrap=0)
    with pytest.raises(InvalidInputError, match="margin must be at least 0, is -1"):
        compare(ones, ones, ones, handed_tree, seed=0, margin=-1)
    with pytest.raises(NotEnoughVotesError, match="counts must hold a vote"):
        compare(ones * 0, ones, ones, handed_tree, seed=0)
    with pytest.raises(InvalidInputError, match="concentrations must have the shape"):
        compare(ones, ones, ones[:1], handed_tree, seed=0)
