import numpy as np
import pytest

from mlcore.errors import InvalidInputError
from mlcore.gp.outcomes import vote_outcomes
from mlcore.gp.predictive import calibrate, matching_dirichlet


def graded(n, votes, seed=0):
    """Draw concentrations, and votes from fractions that they predict rightly."""
    rng = np.random.default_rng(seed)
    alpha = np.maximum(40.0 * rng.dirichlet(np.full(3, 0.3), size=n), 0.05)
    truth = np.array([rng.dirichlet(a) for a in alpha])
    return alpha, rng.multinomial(votes, truth).astype(float)


def one_kind_or_another(n, votes, seed=0):
    """Draw votes on galaxies of one of three kinds, about half of which look like two."""
    rng = np.random.default_rng(seed)
    chances = np.where(rng.random((n, 1)) < 0.5, [[0.5, 0.5, 0.0]], [[0.0, 0.02, 0.98]])
    kind = (rng.random((n, 1)) > chances.cumsum(axis=1)[:, :2]).sum(axis=1)
    fractions = 0.85 * np.eye(3)[kind] + 0.05
    return chances + 1e-3, rng.multinomial(votes, fractions).astype(float)


def test_an_overconfident_network_is_scaled_back():
    alpha, counts = graded(500, 10)
    assert calibrate(counts, 10 * alpha, None).scales[0] < 0.3
    assert calibrate(counts, alpha, None).scales[0] == pytest.approx(1.0, abs=0.7)


def test_graded_fractions_are_left_to_the_network_and_sharp_kinds_to_the_classes():
    alpha, counts = graded(300, 10)
    assert calibrate(counts, alpha, None).weights[0] < 0.4
    alpha, counts = one_kind_or_another(300, 10)
    found = calibrate(counts, 30 * alpha, None)
    assert found.weights[0] > 0.9
    profiles = found.classes.concentrations
    np.testing.assert_allclose(np.diag(profiles) / profiles.sum(axis=1), 0.9, atol=0.05)


def test_the_better_model_has_the_greater_say():
    alpha, counts = graded(300, 10)
    blind = np.random.default_rng(1).dirichlet(np.ones(3), size=(16, 300))
    found = calibrate(counts, alpha, blind)
    assert found.weights[1] > 10 * found.weights[2]
    assert found.classes.powers[0] > found.classes.powers[1]


@pytest.mark.parametrize("world", [graded, one_kind_or_another])
def test_all_the_ways_to_vote_add_up_to_one_right_or_wrong(world):
    alpha, counts = world(60, 6)
    found = calibrate(counts, alpha, None)
    ways, rows = vote_outcomes(6, 3), np.arange(60)
    for logs in (found.log_clean(ways, rows), found.log_wrong(ways, rows)):
        np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1.0)
    np.testing.assert_allclose(found.expected.sum(axis=1), 1.0)
    given = np.repeat(ways[None], 60, axis=0)
    np.testing.assert_allclose(found.log_clean(given, rows), found.log_clean(ways, rows), atol=1e-4)


def test_drawn_votes_have_the_expected_fractions():
    alpha, counts = one_kind_or_another(60, 6)
    found = calibrate(counts, alpha, alpha[None] / alpha.sum(axis=1, keepdims=True))
    drawn = found.sample_votes(6, 4000, np.arange(60), np.random.default_rng(0))
    np.testing.assert_allclose(drawn.mean(axis=1) / 6, found.expected, atol=0.03)


def test_draws_are_matched_in_mean_and_spread():
    alpha = np.array([[3.0, 1.0, 1.0], [0.5, 0.5, 4.0]])
    draws = np.random.default_rng(0).dirichlet(np.ones(3), size=(4000, 2))
    for place, each in enumerate(alpha):
        draws[:, place] = np.random.default_rng(place).dirichlet(each, size=4000)
    np.testing.assert_allclose(matching_dirichlet(draws), alpha, rtol=0.1)
    assert np.isfinite(matching_dirichlet(np.full((5, 2, 3), 1 / 3))).all()
    assert np.isnan(matching_dirichlet(np.full((5, 2, 3), np.nan))).all()


@pytest.mark.parametrize("n_answers", [1, 2])
def test_a_question_that_everybody_answers_alike_is_fine(n_answers):
    counts = np.zeros((50, n_answers))
    counts[:, 0] = 9.0
    found = calibrate(counts, 5.0 * counts + 1.0, None)
    odds = found.log_wrong(counts[:, None], slice(None)) - found.log_clean(
        counts[:, None], slice(None)
    )
    assert np.isfinite(odds).all()
    assert (odds <= 1e-9).all()


def test_no_model_at_all_is_refused():
    with pytest.raises(InvalidInputError, match="concentrations or draws must be given"):
        calibrate(np.ones((3, 2)), None, None)
