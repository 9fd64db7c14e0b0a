"""Figures against worked examples and simulated truth, and the gate between models."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlcore.cnn.evaluate import Evaluation, compare, evaluate
from mlcore.cnn.loss import negative_log_likelihood
from mlcore.errors import InvalidInputError, NotEnoughVotesError


def simulated(rng, n=4000, votes=20):
    """Votes whose concentrations are known, on the tiny tree's first question."""
    concentrations = np.ones((n, 5)) + rng.gamma(2, 3, (n, 5))
    counts = np.zeros((n, 5))
    truth = rng.beta(concentrations[:, 0], concentrations[:, 1])
    counts[:, 0] = rng.binomial(votes, truth)
    counts[:, 1] = votes - counts[:, 0]
    return counts, concentrations


class TestEvaluate:
    def test_four_galaxies_by_hand(self, handed_tree):
        counts = np.array(
            [[10, 0, 0, 0, 0], [6, 4, 2, 1, 1], [1, 9, 0, 9, 0], [0, 0, 0, 0, 0]], dtype=float
        )
        concentrations = np.array([[3.0, 1, 1, 1, 1], [1, 3, 2, 1, 1], [1, 3, 2, 1, 1], [1] * 5])
        found = evaluate(counts, concentrations, handed_tree)
        shape, winding = found.questions["shape"], found.questions["winding"]
        assert (found.n, found.votes) == (3, 43)
        assert (shape.n, shape.votes, shape.n_confident) == (3, 30, 2)
        assert shape.accuracy == pytest.approx(2 / 3)
        assert shape.accuracy_confident == 1
        assert shape.balanced_accuracy == pytest.approx((0.5 + 1) / 2)
        assert shape.rmse == pytest.approx(np.sqrt((0.25**2 + 0.35**2 + 0.15**2) / 3))
        assert shape.rmse_floor == pytest.approx(np.sqrt((0 + 0.24 + 0.09) / 9 / 3))
        assert (winding.n, winding.accuracy) == (2, 0.5)
        costs = negative_log_likelihood(counts, concentrations, handed_tree)
        assert found.nll_per_vote == pytest.approx(costs.sum() / 43)
        assert shape.nll_per_vote == pytest.approx(costs[:, 0].sum() / 30)

    def test_a_tie_counts_for_each_of_its_answers(self, handed_tree):
        counts = np.array([[2.0, 2, 0, 0, 0]] * 2)
        concentrations = np.array([[3.0, 1, 1, 1, 1], [1, 3, 1, 1, 1]])
        assert evaluate(counts, concentrations, handed_tree).questions["shape"].accuracy == 1

    def test_coverage_is_as_stated_when_the_model_is_right(self, handed_tree):
        found = evaluate(*simulated(np.random.default_rng(0)), handed_tree)
        assert found.questions["shape"].coverage == pytest.approx(0.9, abs=0.02)

    def test_coverage_falls_when_the_model_is_too_sure(self, handed_tree):
        counts, concentrations = simulated(np.random.default_rng(0))
        found = evaluate(counts, concentrations * 30, handed_tree)
        assert found.questions["shape"].coverage < 0.75

    def test_true_fractions_reach_the_noise_floor(self, handed_tree):
        rng = np.random.default_rng(0)
        counts, concentrations = np.zeros((4000, 5)), np.ones((4000, 5))
        truth = rng.uniform(0.05, 0.95, 4000)
        counts[:, 0] = rng.binomial(10, truth)
        counts[:, 1] = 10 - counts[:, 0]
        concentrations[:, 0], concentrations[:, 1] = 100 * truth, 100 * (1 - truth)
        shape = evaluate(counts, concentrations, handed_tree).questions["shape"]
        assert shape.rmse == pytest.approx(shape.rmse_floor, rel=0.03)

    def test_a_question_without_votes_has_no_figures(self, handed_tree):
        found = evaluate(np.array([[5.0, 0, 0, 0, 0]]), np.ones((1, 5)), handed_tree)
        winding = found.questions["winding"]
        assert (winding.n, winding.votes, winding.accuracy, winding.coverage) == (0, 0, None, None)

    def test_single_votes_have_no_floor(self, handed_tree):
        found = evaluate(np.array([[1.0, 0, 0, 0, 0]]), np.ones((1, 5)), handed_tree)
        assert found.questions["shape"].rmse_floor is None

    @given(
        arrays(np.int64, (6, 5), elements=st.integers(0, 9)).filter(lambda counts: counts.any()),
        arrays(np.float64, (6, 5), elements=st.floats(0.1, 101)),
    )
    @settings(max_examples=60, deadline=None)
    def test_any_votes_give_figures_in_range_that_survive_json(
        self, handed_tree, counts, concentrations
    ):
        found = evaluate(counts, concentrations, handed_tree)
        assert (
            Evaluation.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found
        )
        for question in found.questions.values():
            for figure in (question.accuracy, question.balanced_accuracy, question.coverage):
                assert figure is None or -1e-9 <= figure <= 1 + 1e-9

    @pytest.mark.parametrize("n", [0, 3])
    def test_no_votes_are_refused(self, handed_tree, n):
        with pytest.raises(NotEnoughVotesError, match=f"none of {n} galaxies has"):
            evaluate(np.zeros((n, 5)), np.ones((n, 5)), handed_tree)

    def test_nan_is_refused(self, handed_tree):
        with pytest.raises(InvalidInputError, match="counts must be finite"):
            evaluate(np.full((1, 5), np.nan), np.ones((1, 5)), handed_tree)

    @pytest.mark.parametrize("document", [{}, {"questions": []}, {"questions": {"a": {"b": 1}}}])
    def test_another_document_is_no_evaluation(self, document):
        with pytest.raises(InvalidInputError, match="document must be an evaluation"):
            Evaluation.from_dict(document)


