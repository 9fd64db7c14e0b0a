import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import average_precision_score

from mlcore.errors import InvalidInputError
from mlcore.gp.mislabels import (
    SurpriseTable,
    expected_false_discoveries,
    flag_mislabels,
    surprise,
)
from mlcore.gp.predictive import certain_counts

from .conftest import grow


def galaxies(n, n_answers, votes, seed=0, planted=0.0):
    """Draw fractions, votes from them, and votes of another galaxy for the planted few."""
    rng = np.random.default_rng(seed)
    fractions = rng.dirichlet(np.full(n_answers, 0.3), size=n)
    alpha = np.maximum(40.0 * fractions, 0.05)
    truth = np.array([rng.dirichlet(a) for a in alpha])
    wrong = rng.random(n) < planted
    voted = np.where(wrong[:, None], np.roll(truth, 1, axis=1), truth)
    return alpha, rng.multinomial(votes, voted).astype(float), wrong


def sharp_galaxies(n, n_answers, votes, seed):
    """Draw galaxies of one class each, whose label 3 in 100 lost to another class."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_answers, size=n)
    wrong = rng.random(n) < 0.03
    label = np.where(wrong, (truth + rng.integers(1, n_answers, n)) % n_answers, truth)
    fractions = np.full((n, n_answers), 0.12 / (n_answers - 1))
    fractions[np.arange(n), label] = 0.88
    clue = 4.0 * np.eye(n_answers)[truth] + rng.standard_normal((n, n_answers))
    alpha = 20.0 * softmax(2.0 * clue, axis=1) + 0.3
    return rng.multinomial(votes, fractions).astype(float), alpha, wrong


def test_p_values_are_honest_when_the_predictive_is(one_question):
    alpha, counts, _ = galaxies(600, 3, 8)
    p = surprise(counts, one_question(3), concentrations=alpha).p_values[:, 0]
    for level in (0.02, 0.1, 0.3):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level / len(p))


def test_replicates_agree_with_enumeration(one_question, monkeypatch):
    alpha, counts, _ = galaxies(40, 3, 8)
    exact = surprise(counts, one_question(3), concentrations=alpha)
    monkeypatch.setattr("mlcore.gp.tails.MAX_ENUMERATED", 1)
    replicated = surprise(counts, one_question(3), concentrations=alpha)
    np.testing.assert_allclose(replicated.p_values, exact.p_values, atol=0.07)
    assert replicated.p_values.min() >= 1 / 1000


def test_either_predictive_may_be_missing_for_a_galaxy(one_question):
    alpha, counts, _ = galaxies(60, 3, 6)
    left_out = np.random.default_rng(0).dirichlet(np.ones(3), 60)
    alpha[:10] = np.nan
    left_out[5:15] = np.nan
    table = surprise(counts, one_question(3), concentrations=alpha, left_out=left_out)
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


@pytest.mark.parametrize("votes", [3, 10])
def test_planted_mislabels_rank_above_the_naive_baseline(one_question, votes):
    ours, naive = [], []
    for seed in range(4):
        alpha, counts, wrong = galaxies(600, 3, votes, seed=seed, planted=0.025)
        table = surprise(counts, one_question(3), concentrations=alpha)
        top = counts.argmax(axis=1)
        baseline = 1.0 - (alpha / alpha.sum(axis=1, keepdims=True))[np.arange(len(top)), top]
        ours.append(average_precision_score(wrong, table.galaxy_scores()))
        naive.append(average_precision_score(wrong, baseline))
    assert np.mean(ours) > np.mean(naive)


def test_in_sharp_classes_few_votes_still_rank_above_the_naive_baseline(one_question):
    counts, alpha, wrong = sharp_galaxies(500, 5, 3, seed=3)
    table = surprise(counts, one_question(5), concentrations=alpha)
    top = counts.argmax(axis=1)
    baseline = 1.0 - alpha[np.arange(len(top)), top]
    ours = average_precision_score(wrong, table.galaxy_scores())
    assert ours > average_precision_score(wrong, baseline) + 0.1


def test_the_flagged_are_wrong_about_as_often_as_the_rate_promises(one_question):
    right = total = 0
    for seed in range(4):
        counts, alpha, wrong = sharp_galaxies(500, 4, 10, seed=seed)
        table = surprise(counts, one_question(4), concentrations=alpha)
        found = expected_false_discoveries(table.local_false_discovery_rates()) <= 0.1
        right, total = right + wrong[found].sum(), total + found.sum()
    assert total > 20
    assert right / total > 0.8


@pytest.mark.parametrize("votes", [3, 10, 40])
def test_clean_surveys_have_nothing_flagged(one_question, votes):
    alpha, counts, _ = galaxies(400, 3, votes, seed=5)
    ids = [str(i) for i in range(400)]
    assert flag_mislabels(ids, counts, alpha, None, one_question(3)) == []


def test_flags_say_why_in_plain_words(one_question):
    alpha, counts, _ = galaxies(100, 2, 10)
    alpha[7], counts[7] = [199.0, 1.0], [0.0, 10.0]
    ids = [f"g{i}" for i in range(100)]
    flagged = flag_mislabels(ids, counts, alpha, None, one_question(2), review_budget=5)
    assert flagged[0].id_str == "g7"
    assert flagged[0].observed == {"a0": 0.0, "a1": 1.0}
    assert flagged[0].q_value <= 0.1
    assert flagged[0].reason.startswith("10 of 10 volunteers said 'shape: a1'; galaxies that look")


@pytest.mark.parametrize("every", ["label", "vote"])
def test_certain_labels_that_contradict_the_models_are_found(one_question, every):
    _, _alpha, wrong = sharp_galaxies(800, 4, 10, seed=2)
    truth = np.random.default_rng(2).integers(4, size=800)
    label = np.where(wrong, (truth + 1) % 4, truth)
    counts = certain_counts(label, 4) if every == "label" else np.eye(4)[label]
    alpha = 0.5 + 20 * _seen(truth)
    table = surprise(counts, one_question(4), concentrations=alpha, certain=True)
    assert average_precision_score(wrong, table.galaxy_scores()) > 0.8
    found = expected_false_discoveries(table.local_false_discovery_rates()) <= 0.1
    assert found.sum() > 10
    assert wrong[found].mean() > 0.8


def test_one_vote_a_galaxy_is_not_taken_for_certain(one_question):
    """Of galaxies with one vote each nobody disagrees, and one vote in ten is a slip."""
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.full(3, 0.08), 300)
    kind = np.array([rng.choice(3, p=each) for each in chances])
    counts = rng.multinomial(1, 0.85 * np.eye(3)[kind] + 0.05).astype(float)
    ids = [str(row) for row in range(300)]
    found = flag_mislabels(
        ids, counts, 40 * chances + 0.02, None, one_question(3), false_discovery_rate=0.2
    )
    assert found == []


def test_volunteers_who_never_disagree_are_no_trouble(one_question):
    """A simulated survey: five votes each, all alike; those on 24 are another class's."""
    truth = np.random.default_rng(0).integers(3, size=800)
    wrong = np.arange(800) < 24
    counts = 5.0 * np.eye(3)[np.where(wrong, (truth + 1) % 3, truth)]
    table = surprise(counts, one_question(3), concentrations=0.5 + 20 * _seen(truth, 3))
    assert np.isfinite(table.galaxy_scores()).all()
    assert np.isfinite(table.galaxy_p_values()).all()
    found = expected_false_discoveries(table.local_false_discovery_rates()) <= 0.1
    assert found.sum() >= 20
    assert wrong[found].mean() >= 0.8


