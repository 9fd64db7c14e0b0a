"""Reliability, coverage, confusion and the worst galaxies, against brute force."""

import json
from math import comb, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import dirichlet_multinomial, multinomial

from mlcore.errors import InvalidInputError
from mlcore.evaluation.details import (
    LEVELS,
    WORST,
    confusion,
    coverage,
    detail,
    excess,
    reliability,
)
from mlcore.evaluation.figures import inside_interval
from mlcore.votes.likelihood import negative_log_likelihood
from tests.mlcore.evaluation.simulated import simulated

votes = arrays(np.int64, (6, 3), elements=st.integers(0, 7)).map(
    lambda k: k[k.sum(axis=1) > 0].astype(float)
)


def flat(rng, n, k=3):
    return rng.gamma(1, 4, (n, k)) + 0.1


class TestReliability:
    @given(votes, st.integers(0, 9))
    @settings(max_examples=40, deadline=None)
    def test_agrees_with_a_loop_over_galaxies_and_answers(self, counts, seed):
        a = flat(np.random.default_rng(seed), len(counts))
        bins = {}
        for k, alpha in zip(counts, a, strict=True):
            for said, own in zip(k, alpha, strict=True):
                p = own / alpha.sum()
                each = bins.setdefault(min(int(p * 10), 9), [0, 0.0, 0.0, 0.0])
                each[0] += 1
                each[1] += k.sum()
                each[2] += k.sum() * p
                each[3] += said
        found = reliability(counts, a, seed=0)
        assert [round(each.low * 10) for each in found] == sorted(bins)
        for each in found:
            asked = bins[round(each.low * 10)]
            assert each.votes == asked[1]
            assert each.predicted == pytest.approx(asked[2] / asked[1])
            assert each.observed == pytest.approx(asked[3] / asked[1])
            assert each.galaxies <= asked[0]

    def test_a_right_model_is_on_the_diagonal_within_its_intervals(self):
        rng = np.random.default_rng(0)
        counts, a = simulated(rng)
        held = [
            each.observed_low - 0.02 <= each.predicted <= each.observed_high + 0.02
            for each in reliability(counts[:, :2], a[:, :2], seed=0)
            if each.galaxies > 100
        ]
        assert len(held) >= 6
        assert all(held)

    def test_a_bin_of_few_galaxies_has_no_interval(self):
        found = reliability(np.array([[3.0, 1]]), np.array([[9.0, 1]]), seed=0)
        assert [(each.galaxies, each.observed_low, each.observed_high) for each in found] == [
            (1, None, None)
        ] * 2

    def test_a_certain_prediction_is_in_the_last_bin(self):
        found = reliability(np.array([[3.0, 0]]), np.array([[1e3, 1e-20]]), seed=0)
        assert [(each.low, each.high) for each in found] == [(0.0, 0.1), (0.9, 1.0)]


class TestCoverage:
    def test_is_as_stated_when_the_model_is_right(self):
        counts, a = simulated(np.random.default_rng(0))
        for each in coverage(counts[:, :2], a[:, :2], seed=0):
            assert each.covered == pytest.approx(each.level, abs=0.02)
            assert each.low < each.covered < each.high
        assert [each.level for each in coverage(counts[:, :2], a[:, :2], seed=0)] == list(LEVELS)

    def test_five_galaxies_by_hand(self):
        # Under a flat prior each of 0 to 4 votes has 1/5: 0.05 to 0.95 cuts a quarter of two.
        counts = np.array([[k, 4.0 - k] for k in range(5)])
        found = inside_interval(counts, np.ones((5, 2)), 0.9)
        assert found == pytest.approx([0.75, 1, 1, 1, 0.75])


class TestConfusion:
    @given(votes, st.integers(0, 9))
    @settings(max_examples=30, deadline=None)
    def test_agrees_with_a_loop_over_votes(self, counts, seed):
        a = flat(np.random.default_rng(seed), len(counts))
        by_hand = np.zeros((3, 3))
        for k, alpha in zip(counts, a, strict=True):
            by_hand[:, int(np.argmax(alpha))] += k
        assert (confusion(counts, a) == by_hand).all()


