import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from mlcore.errors import InvalidInputError
from mlcore.gp.mislabels import (
    benjamini_hochberg,
    contamination,
    flag_mislabels,
    surprise,
)
from mlcore.gp.predictive import calibrate


def galaxies(n, n_answers, votes, seed=0, planted=0.0):
    """Draw fractions, votes from them, and votes of another galaxy for the planted few."""
    rng = np.random.default_rng(seed)
    fractions = rng.dirichlet(np.full(n_answers, 0.3), size=n)
    alpha = np.maximum(40.0 * fractions, 0.05)
    truth = np.array([rng.dirichlet(a) for a in alpha])
    wrong = rng.random(n) < planted
    voted = np.where(wrong[:, None], np.roll(truth, 1, axis=1), truth)
    return alpha, rng.multinomial(votes, voted).astype(float), wrong


def test_p_values_are_honest_when_the_predictive_is(one_question):
    alpha, counts, _ = galaxies(600, 3, 8)
    p = surprise(counts, one_question(3), concentrations=alpha).p_values[:, 0]
    for level in (0.02, 0.1, 0.3):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level / len(p))


def test_replicates_agree_with_enumeration(one_question, monkeypatch):
    alpha, counts, _ = galaxies(40, 3, 8)
    exact = surprise(counts, one_question(3), concentrations=alpha)
    monkeypatch.setattr("mlcore.gp.mislabels.MAX_ENUMERATED", 1)
    replicated = surprise(counts, one_question(3), concentrations=alpha)
    np.testing.assert_allclose(replicated.p_values, exact.p_values, atol=0.07)
    assert replicated.p_values.min() >= 1 / 1000


def test_an_overconfident_network_is_scaled_back():
    alpha, counts, _ = galaxies(500, 3, 10)
    assert calibrate(counts, 10 * alpha, None).scale < 0.3
    assert calibrate(counts, alpha, None).scale == pytest.approx(1.0, abs=0.5)


def test_the_better_predictive_gets_the_weight():
    alpha, counts, _ = galaxies(300, 3, 10)
    rng = np.random.default_rng(1)
    blind = rng.dirichlet(np.ones(3), size=(16, 300))
    assert calibrate(counts, alpha, blind).weight > 0.9


def test_either_predictive_may_be_missing_for_a_galaxy(one_question):
    alpha, counts, _ = galaxies(60, 3, 6)
    draws = np.stack([np.random.default_rng(i).dirichlet(np.ones(3), 60) for i in range(8)])
    alpha[:10] = np.nan
    draws[:, 5:15] = np.nan
    table = surprise(counts, one_question(3), concentrations=alpha, draws=draws)
    assert np.isnan(table.p_values[5:10]).all()
    assert np.isfinite(np.delete(table.p_values, range(5, 10), axis=0)).all()
    assert np.isfinite(table.galaxy_p_values()).sum() == 55


def test_no_votes_no_surprise_and_three_galaxies_are_fine(one_question):
    counts = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    alpha = np.array([[1.0, 1.0], [9.0, 1.0], [9.0, 1.0]])
    table = surprise(counts, one_question(2), concentrations=alpha)
    assert np.isnan(table.galaxy_p_values()[0])
    assert table.galaxy_p_values()[2] < table.galaxy_p_values()[1]
    flagged = flag_mislabels(
        ["a", "b", "c"], counts, alpha, None, one_question(2), false_discovery_rate=1.0
    )
    assert flagged[0].id_str == "c"


def test_planted_mislabels_rank_above_the_naive_baseline(one_question):
    ours, naive = [], []
    for seed in range(4):
        alpha, counts, wrong = galaxies(600, 3, 5, seed=seed, planted=0.025)
        table = surprise(counts, one_question(3), concentrations=alpha)
        top = counts.argmax(axis=1)
        baseline = 1.0 - table.expected[np.arange(len(top)), top]
        ours.append(average_precision_score(wrong, table.galaxy_scores()))
        naive.append(average_precision_score(wrong, baseline))
    assert np.mean(ours) > np.mean(naive)


def test_flags_say_why_in_plain_words(one_question):
    alpha, counts, _ = galaxies(100, 2, 10)
    alpha[7], counts[7] = [19.0, 1.0], [0.0, 10.0]
    ids = [f"g{i}" for i in range(100)]
    flagged = flag_mislabels(ids, counts, alpha, None, one_question(2), review_budget=5)
    assert flagged[0].id_str == "g7"
    assert flagged[0].observed == {"a0": 0.0, "a1": 1.0}
    assert flagged[0].q_value <= 0.1
    assert flagged[0].reason.startswith("10 of 10 volunteers said 'shape: a1'; galaxies that look")


def test_a_budget_and_a_rate_limit_what_is_flagged(one_question):
    alpha, counts, _ = galaxies(100, 3, 5, planted=0.1)
    ids = [str(i) for i in range(100)]
    everything = flag_mislabels(
        ids, counts, alpha, None, one_question(3), false_discovery_rate=1.0, review_budget=7
    )
    assert len(everything) == 7
    with pytest.raises(InvalidInputError, match="false_discovery_rate must be"):
        flag_mislabels(ids, counts, alpha, None, one_question(3), false_discovery_rate=0.0)
    with pytest.raises(InvalidInputError, match="ids must have 100 entries, has 2"):
        flag_mislabels(["a", "b"], counts, alpha, None, one_question(3))
    with pytest.raises(InvalidInputError, match="concentrations or draws"):
        flag_mislabels(ids, counts, None, None, one_question(3))


@given(st.lists(st.floats(0, 1), max_size=20))
@settings(deadline=None)
def test_q_values_are_those_of_the_definition(p_values):
    p = np.array(p_values)
    expected = [
        min((p[j] * len(p) / (p <= p[j]).sum() for j in range(len(p)) if p[j] >= p[i]), default=0)
        for i in range(len(p))
    ]
    np.testing.assert_allclose(benjamini_hochberg(p), expected, atol=1e-12)


def test_missing_p_values_stay_missing():
    np.testing.assert_allclose(benjamini_hochberg([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04])
    with pytest.raises(InvalidInputError, match="p_values must be between 0 and 1"):
        benjamini_hochberg([1.5])


def test_contamination_has_an_interval_around_the_confirmed_share():
    found = contamination(10, 20, 40, 1000)
    assert found.estimate == pytest.approx(0.02)
    assert found.lower < 0.02 < found.upper <= 0.04
    assert contamination(0, 20, 40, 1000).lower == 0.0
    assert np.isnan(contamination(0, 0, 40, 1000).estimate)
    with pytest.raises(InvalidInputError, match="counts must obey"):
        contamination(3, 2, 40, 1000)