def _seen(truth, n_classes=4):
    clue = np.random.default_rng(9).standard_normal((len(truth), n_classes))
    return softmax(2.0 * (clue + 4.0 * np.eye(n_classes)[truth]), axis=1)


def test_votes_of_people_who_did_not_look_are_wrong_only_where_they_mislead(one_question):
    counts, alpha, _ = sharp_galaxies(600, 3, 8, seed=4)
    truth = alpha.argmax(axis=1)
    careless = np.arange(600) < 30
    for row in np.flatnonzero(careless):
        counts[row] = np.roll([2.0, 3.0, 3.0] if row % 2 else [4.0, 2.0, 2.0], truth[row])
    scores = surprise(counts, one_question(3), concentrations=alpha).galaxy_scores()
    misled = careless & (np.arange(600) % 2 == 1)
    assert np.median(scores[misled]) > np.median(scores[careless & ~misled]) + 1.0


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
    with pytest.raises(InvalidInputError, match="concentrations or left_out"):
        flag_mislabels(ids, counts, None, None, one_question(3))


def test_the_rate_is_that_of_the_galaxies_that_may_be_flagged(one_question):
    counts, alpha, _ = sharp_galaxies(300, 4, 5, seed=1)
    may_flag = np.arange(300) % 3 == 0
    ids = [str(row) for row in range(300)]
    table = surprise(counts, one_question(4), concentrations=alpha)
    local = table.local_false_discovery_rates()
    found = flag_mislabels(
        ids,
        counts,
        alpha,
        None,
        one_question(4),
        may_flag=may_flag,
        false_discovery_rate=1.0,
    )
    assert [each.id_str for each in found] == [
        ids[row] for row in np.argsort(-table.galaxy_scores(), kind="stable") if may_flag[row]
    ]
    rates = np.array([local[int(each.id_str)] for each in found])
    expected = [rates[rates <= rate].mean() for rate in rates]
    np.testing.assert_allclose([each.q_value for each in found], expected)
    with pytest.raises(InvalidInputError, match=r"may_flag must be \(300,\), is \(2,\)"):
        flag_mislabels(ids, counts, alpha, None, one_question(4), may_flag=[True, False])