class TestCompare:
    def test_a_model_is_not_worse_than_itself(self, handed_tree):
        counts, concentrations = simulated(np.random.default_rng(0), n=50)
        found = compare(counts, concentrations, concentrations, handed_tree, seed=0)
        assert (found.difference, found.low, found.high, found.not_worse) == (0, 0, 0, True)

    def test_the_truth_is_better_and_its_rival_is_worse(self, handed_tree):
        counts, truth = simulated(np.random.default_rng(0), n=400)
        flat = np.ones((400, 5))
        better = compare(counts, truth, flat, handed_tree, seed=0)
        worse = compare(counts, flat, truth, handed_tree, seed=0)
        assert better.high < 0 < worse.low
        assert (better.not_worse, worse.not_worse) == (True, False)
        assert better.difference == pytest.approx(-worse.difference)

    def test_too_few_galaxies_to_tell_do_not_pass(self, handed_tree):
        rng = np.random.default_rng(1)
        counts, truth = simulated(rng, n=4)
        other = truth * rng.uniform(0.2, 5, truth.shape)
        found = compare(counts, other, truth, handed_tree, seed=0)
        assert found.high > found.margin
        assert not found.not_worse

    def test_the_interval_holds_the_true_difference_nine_times_in_ten(self, handed_tree):
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

    def test_galaxies_without_votes_do_not_count(self, handed_tree):
        counts, truth = simulated(np.random.default_rng(0), n=30)
        more = [
            np.concatenate([each, np.ones((5, 5)) * scale])
            for each, scale in ((truth, 1), (truth, 9))
        ]
        padded = np.concatenate([counts, np.zeros((5, 5))])
        found = compare(padded, *more, handed_tree, seed=0)
        assert (found.n, found.difference) == (30, 0)

    def test_is_the_same_for_the_same_seed(self, handed_tree):
        counts, truth = simulated(np.random.default_rng(0), n=30)
        twice = [compare(counts, truth * 2, truth, handed_tree, seed=4).to_dict() for _ in "ab"]
        assert twice[0] == twice[1]
        json.dumps(twice[0])

    def test_impossible_arguments_are_refused(self, handed_tree):
        ones = np.ones((2, 5))
        with pytest.raises(InvalidInputError, match="n_bootstrap must be at least 1, is 0"):
            compare(ones, ones, ones, handed_tree, seed=0, n_bootstrap=0)
        with pytest.raises(InvalidInputError, match="margin must be at least 0, is -1"):
            compare(ones, ones, ones, handed_tree, seed=0, margin=-1)
        with pytest.raises(NotEnoughVotesError, match="counts must hold a vote"):
            compare(ones * 0, ones, ones, handed_tree, seed=0)
        with pytest.raises(InvalidInputError, match="concentrations must have the shape"):
            compare(ones, ones, ones[:1], handed_tree, seed=0)
