"""Figures against worked examples and simulated truth."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlcore.errors import InvalidInputError, NotEnoughVotesError
from mlcore.evaluation.figures import Evaluation, evaluate
from mlcore.votes.likelihood import negative_log_likelihood
from tests.mlcore.evaluation.simulated import simulated


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

    def test_few_unanimous_votes_are_not_confident(self, handed_tree):
        counts = np.array([[2.0, 0, 0, 0, 0], [3, 0, 0, 0, 0], [4, 1, 0, 0, 0], [3, 1, 0, 0, 0]])
        shape = evaluate(counts, np.ones((4, 5)), handed_tree).questions["shape"]
        assert shape.n_confident == 2

    def test_a_single_vote_takes_the_noise_of_the_others(self, handed_tree):
        counts = np.array([[3.0, 1, 0, 0, 0], [2, 2, 0, 0, 0], [1, 0, 0, 0, 0]])
        shape = evaluate(counts, np.ones((3, 5)), handed_tree).questions["shape"]
        own = [0.1875 / 3, 0.25 / 3]
        assert shape.rmse_floor == pytest.approx(np.sqrt((sum(own) + 4 * np.mean(own)) / 3))

    def test_true_fractions_reach_the_floor_of_any_number_of_votes(self, handed_tree):
        rng = np.random.default_rng(0)
        counts, concentrations = np.zeros((8000, 5)), np.ones((8000, 5))
        truth, votes = rng.uniform(0.05, 0.95, 8000), rng.integers(1, 6, 8000)
        counts[:, 0] = rng.binomial(votes, truth)
        counts[:, 1] = votes - counts[:, 0]
        concentrations[:, 0], concentrations[:, 1] = 100 * truth, 100 * (1 - truth)
        shape = evaluate(counts, concentrations, handed_tree).questions["shape"]
        assert shape.rmse == pytest.approx(shape.rmse_floor, rel=0.03)

    def test_the_rmse_lies_in_its_interval_which_narrows_with_galaxies(self, handed_tree):
        counts, concentrations = simulated(np.random.default_rng(0))
        widths = []
        for n in (50, 4000):
            shape = evaluate(counts[:n], concentrations[:n], handed_tree).questions["shape"]
            assert shape.rmse_low < shape.rmse < shape.rmse_high
            widths.append(shape.rmse_high - shape.rmse_low)
        assert widths[0] / widths[1] == pytest.approx(np.sqrt(80), rel=0.3)

    def test_figures_of_an_older_round_have_no_interval(self, handed_tree):
        found = evaluate(*simulated(np.random.default_rng(0), n=9), handed_tree).to_dict()
        for figures in found["questions"].values():
            del figures["rmse_low"], figures["rmse_high"]
        assert Evaluation.from_dict(found).questions["shape"].rmse_low is None

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