def two_questions(seed):
    """Make a tree that asks everybody two questions, and galaxies of which one has both wrong."""
    tree = grow({"round": {"yes": "ring", "no": "ring"}, "ring": {"yes": None, "no": None}})
    rng = np.random.default_rng(seed)
    kinds = rng.integers(2, size=(300, 2))
    kinds[0] = 0
    said = np.where(np.arange(300)[:, None] == 0, 1 - kinds, kinds)
    counts = np.concatenate(
        [rng.multinomial(8, np.where(np.eye(2)[each] > 0, 0.95, 0.05)) for each in said.T], axis=1
    )
    alpha = np.concatenate([1.0 + 29.0 * np.eye(2)[each] for each in kinds.T], axis=1)
    return tree, counts.astype(float), alpha


def test_votes_called_right_on_one_question_can_be_wrong_on_another():
    tree, counts, alpha = two_questions(seed=0)
    ids = [str(row) for row in range(300)]
    first = flag_mislabels(ids, counts, alpha, None, tree)[0]
    assert first.id_str == "0"
    called = np.zeros((300, 2), dtype=bool)
    called[0, ["round", "ring"].index(first.question)] = True
    second = flag_mislabels(ids, counts, alpha, None, tree, called_right=called)[0]
    assert second.id_str == "0"
    assert {first.question, second.question} == {"round", "ring"}
    called[0] = True
    last = flag_mislabels(
        ids, counts, alpha, None, tree, called_right=called, false_discovery_rate=1.0
    )
    assert (len(last), last[-1].id_str, last[-1].p_value) == (300, "0", 1.0)
    with pytest.raises(InvalidInputError, match=r"called_right must be \(300, 2\), is \(2,\)"):
        flag_mislabels(ids, counts, alpha, None, tree, called_right=[True, False])


def test_votes_called_right_come_last_however_right_the_others_are():
    p, odds = np.array([[0.5, 0.9], [1.0, np.nan]]), np.array([[3.0, -90.0], [2.0, -np.inf]])
    table = SurpriseTable(("a", "b"), p, odds, np.full((2, 4), 0.5), np.full((2, 2), 900.0))
    found = table.knowing(np.array([[True, False], [True, True]]))
    assert found.log_odds.tolist() == [[-91.0, -90.0], [-91.0, -np.inf]]
    assert found.worst_questions().tolist() == [1, 0]
    np.testing.assert_array_equal(found.p_values, [[1.0, 0.9], [1.0, np.nan]])


@given(st.lists(st.floats(0, 1), max_size=20))
@settings(deadline=None)
def test_q_values_are_the_mean_rate_of_all_as_suspect(rates):
    local = np.array(rates)
    expected = [local[local <= rate].mean() for rate in rates]
    np.testing.assert_allclose(expected_false_discoveries(local), expected, atol=1e-12)


def test_missing_rates_stay_missing():
    np.testing.assert_allclose(
        expected_false_discoveries([0.02, np.nan, 0.04]), [0.02, np.nan, 0.03]
    )
    with pytest.raises(InvalidInputError, match="local_rates must be between 0 and 1"):
        expected_false_discoveries([1.5])
