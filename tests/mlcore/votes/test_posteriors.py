from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mlcore.errors import InvalidInputError
from mlcore.tree import DecisionTree
from mlcore.votes.posteriors import credible_interval, posterior_mean

FIXTURES = Path(__file__).parents[3] / "fixtures" / "trees"
GZ1 = DecisionTree.from_file(FIXTURES / "gz1.json")
GZD5 = DecisionTree.from_file(FIXTURES / "gz-decals-5.json")


def test_the_mean_is_that_of_the_dirichlet():
    counts = np.array([[3, 0, 2, 0, 0, 1]])
    assert posterior_mean(counts, GZ1)[0] == pytest.approx((counts[0] + 1) / 12)


def test_questions_do_not_mix():
    counts = np.arange(34)[None]
    mean = posterior_mean(counts, GZD5, prior=0.5)
    for span in GZD5.question_slices.values():
        assert mean[0, span].sum() == pytest.approx(1)


def test_without_votes_the_prior_speaks():
    prior = np.array([6.0, 1, 1, 1, 1, 2])
    assert posterior_mean(np.zeros((2, 6)), GZ1, prior)[1] == pytest.approx(prior / 12)


def test_the_interval_is_that_of_the_beta_marginal():
    counts = np.array([[10, 0, 3, 0, 0, 7]])
    low, high = np.moveaxis(credible_interval(counts, GZ1, level=0.8)[0], -1, 0)
    beta = stats.beta(counts[0] + 1, 26 - (counts[0] + 1))
    assert low == pytest.approx(beta.ppf(0.1))
    assert high == pytest.approx(beta.ppf(0.9))


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.ones(6), size=4000)
    counts = rng.multinomial(8, truth)
    low, high = np.moveaxis(credible_interval(counts, GZ1, level=0.9), -1, 0)
    covered = ((low <= truth) & (truth <= high)).mean()
    # 24,000 answers, correlated within a galaxy: the standard error is below 0.004.
    assert covered == pytest.approx(0.9, abs=0.015)


def test_unknown_counts_make_their_question_unknown():
    counts = np.zeros((1, 34))
    counts[0, 0] = np.nan
    interval = credible_interval(counts, GZD5)
    assert np.isnan(interval[0, :3]).all()
    assert np.isfinite(interval[0, 3:]).all()


def test_no_subjects_give_no_intervals():
    assert credible_interval(np.empty((0, 6)), GZ1).shape == (0, 6, 2)


@pytest.mark.parametrize("prior", [0, -1, np.nan, [1, 2], np.inf])
def test_an_impossible_prior_is_refused(prior):
    with pytest.raises(InvalidInputError, match="prior"):
        posterior_mean(np.zeros((1, 6)), GZ1, prior)


def test_of_several_priors_the_impossible_one_is_named():
    with pytest.raises(InvalidInputError, match="prior must be positive and finite, is inf"):
        posterior_mean(np.zeros((1, 6)), GZ1, [1, 2, np.inf, 1, 1, 1])


@pytest.mark.parametrize("level", [0, 1, -0.1, np.nan])
def test_an_impossible_level_is_refused(level):
    with pytest.raises(InvalidInputError, match="level must be between 0 and 1"):
        credible_interval(np.zeros((1, 6)), GZ1, level=level)
