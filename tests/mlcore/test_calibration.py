"""Scales of concentrations: known ones are found again, and right ones are left alone."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlcore.calibration import (
    IDENTITY,
    LARGEST,
    MIN_VOTES,
    POWER_SPREAD,
    POWERS,
    PRIOR_SPREAD,
    SMALLEST,
    Calibration,
    QuestionCalibration,
    fit_calibration,
)
from mlcore.errors import InvalidInputError
from mlcore.evaluation.figures import evaluate
from mlcore.votes.likelihood import negative_log_likelihood


def drawn(rng, n, votes):
    """Return votes (n, 5) and the concentrations that they were drawn from."""
    concentrations = 0.5 + rng.gamma(1, 1, (n, 5))
    counts = np.zeros((n, 5))
    for part in (slice(0, 2), slice(2, 5)):
        for row in range(n):
            counts[row, part] = rng.multinomial(votes, rng.dirichlet(concentrations[row, part]))
    return counts, concentrations


@given(st.floats(-3.5, 3.5), st.integers(0, 99))
@settings(max_examples=12, deadline=None)
def test_finds_a_known_scale_again(handed_tree, log_factor, seed):
    counts, truth = drawn(np.random.default_rng(seed), 800, 8)
    found = fit_calibration(counts, truth / np.exp(log_factor), handed_tree)
    for fitted in found.questions.values():
        assert np.log(fitted.scale) == pytest.approx(log_factor, abs=0.35)


def test_agrees_with_a_grid_of_the_whole_likelihood(handed_tree):
    counts, truth = drawn(np.random.default_rng(0), 60, 6)
    grid = np.linspace(-3, 3, 2001)
    costs = np.array(
        [
            negative_log_likelihood(counts, truth * 4 * np.exp(each), handed_tree).sum(axis=0)
            + 0.5 * (each / PRIOR_SPREAD) ** 2
            for each in grid
        ]
    )
    found = fit_calibration(counts, truth * 4, handed_tree)
    best = grid[costs.argmin(axis=0)]
    assert [np.log(each.scale) for each in found.questions.values()] == pytest.approx(
        best.tolist(), abs=0.002
    )


def test_leaves_right_concentrations_alone(handed_tree):
    counts, truth = drawn(np.random.default_rng(3), 1500, 8)
    found = fit_calibration(counts, truth, handed_tree)
    for fitted in found.questions.values():
        assert fitted.scale == pytest.approx(1, abs=0.15)
        assert 0 <= fitted.gain < 0.001


def test_gives_intervals_the_coverage_that_they_claim(handed_tree):
    counts, truth = drawn(np.random.default_rng(4), 2000, 8)
    sure = truth * 30
    found = fit_calibration(counts[:1000], sure[:1000], handed_tree)
    before = evaluate(counts[1000:], sure[1000:], handed_tree)
    after = evaluate(counts[1000:], sure[1000:] * found.factors(handed_tree), handed_tree)
    for slug, fitted in found.questions.items():
        assert before.questions[slug].coverage < 0.8
        assert after.questions[slug].coverage == pytest.approx(0.9, abs=0.02)
        saved = before.questions[slug].nll_per_vote - after.questions[slug].nll_per_vote
        assert fitted.gain == pytest.approx(saved, rel=0.4)
        assert after.questions[slug].accuracy == before.questions[slug].accuracy


def test_few_galaxies_move_the_scale_less(handed_tree):
    counts, truth = drawn(np.random.default_rng(5), 2000, 5)
    scales = [
        fit_calibration(counts[:n], truth[:n] * 40, handed_tree).questions["shape"].scale
        for n in (20, 2000)
    ]
    assert scales[1] < scales[0] < 1


def test_too_few_votes_change_nothing(handed_tree):
    counts = np.zeros((9, 5))
    counts[:, 0], counts[:, 1] = 3, 2
    found = fit_calibration(counts, np.full((9, 5), 90.0), handed_tree).questions
    assert counts[:, :2].sum() < MIN_VOTES
    assert found["shape"] == QuestionCalibration(1.0, 9, 45.0, 0.0)
    assert found["winding"] == QuestionCalibration(1.0, 0, 0.0, 0.0)


def test_single_votes_say_nothing_of_how_sure_to_be(handed_tree):
    counts = np.zeros((200, 5))
    counts[:, 0] = 1
    found = fit_calibration(counts, np.full((200, 5), 90.0), handed_tree)
    assert found.questions["shape"] == QuestionCalibration(1.0, 0, 0.0, 0.0)


@given(
    arrays(np.int64, (30, 5), elements=st.integers(0, 9)),
    arrays(np.float64, (30, 5), elements=st.floats(0.01, 101)),
)
@settings(max_examples=30, deadline=None)
def test_any_votes_give_finite_scales_that_survive_json(handed_tree, counts, concentrations):
    found = fit_calibration(counts, concentrations, handed_tree)
    assert Calibration.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found
    assert (
        (found.factors(handed_tree) >= SMALLEST) & np.isfinite(found.factors(handed_tree))
    ).all()


@pytest.mark.parametrize("votes", [[5, 0], [0, 5]])
def test_one_answer_alone_stays_within_the_bounds(handed_tree, votes):
    counts = np.zeros((100, 5))
    counts[:, :2] = votes
    scale = fit_calibration(counts, np.full((100, 5), 2.0), handed_tree).questions["shape"].scale
    assert SMALLEST <= scale <= LARGEST


def test_no_galaxies_change_nothing(handed_tree):
    found = fit_calibration(np.empty((0, 5)), np.empty((0, 5)), handed_tree)
    assert (found.factors(handed_tree) == 1).all()


def test_is_the_same_twice(handed_tree):
    counts, truth = drawn(np.random.default_rng(6), 100, 5)
    twice = [fit_calibration(counts, truth * 9, handed_tree) for _ in "ab"]
    assert twice[0] == twice[1]


def test_scales_each_question_by_its_own(handed_tree):
    one = Calibration({"winding": QuestionCalibration(0.5)})
    scaled = one.apply(np.ones((2, 5), np.float32), handed_tree)
    assert scaled.tolist() == [[1, 1, 0.5, 0.5, 0.5]] * 2
    assert scaled.dtype == np.float32
    assert (IDENTITY.apply(np.ones((0, 5), np.float32), handed_tree)).shape == (0, 5)


@pytest.mark.parametrize("bad", [np.nan, -1.0])
def test_what_are_no_votes_is_refused(handed_tree, bad):
    with pytest.raises(InvalidInputError, match="counts must be finite and at least 0"):
        fit_calibration(np.full((1, 5), bad), np.ones((1, 5)), handed_tree)
    with pytest.raises(InvalidInputError, match="concentrations must be positive"):
        fit_calibration(np.ones((1, 5)), np.full((1, 5), bad), handed_tree)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf, 1e6])
def test_a_scale_outside_its_range_is_refused(scale):
    with pytest.raises(InvalidInputError, match="scale must be in"):
        QuestionCalibration(scale)


@pytest.mark.parametrize(
    "document", [{"shape": 3}, {"shape": {"scales": 1}}, [], {"a": {"scale": "x"}}]
)
def test_another_document_is_no_calibration(document):
    with pytest.raises(InvalidInputError, match="document must be a calibration"):
        Calibration.from_dict(document)


def test_a_question_of_another_tree_is_refused(handed_tree):
    other = Calibration({"colour": QuestionCalibration(0.5)})
    with pytest.raises(InvalidInputError, match="'colour' is not"):
        other.factors(handed_tree)


class TestTwoGuesses:
    """The network's concentrations and look-alikes' fractions, pooled."""

    def test_an_ignorant_second_guess_loses_its_power_and_a_good_one_gains(self, handed_tree):
        rng = np.random.default_rng(4)
        counts, truth = drawn(rng, 1500, 8)
        noise = 0.5 + rng.gamma(1, 1, truth.shape)
        good = fit_calibration(counts, noise, handed_tree, truth)
        bad = fit_calibration(counts, truth, handed_tree, noise)
        for slug in good.questions:
            assert good.questions[slug].lookalikes > 4 * good.questions[slug].network
            assert bad.questions[slug].network > 4 * bad.questions[slug].lookalikes

    def test_agrees_with_a_grid_of_the_whole_likelihood(self, handed_tree):
        rng = np.random.default_rng(5)
        counts, truth = drawn(rng, 80, 6)
        network, others = truth * rng.gamma(3, 1, truth.shape), truth * rng.gamma(3, 1, truth.shape)
        found = fit_calibration(counts, network, handed_tree, others).questions["shape"]
        part = handed_tree.question_slices["shape"]
        steps = np.linspace(-0.06, 0.06, 5)
        centre = np.array([np.log(found.scale), found.network, found.lookalikes])
        costs = {
            move: self.badness(counts, network, others, part, centre + np.array(move))
            for move in ((x, y, z) for x in steps for y in steps for z in steps)
        }
        assert min(costs, key=costs.get) == (0.0, 0.0, 0.0)

    @staticmethod
    def badness(counts, network, others, part, point):
        """Minus the log posterior, galaxy by galaxy and vote by vote."""
        cost = 0.5 * (point[0] / PRIOR_SPREAD) ** 2
        cost += 0.5 * (((point[1:] - np.array(POWERS)) / POWER_SPREAD) ** 2).sum()
        for k, a, f in zip(counts[:, part], network[:, part], others[:, part], strict=True):
            pooled = (a / a.sum()) ** point[1] * (f / f.sum()) ** point[2]
            alpha = np.exp(point[0]) * a.sum() * pooled / pooled.sum()
            seen = 0
            for place, votes in enumerate(k):
                for vote in range(int(votes)):
                    cost -= np.log((alpha[place] + vote) / (alpha.sum() + seen))
                    seen += 1
        return cost

    def test_the_gain_is_per_vote_single_votes_included(self, handed_tree):
        rng = np.random.default_rng(9)
        pairs, truth = drawn(rng, 40, 2)
        singles, others = drawn(rng, 2000, 1)
        counts, near = np.concatenate([pairs, singles]), np.concatenate([truth, others])
        network = np.ones_like(near)
        fitted = fit_calibration(counts, network, handed_tree, near)
        pooled = fitted.apply(network, handed_tree, near)
        before = negative_log_likelihood(counts, network, handed_tree).sum(axis=0)
        after = negative_log_likelihood(counts, pooled, handed_tree).sum(axis=0)
        votes = [counts[:, part].sum() for part in handed_tree.question_slices.values()]
        assert [each.galaxies for each in fitted.questions.values()] == [40, 40]
        assert [each.gain for each in fitted.questions.values()] == pytest.approx(
            ((before - after) / votes).tolist(), rel=1e-4
        )

    def test_pools_as_the_formula_says(self, handed_tree):
        rng = np.random.default_rng(6)
        alpha, fractions = rng.gamma(2, 1, (4, 5)), rng.gamma(2, 1, (4, 5))
        fitted = QuestionCalibration(0.5, network=0.7, lookalikes=1.2)
        both = dict.fromkeys(handed_tree.question_slices, fitted)
        found = Calibration(both).apply(alpha.astype(np.float32), handed_tree, fractions)
        for part in handed_tree.question_slices.values():
            a, f = alpha[:, part], fractions[:, part]
            pooled = (a / a.sum(1, keepdims=True)) ** 0.7 * (f / f.sum(1, keepdims=True)) ** 1.2
            pooled *= 0.5 * a.sum(1, keepdims=True) / pooled.sum(1, keepdims=True)
            assert found[:, part] == pytest.approx(pooled, rel=1e-5)

    def test_few_votes_leave_both_powers_where_they_begin(self, handed_tree):
        counts, truth = drawn(np.random.default_rng(7), 3, 2)
        found = fit_calibration(counts, truth, handed_tree, truth).questions["shape"]
        assert (found.scale, found.network, found.lookalikes) == (1.0, *POWERS)

    def test_refuses_guesses_that_are_no_fractions(self, handed_tree):
        counts, truth = drawn(np.random.default_rng(8), 5, 2)
        with pytest.raises(InvalidInputError, match="must be"):
            fit_calibration(counts, truth, handed_tree, np.zeros_like(truth))
        with pytest.raises(InvalidInputError, match=r"network must be in \[0, 3.0\], is -1"):
            QuestionCalibration(network=-1.0)
