from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import dirichlet_multinomial, multinomial

from mlcore.gp.mixture import (
    TINY,
    fit_mixture,
    log_dirichlet_multinomial,
    scatter_points,
    starting_mixture,
)
from mlcore.gp.outcomes import vote_outcomes

SWAPS = np.array([[0.0, 0.7, 0.3], [0.4, 0.0, 0.6], [0.5, 0.5, 0.0]])
BASE = np.array([0.5, 0.3, 0.2])


def sigmoid(value):
    return 1.0 / (1.0 + np.exp(-value))


def graded_by_hand(k, g, mixture):
    """Return the probability of the votes (K,) on a galaxy of several classes at once."""
    profiles, total = mixture.log_profiles.exp().numpy(), 0.0
    points = scatter_points(len(g)).numpy()
    for point in points:
        shares = [g[z] * np.exp(np.exp(mixture.log_scatter.item()) * point[z]) for z in range(3)]
        fractions = [
            sum(shares[z] * profiles[z, y] for z in range(3)) / sum(shares) for y in range(3)
        ]
        total += multinomial.pmf(k, sum(k), fractions)
    return total / len(points)


def by_hand(counts, g, mixture):
    """Return the terms of one galaxy's votes (K,) by the formulas, in plain loops."""
    k, classes = [int(count) for count in counts], range(len(g))
    profiles = mixture.log_profiles.exp().numpy() * np.exp(mixture.log_agreement.item())
    w, u, rate = (sigmoid(getattr(mixture, n).item()) for n in ("sharp", "careless", "rate"))
    of_class = [dirichlet_multinomial.pmf(k, profiles[z], sum(k)) for z in classes]
    clean = w * sum(g[z] * of_class[z] for z in classes)
    clean += (1 - w) * graded_by_hand(k, g, mixture)
    swaps = mixture.log_swaps.exp().numpy()
    swapped = sum(g[z] * swaps[z, y] * of_class[y] for z in classes for y in classes)
    blind = u * dirichlet_multinomial.pmf(k, np.ones(len(g)), sum(k))
    leading = sum(g[z] for z in classes if k[z] == max(k))
    wrong = rate * ((1 - u) * swapped + blind * (1 - leading))
    return clean, (1 - rate) * clean + rate * blind * leading, wrong


def test_the_terms_are_those_of_the_formulas():
    mixture = starting_mixture(1, BASE, SWAPS, certain=False)
    g = np.array([[0.6, 0.3, 0.1], [0.05, 0.15, 0.8]])
    ways = vote_outcomes(5, 3)
    terms = mixture.log_terms(torch.from_numpy(ways * 1.0)[None], torch.log(torch.from_numpy(g)))
    for galaxy, chances in enumerate(g):
        for place, votes in enumerate(ways):
            expected = by_hand(votes, chances, mixture)
            found = [float(each[galaxy, place].exp()) for each in terms]
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=TINY)


def test_right_and_wrong_votes_together_are_all_there_are():
    mixture = starting_mixture(2, BASE, SWAPS, certain=False)
    chances = mixture.log_chances(torch.log(torch.rand(2, 7, 3, dtype=torch.float64)))
    ways = torch.from_numpy(vote_outcomes(6, 3) * 1.0)[None]
    terms = mixture.log_terms(ways, chances)
    whole = (terms.right.exp() + terms.wrong.exp()).sum(dim=1)
    np.testing.assert_allclose(whole, 1.0, atol=1e-9)


def test_the_pool_multiplies_powers_of_what_the_models_say():
    mixture = starting_mixture(2, BASE, SWAPS, certain=False)
    said = np.array([[[0.7, 0.2, 0.1]], [[0.3, 0.6, 0.1]]])
    pooled = np.sqrt(said[0] * said[1])
    found = mixture.log_chances(torch.log(torch.from_numpy(said))).exp()
    np.testing.assert_allclose(found, pooled / pooled.sum())


def test_of_one_class_none_can_be_swapped():
    mixture = starting_mixture(1, np.ones(1), np.ones((1, 1)), certain=True)
    counts = np.full((30, 1), 4.0)
    fitted = fit_mixture(mixture, counts, np.zeros((1, 30, 1)), certain=True)
    assert np.isfinite(fitted.mislabel_rate)


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_the_rate_and_the_swaps_are_recovered(share):
    rng = np.random.default_rng(3)
    truth = rng.integers(3, size=4000)
    wrong = rng.random(4000) < share
    seen = np.where(wrong, (truth + 1) % 3, truth)
    counts = rng.multinomial(8, 0.8 * np.eye(3)[seen] + 0.2 / 3).astype(float)
    g = np.full((4000, 3), 0.01)
    g[np.arange(4000), truth] = 0.98
    start = starting_mixture(1, np.full(3, 1 / 3), (1 - np.eye(3)) / 2, certain=False)
    found = fit_mixture(start, counts, np.log(g)[None], certain=False)
    # A model that is 98% sure and always right cannot be told from one that is sharper yet.
    assert found.mislabel_rate == pytest.approx(share, rel=0.4)
    onward = [float(found.log_swaps[z, (z + 1) % 3].exp()) for z in range(3)]
    assert min(onward) > 0.6


@pytest.mark.parametrize("votes", [0, 1, 7])
def test_the_dirichlet_multinomial_is_right(votes):
    alpha, ways = np.array([0.4, 3.0, 1.7]), vote_outcomes(votes, 3)
    found = log_dirichlet_multinomial(torch.from_numpy(ways * 1.0), torch.from_numpy(alpha)).exp()
    expected = [dirichlet_multinomial.pmf([int(k) for k in way], alpha, votes) for way in ways]
    np.testing.assert_allclose(found, expected)
    sharp = log_dirichlet_multinomial(
        torch.from_numpy(ways * 1.0), torch.from_numpy(1e7 * alpha / alpha.sum())
    ).exp()
    np.testing.assert_allclose(sharp, multinomial.pmf(ways, votes, alpha / alpha.sum()), rtol=1e-3)


def test_the_points_are_normal():
    points = scatter_points(3).numpy()
    np.testing.assert_allclose(points.mean(axis=0), 0.0, atol=0.03)
    np.testing.assert_allclose(np.cov(points.T), np.eye(3), atol=0.15)


def test_on_graded_galaxies_people_agree_where_the_models_are_sure():
    mixture = replace(
        starting_mixture(1, BASE, SWAPS, certain=False),
        sharp=torch.tensor([-20.0], dtype=torch.float64),
        log_profiles=torch.log(torch.eye(3, dtype=torch.float64) + 1e-9),
    )
    g = np.array([[0.6, 0.4 - 1e-6, 1e-6], [0.99, 0.01 - 1e-6, 1e-6]])
    against = torch.tensor([[[1.0, 4.0, 0.0]]], dtype=torch.float64)
    doubtful, sure = mixture.log_terms(against, torch.log(torch.from_numpy(g))).clean.exp()[:, 0]
    assert doubtful > 0.1
    assert sure < 0.001
