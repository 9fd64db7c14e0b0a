"""What all rules share, and the simple ones."""

import numpy as np
import pytest

from mlcore.errors import CancelledError, InvalidInputError
from mlcore.gp.acquisition import (
    BaldRule,
    Beliefs,
    EntropyRule,
    InformationRule,
    MarginRule,
    RandomRule,
    make_rule,
    score_candidates,
    tree_information,
)
from mlcore.round_plan import ACQUISITION_RULES


def beliefs_at(tree, fractions, variance=1e-9):
    mean = np.log(np.array(fractions))
    return Beliefs(
        tree,
        mean=mean,
        variance=np.full(mean.shape, variance),
        scatter=np.zeros(mean.shape),
        promised=np.zeros(len(mean), dtype=int),
    )


FRACTIONS = [[0.5, 0.4, 0.1, 0.8, 0.2], [0.05, 0.9, 0.05, 0.5, 0.5], [0.8, 0.1, 0.1, 0.5, 0.5]]


def test_the_margin_is_between_the_two_likeliest_answers(branching_tree):
    scores = MarginRule().score(beliefs_at(branching_tree, FRACTIONS))
    np.testing.assert_allclose(scores, [0.9 + 0.4 * 0.4, 0.15 + 0.9, 0.3 + 0.1], atol=1e-6)


def test_the_entropy_is_of_the_next_vote(branching_tree):
    def entropy(*p):
        return -sum(x * np.log(x) for x in p)

    scores = EntropyRule().score(beliefs_at(branching_tree, FRACTIONS))
    expected = [entropy(*row[:3]) + row[1] * entropy(*row[3:]) for row in FRACTIONS]
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_bald_is_the_information_of_its_own_draws(branching_tree):
    beliefs = beliefs_at(branching_tree, FRACTIONS, variance=0.7)
    expected = tree_information(beliefs.draws(16, 3), branching_tree, 4)
    np.testing.assert_array_equal(BaldRule(4, 16, 3).score(beliefs), expected)


def test_bald_does_not_fall_for_doubt_that_votes_cannot_settle(one_question):
    beliefs = beliefs_at(one_question(2), [[0.5, 0.5], [0.8, 0.2]])
    beliefs.variance[1] = 1.0
    assert EntropyRule().score(beliefs).argmax() == 0
    for rule in (BaldRule(), InformationRule()):
        assert rule.score(beliefs).argmax() == 1


def test_chance_follows_its_seed_and_moves_on(branching_tree):
    beliefs = beliefs_at(branching_tree, FRACTIONS)
    rule = RandomRule(1)
    first, second = rule.score(beliefs), rule.score(beliefs)
    assert (first != second).all()
    np.testing.assert_array_equal(RandomRule(1).score(beliefs), first)


@pytest.mark.parametrize("name", ACQUISITION_RULES)
@pytest.mark.parametrize("m", [0, 3])
def test_rules_share_one_interface(name, m, branching_tree):
    rule = make_rule(name, n_votes=3, n_draws=8, seed=1)
    beliefs = beliefs_at(branching_tree, FRACTIONS, variance=0.5).of(np.arange(m))
    scores = rule.score(beliefs)
    assert scores.shape == (m,)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()
    assert rule.counts_votes == (name in {"information", "design"})


def test_another_name_is_no_rule():
    with pytest.raises(InvalidInputError, match=r"acquisition must be one of information, .* 'x'"):
        make_rule("x", n_votes=3, n_draws=8, seed=1)


class Numbered:
    """Galaxies whose only feature is how sure we are of them."""

    scatter_variance = np.array([0.1, 0.1])

    def latent(self, features):
        mean = np.zeros((len(features), 2))
        return mean, np.repeat(features, 2, axis=1)


def test_candidates_are_scored_in_chunks_with_their_own_votes(one_question, monkeypatch):
    monkeypatch.setattr("mlcore.gp.acquisition.rule.CHUNK", 2)
    heard, tree, rule = [], one_question(2), InformationRule(2)
    features = np.array([[0.5], [0.5], [0.5], [0.9], [0.5]])
    scores = score_candidates(
        Numbered(),
        features,
        tree,
        rule,
        counts=np.array([[0, 0], [9, 9], [0, 0], [0, 0], [0, 0]], dtype=float),
        promised=np.array([0, 0, 4, 0, 0]),
        on_progress=lambda *call: heard.append(call[1:]),
    )
    assert heard == [
        (0.4, "2 galaxies scored"),
        (0.8, "4 galaxies scored"),
        (1.0, "5 galaxies scored"),
    ]
    assert scores[0] == scores[4] < scores[3]
    assert max(scores[1], scores[2]) < scores[0]
    plain = score_candidates(Numbered(), features, tree, rule)
    assert plain[0] == plain[1] == plain[2] == scores[0]


def test_no_candidates_have_no_scores_and_a_stop_is_heard(one_question):
    tree, rule = one_question(2), InformationRule(2)
    assert score_candidates(Numbered(), np.empty((0, 1)), tree, rule).shape == (0,)
    with pytest.raises(CancelledError):
        score_candidates(Numbered(), np.ones((3, 1)), tree, rule, should_stop=lambda: True)
