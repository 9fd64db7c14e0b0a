import numpy as np
import pytest

from mlcore.errors import InvalidInputError
from mlcore.gp.outcomes import vote_outcomes
from mlcore.gp.predictive import CERTAIN_VOTES, calibrate, certain_counts


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


def chances_of(found):
    return found.log_chances.exp().numpy()


def test_what_an_overconfident_network_says_is_taken_for_less():
    alpha, counts = graded(500, 10)
    sure = (alpha / alpha.sum(axis=1, keepdims=True)) ** 3
    assert float(calibrate(counts, sure, None).mixture.log_powers.exp()) < 0.6
    assert float(calibrate(counts, alpha, None).mixture.log_powers.exp()) == pytest.approx(1, 0.3)


def test_graded_fractions_and_sharp_kinds_are_told_apart():
    alpha, counts = graded(300, 10)
    assert float(calibrate(counts, alpha, None).mixture.sharp) < -1.0
    alpha, counts = one_kind_or_another(300, 10)
    found = calibrate(counts, 30 * alpha, None)
    assert float(found.mixture.sharp) > 1.0
    np.testing.assert_allclose(found.mixture.log_profiles.exp().diag(), 0.9, atol=0.05)


def test_the_better_model_has_the_greater_say():
    alpha, counts = graded(300, 10)
    blind = np.random.default_rng(1).dirichlet(np.full(3, 16.0), size=300)
    powers = calibrate(counts, alpha, blind).mixture.log_powers
    assert powers[0] > powers[1] + 1.0


@pytest.mark.parametrize("world", [graded, one_kind_or_another])
def test_all_the_ways_to_vote_add_up_to_one(world):
    alpha, counts = world(60, 6)
    found = calibrate(counts, alpha, None)
    ways, rows = vote_outcomes(6, 3), np.arange(60)
    np.testing.assert_allclose(np.exp(found.log_clean(ways, rows)).sum(axis=1), 1.0)
    np.testing.assert_allclose(found.expected.sum(axis=1), 1.0)
    given = np.repeat(ways[None], 60, axis=0)
    for name in ("log_clean", "log_odds"):
        shared, each = getattr(found, name)(ways, rows), getattr(found, name)(given, rows)
        np.testing.assert_allclose(each, shared, atol=1e-9)


def test_drawn_votes_have_the_expected_fractions():
    alpha, counts = one_kind_or_another(60, 6)
    found = calibrate(counts, alpha, alpha / alpha.sum(axis=1, keepdims=True))
    drawn = found.sample_votes(6, 4000, np.arange(60), np.random.default_rng(0))
    np.testing.assert_allclose(drawn.mean(axis=1) / 6, found.expected, atol=0.03)


def test_votes_are_certain_only_where_the_caller_says_so():
    chances, counts = one_kind_or_another(200, 6)
    labels = certain_counts(counts.argmax(axis=1), 3)
    certain = calibrate(labels, chances, None, certain=True).mixture
    np.testing.assert_allclose(certain.log_profiles.exp().diag(), 1.0, atol=1e-5)
    single = np.minimum(labels, 1.0)
    assert calibrate(single, chances, None).mixture.log_profiles.exp().diag().min() < 0.98


def test_certain_votes_that_differ_are_refused():
    with pytest.raises(InvalidInputError, match="certain votes must be alike on each galaxy"):
        calibrate(np.array([[5.0, 0.0], [4.0, 1.0]]), np.ones((2, 2)), None, certain=True)


def test_labels_become_unanimous_votes():
    expected = [[0, CERTAIN_VOTES], [0, 0], [CERTAIN_VOTES, 0]]
    np.testing.assert_array_equal(certain_counts([1, -1, 0], 2), expected)
    assert certain_counts([], 3).shape == (0, 3)
    with pytest.raises(InvalidInputError, match="labels must be from -1 to 1"):
        certain_counts([2], 2)


@pytest.mark.parametrize("certain", [False, True])
@pytest.mark.parametrize("n_answers", [1, 2])
def test_a_question_that_everybody_answers_alike_is_fine(n_answers, certain):
    counts = np.zeros((50, n_answers))
    counts[:, 0] = 9.0
    found = calibrate(counts, 5.0 * counts + 1.0, None, certain=certain)
    odds = found.log_odds(counts[:, None], slice(None))
    assert np.isfinite(odds).all()
    assert (odds < -2).all()


def test_no_model_at_all_is_refused():
    with pytest.raises(InvalidInputError, match="concentrations or left_out must be given"):
        calibrate(np.ones((3, 2)), None, None)
