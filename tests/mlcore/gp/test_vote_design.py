"""Choosing votes: against a reference that computes every gain anew."""

import numpy as np
import pytest
from scipy.special import softmax

from mlcore.errors import InvalidInputError
from mlcore.gp.vote_design import VoteDesign
from mlcore.gp.vote_regression import (
    RegressionConfig,
    asked_curvature,
    effective_votes,
    posterior_covariance,
)

CONFIG = RegressionConfig(rho=0.4)


def make_design(tree, number, seed=0, **changes):
    rng = np.random.default_rng(seed)
    columns = tree.question_slices.values()
    latent = rng.normal(size=(number, len(tree.label_cols)))
    given = {
        "basis": rng.normal(size=(number, 4)),
        "fractions": np.hstack([softmax(latent[:, each], axis=1) for each in columns]),
        "counts": np.zeros(latent.shape),
        "votes": np.zeros(number, dtype=np.int64),
        "tree": tree,
        "config": CONFIG,
        **changes,
    }
    return VoteDesign(**given)


def excess_loss(design, told, covariance):
    """Return the survey's mean excess loss once each galaxy has told so much (n, Q)."""
    heights = asked_curvature(design.fractions, design.tree)
    basis, loss = design.basis, 0.0
    for place, span in enumerate(design.tree.question_slices.values()):
        precision = np.linalg.inv(covariance[place])
        precision = precision + (basis * told[:, place, None]).T @ basis
        spread = np.einsum("ip,pr,ir->i", basis, np.linalg.inv(precision), basis)
        loss += (heights[:, place] * (span.stop - span.start - 1) * spread).mean() / 2
    return loss


def brute_force(design, n_votes):
    """Try a vote on every galaxy, keep the best, and start again from the beginning."""
    heights = asked_curvature(design.fractions, design.tree)
    seen = effective_votes(design.votes, CONFIG.rho)[:, None] * heights
    covariance = posterior_covariance(design.basis, seen, CONFIG.penalty)
    own = asked_curvature(design.own_fractions(), design.tree)
    votes, told = design.votes.copy(), np.zeros_like(heights)
    chosen, gains = [], []
    for _ in range(n_votes):
        now, tried = excess_loss(design, told, covariance), []
        for row in range(len(votes)):
            worth = effective_votes(votes[row] + 1, CONFIG.rho) - effective_votes(
                votes[row], CONFIG.rho
            )
            more = told.copy()
            more[row] += worth * own[row]
            tried.append(now - excess_loss(design, more, covariance))
        best = int(np.argmax(tried))
        worth = effective_votes(votes[best] + 1, CONFIG.rho) - effective_votes(
            votes[best], CONFIG.rho
        )
        told[best] += worth * own[best]
        votes[best] += 1
        chosen.append(best)
        gains.append(tried[best])
    return chosen, gains


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["one", "branching"])
def test_is_the_greedy_choice(kind, seed, one_question, branching_tree):
    tree = one_question(3) if kind == "one" else branching_tree
    rng = np.random.default_rng(seed)
    votes = rng.integers(0, 3, 12)
    counts = np.zeros((12, len(tree.label_cols)))
    counts[:, 0] = votes
    design = make_design(tree, 12, seed, votes=votes, counts=counts)
    chosen, gains = design.choose(15)
    expected, expected_gains = brute_force(design, 15)
    assert chosen.tolist() == expected
    assert gains == pytest.approx(expected_gains, rel=1e-6)


def test_a_block_is_taken_into_account_as_a_whole(branching_tree):
    """What is left after a block is what is left after its votes one by one."""
    design = make_design(branching_tree, 10)
    first, _ = design.choose(4, block=4)
    rest, gains = design.choose(5, block=4)
    assert rest[:4].tolist() == first.tolist()
    heights = asked_curvature(design.fractions, branching_tree)
    told = np.zeros_like(heights)
    told[first] = heights[first]
    prior = posterior_covariance(design.basis, np.zeros_like(heights), CONFIG.penalty)
    more = told.copy()
    worth = effective_votes((told[rest[4], 0] > 0) + 1, CONFIG.rho) - (told[rest[4], 0] > 0)
    more[rest[4]] += worth * heights[rest[4]]
    left = excess_loss(design, told, prior) - excess_loss(design, more, prior)
    assert gains[4] == pytest.approx(left)


