"""The closed form against determinants, and against every way that votes can fall."""

from itertools import product
from math import factorial, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import entr, softmax
from scipy.stats import norm, qmc, spearmanr

from mlcore.errors import InvalidInputError
from mlcore.gp.acquisition import Beliefs, InformationRule, gaussian_information, taught

WALKERS = 3


def some_beliefs(tree, m=4, *, seed=0, scatter=0.3, promised=0, wide=1.5):
    rng = np.random.default_rng(seed)
    shape = (m, len(tree.label_cols))
    return Beliefs(
        tree,
        mean=rng.standard_normal(shape),
        variance=rng.uniform(0.02, wide, shape),
        scatter=np.full(shape, scatter),
        promised=np.full(m, promised),
    )


@given(st.integers(0, 99), st.integers(2, 6), st.floats(0.0, 40.0))
@settings(max_examples=30, deadline=None)
def test_a_question_tells_half_the_log_determinant(seed, k, n_votes):
    rng = np.random.default_rng(seed)
    fractions, variance = rng.dirichlet(np.ones(k), 3), rng.uniform(0.0, 3.0, (3, k))
    fisher = np.stack([np.diag(p) - np.outer(p, p) for p in fractions])
    inner = np.eye(k) + n_votes * variance[:, :, None] * fisher
    expected = 0.5 * np.linalg.slogdet(inner)[1]
    found = gaussian_information(fractions, variance, n_votes)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@given(st.integers(0, 99), st.integers(2, 5))
@settings(max_examples=30, deadline=None)
def test_it_is_what_the_determinants_say_of_votes_on_a_scattered_galaxy(seed, k):
    """I(y; f) for y = f + scatter + noise is a difference of two Gaussian entropies."""
    rng = np.random.default_rng(seed)
    p, smooth, own = rng.dirichlet(np.ones(k)), rng.uniform(0.1, 2, k), rng.uniform(0.1, 1, k)
    # Votes say nothing of a shift of all log-fractions: leave that direction out.
    basis = np.linalg.svd(np.ones((1, k)))[2][1:]
    root = np.linalg.cholesky(np.linalg.inv(basis @ (np.diag(p) - np.outer(p, p)) @ basis.T) / 7.0)
    noise = root @ root.T
    seen = basis @ np.diag(smooth + own) @ basis.T + noise
    known = basis @ np.diag(own) @ basis.T + noise
    expected = 0.5 * (np.linalg.slogdet(seen)[1] - np.linalg.slogdet(known)[1])
    found = gaussian_information(p[None], (smooth + own)[None], 7) - gaussian_information(
        p[None], own[None], 7
    )
    assert found[0] == pytest.approx(expected, abs=1e-6)


def walks(tree, question=None):
    """Every path through the tree, as lists of label columns."""
    by_slug = {each.slug: each for each in tree.questions}
    slug = question or tree.start
    found = []
    for answer in by_slug[slug].answers:
        rest = walks(tree, answer.next) if answer.next else [[]]
        found += [[f"{slug}_{answer.slug}", *tail] for tail in rest]
    return found


def spread_normals(n, width, seed):
    """Normal numbers (n, width) that cover the space more evenly than chance does."""
    return norm.ppf(qmc.Sobol(width, seed=seed).random(n))


def drawn_fractions(beliefs, row, n_draws, n_own):
    """Draw each question's function on its own, as the posteriors are independent."""
    tree = beliefs.tree
    smooth = spread_normals(n_draws, len(tree.label_cols), 5)
    own = spread_normals(n_own, len(tree.label_cols), 6)
    f = beliefs.mean[row] + np.sqrt(beliefs.variance[row]) * smooth
    g = f[:, None] + np.sqrt(beliefs.scatter[row]) * own
    first, second = (softmax(g[..., part], axis=-1) for part in tree.question_slices.values())
    every_pair = [np.repeat(first, n_draws, axis=0), np.tile(second, (n_draws, 1, 1))]
    return np.concatenate(every_pair, axis=2)


def enumerated(beliefs, n_walkers, n_draws=64, n_own=16):
    """I(walks; smooth function), from every way in which n walkers can take the paths.

    The galaxy's own scatter is averaged out within each draw of the function.
    """
    paths = walks(beliefs.tree)
    columns = {name: place for place, name in enumerate(beliefs.tree.label_cols)}
    ways = [w for w in product(range(n_walkers + 1), repeat=len(paths)) if sum(w) == n_walkers]
    coefficients = [factorial(n_walkers) / prod(factorial(k) for k in way) for way in ways]
    told = []
    for row in range(len(beliefs)):
        drawn = drawn_fractions(beliefs, row, n_draws, n_own)
        steps = [[columns[column] for column in path] for path in paths]
        chance = np.stack([drawn[..., places].prod(axis=-1) for places in steps], axis=-1)
        p = (coefficients * np.exp(np.log(chance) @ np.array(ways).T)).mean(axis=1)
        told.append(entr(p.mean(axis=0)).sum() - entr(p).sum(axis=1).mean())
    return np.array(told)


@pytest.mark.parametrize("scatter", [0.0, 0.5])
def test_it_orders_galaxies_as_every_outcome_of_every_walk_does(scatter, branching_tree):
    beliefs = some_beliefs(branching_tree, 40, scatter=scatter)
    found, exact = taught(beliefs, WALKERS), enumerated(beliefs, WALKERS)
    assert spearmanr(found, exact)[0] > 0.95
    assert 1.0 < found.mean() / exact.mean() < 1.35


def test_more_votes_teach_more_but_each_less(branching_tree):
    beliefs = some_beliefs(branching_tree, 30)
    told = np.stack([taught(beliefs, n) for n in range(30)])
    steps = np.diff(told, axis=0)
    assert (told[0] == 0).all()
    assert (steps > 0).all()
    assert (np.diff(steps, axis=0) <= 1e-12).all()


def test_a_galaxy_that_is_its_own_kind_teaches_less_the_more_so(branching_tree):
    plain, odd = (some_beliefs(branching_tree, scatter=each) for each in (0.0, 2.0))
    assert (taught(odd, 5) < 0.7 * taught(plain, 5)).all()


def test_votes_are_worth_what_they_add_to_those_promised(branching_tree):
    rule = InformationRule(n_votes=4)
    promised = some_beliefs(branching_tree, promised=6)
    expected = (taught(promised, 10) - taught(promised, 6)) / 4
    np.testing.assert_allclose(rule.score(promised), expected)
    assert (rule.score(promised) < rule.score(some_beliefs(branching_tree))).all()


def test_one_promised_and_one_more_are_worth_two_of_which_one_is_known(branching_tree):
    """The chain rule, by enumeration: what is left of two votes once one is in."""
    beliefs = some_beliefs(branching_tree, 12, scatter=0.0)
    exact = enumerated(beliefs, 2) - enumerated(beliefs, 1)
    one_in = some_beliefs(branching_tree, 12, scatter=0.0, promised=1)
    found = InformationRule(n_votes=1).score(one_in)
    assert spearmanr(found, exact)[0] > 0.9
    np.testing.assert_allclose(found, exact, atol=0.08)


def test_what_is_known_teaches_nothing(branching_tree):
    sure = some_beliefs(branching_tree)
    sure = Beliefs(branching_tree, sure.mean, 0 * sure.variance, sure.scatter, sure.promised)
    np.testing.assert_allclose(InformationRule(5).score(sure), 0.0, atol=1e-12)


def test_no_votes_make_no_rule():
    with pytest.raises(InvalidInputError, match="n_votes must be at least 1, is 0"):
        InformationRule(0)