class TestExcess:
    @given(votes, st.integers(0, 9))
    @settings(max_examples=30, deadline=None)
    def test_is_what_scipy_says_of_both_likelihoods(self, counts, seed):
        a = flat(np.random.default_rng(seed), len(counts))
        n = counts.sum(axis=1).astype(int)
        model = [
            dirichlet_multinomial.logpmf(k.astype(int), alpha, total)
            for k, alpha, total in zip(counts, a, n, strict=True)
        ]
        best = [multinomial.logpmf(k, total, k / total) for k, total in zip(counts, n, strict=True)]
        found = excess(counts, -np.array(model))
        assert found == pytest.approx(np.array(best) - model, abs=1e-7)
        assert (found >= 0).all()

    def test_one_galaxy_by_hand(self, handed_tree):
        counts = np.array([[3.0, 1, 0, 0, 0]])
        costs = negative_log_likelihood(counts, np.ones((1, 5)), handed_tree)[:, 0]
        assert costs == pytest.approx([log(5)])
        by_hand = log(5) + log(comb(4, 1) * 0.75**3 * 0.25)
        assert excess(counts[:, :2], costs) == pytest.approx([by_hand])


class TestDetail:
    def test_puts_the_least_expected_galaxy_first(self, handed_tree):
        counts = np.array([[5.0, 0, 0, 0, 0], [0, 5, 0, 5, 0], [5, 0, 0, 0, 0]])
        a = np.array([[20.0, 1, 1, 1, 1], [20, 1, 1, 1, 1], [10, 1, 1, 1, 1]])
        found = detail(["a", "b", "c"], counts, a, handed_tree, seed=0)
        shape = found["shape"]
        assert [each.id_str for each in shape.worst] == ["b", "c", "a"]
        assert shape.worst[0].votes == (0, 5)
        assert shape.worst[0].predicted == pytest.approx((20 / 21, 1 / 21))
        assert shape.worst[0].low[0] <= shape.worst[0].predicted[0] <= shape.worst[0].high[0]
        assert shape.worst[0].high[1] < 1
        assert [each.id_str for each in found["winding"].worst] == ["b"]
        assert found["winding"].answers == ("clockwise", "anticlockwise", "unsure")

    def test_names_only_so_many_galaxies(self, handed_tree):
        counts, a = simulated(np.random.default_rng(0), n=40)
        found = detail([str(row) for row in range(40)], counts, a, handed_tree, seed=0)
        assert len(found["shape"].worst) == WORST

    def test_a_question_without_votes_has_none(self, handed_tree):
        found = detail(["a"], np.array([[5.0, 0, 0, 0, 0]]), np.ones((1, 5)), handed_tree, seed=0)
        winding = found["winding"]
        assert (winding.coverage, winding.reliability, winding.worst) == ((), (), ())
        assert np.array(winding.confusion).tolist() == [[0] * 3] * 3

    @given(
        arrays(np.int64, (6, 5), elements=st.integers(0, 9)),
        arrays(np.float64, (6, 5), elements=st.floats(1e-3, 1e4)),
    )
    @settings(max_examples=30, deadline=None)
    def test_any_votes_give_json(self, handed_tree, counts, concentrations):
        found = detail(list("abcdef"), counts, concentrations, handed_tree, seed=0)
        json.dumps({slug: each.to_dict() for slug, each in found.items()}, allow_nan=False)

    def test_impossible_arguments_are_refused(self, handed_tree):
        ones = np.ones((2, 5))
        with pytest.raises(InvalidInputError, match=r"ids must be as many as counts \(2\), are 1"):
            detail(["a"], ones, ones, handed_tree, seed=0)
        with pytest.raises(InvalidInputError, match="counts must be finite"):
            detail(["a", "b"], ones * np.nan, ones, handed_tree, seed=0)