def test_a_batch_is_diverse(one_question):
    """Ten copies of one galaxy and one other: the other is asked about early."""
    basis = np.repeat([[1.0, 0.0]], 11, axis=0)
    basis[10] = [0.0, 1.0]
    design = make_design(one_question(2), 11, basis=basis, fractions=np.full((11, 2), 0.5))
    assert 10 in design.choose(5)[0].tolist()


def test_prefers_what_many_galaxies_are_like(one_question):
    """An outlier is as uncertain as any galaxy, but teaches nothing of the others."""
    basis = np.repeat([[1.0, 0.0]], 9, axis=0)
    basis[8] = [0.0, 1.5]
    design = make_design(one_question(2), 9, basis=basis, fractions=np.full((9, 2), 0.5))
    assert design.choose(1)[0][0] != 8


def test_votes_that_are_out_count_although_unanswered(one_question):
    out = np.zeros(4, dtype=np.int64)
    out[0] = 3
    design = make_design(
        one_question(2), 4, basis=np.eye(4), fractions=np.full((4, 2), 0.5), votes=out
    )
    assert sorted(design.choose(3)[0].tolist()) == [1, 2, 3]


def test_asks_again_where_votes_disagree(one_question):
    """Of two galaxies with two votes, the one whose votes agree is left alone."""
    design = make_design(
        one_question(2),
        2,
        basis=np.eye(2),
        fractions=np.full((2, 2), 0.5),
        counts=np.array([[2.0, 0.0], [1.0, 1.0]]),
        votes=np.array([2, 2]),
    )
    assert design.choose(1)[0].tolist() == [1]


def test_stops_at_the_most_votes(one_question):
    design = make_design(one_question(2), 3, votes=np.array([1, 2, 0]))
    chosen, gains = design.choose(100, max_votes=2, block=2)
    assert np.bincount(chosen, minlength=3).tolist() == [1, 0, 2]
    assert np.isfinite(gains).all()


def test_no_votes_and_no_galaxies(one_question):
    assert make_design(one_question(2), 3).choose(0)[0].tolist() == []
    assert make_design(one_question(2), 0).choose(5)[0].tolist() == []


def test_independent_votes_have_own_fractions_too(one_question):
    design = make_design(one_question(2), 2, config=RegressionConfig(rho=0.0))
    assert np.isfinite(design.choose(3)[1]).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"n_votes": -1}, "n_votes must be at least 0, is -1"),
        ({"n_votes": 1, "max_votes": 0}, "max_votes must be at least 1, is 0"),
        ({"n_votes": 1, "block": 0}, "block must be at least 1, is 0"),
    ],
)
def test_refuses_bad_numbers(one_question, arguments, said):
    with pytest.raises(InvalidInputError, match=said):
        make_design(one_question(2), 3).choose(**arguments)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fractions": np.ones((3, 5))}, r"must be of 3 galaxies, are .*\(3, 5\)"),
        ({"counts": np.ones((2, 2))}, r"must be of 3 galaxies, .*\(2, 2\)"),
        ({"votes": np.zeros(2, dtype=np.int64)}, r"must be of 3 galaxies, .*\(2,\)"),
        ({"fractions": np.full((3, 2), np.nan)}, "fractions must be finite"),
        ({"basis": np.full((3, 2), np.inf)}, "basis must be finite"),
        ({"votes": np.array([0, -1, 0])}, "votes must be at least 0, is -1"),
    ],
)
def test_refuses_what_does_not_fit(one_question, changes, said):
    with pytest.raises(InvalidInputError, match=said):
        make_design(one_question(2), 3, **changes)


def test_only_the_allowed_are_asked_about_and_the_others_still_count(one_question):
    design = make_design(one_question(3), 12)
    allowed = np.arange(12) % 3 == 0
    chosen, gains = design.choose(9, max_votes=2, allowed=allowed)
    assert set(chosen) == set(np.flatnonzero(allowed))
    assert np.bincount(chosen).max() == 2
    alone = make_design(
        one_question(3), 4, basis=design.basis[allowed], fractions=design.fractions[allowed]
    )
    assert not np.isclose(gains[0], alone.choose(1)[1][0])


def test_allowed_must_be_of_every_galaxy(one_question):
    with pytest.raises(InvalidInputError, match=r"allowed must be \(5,\), is \(3,\)"):
        make_design(one_question(2), 5).choose(1, allowed=np.ones(3, dtype=bool))
