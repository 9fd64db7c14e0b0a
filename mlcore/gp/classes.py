"""Galaxies of a few classes, each with its own typical votes, as models see them.

A latent class per answer: galaxies of class z get votes from a Dirichlet-multinomial
whose mean, the *profile* of z, is learned from the votes, so that three volunteers who
err one time in eight are understood as such (Dawid & Skene 1979, with one profile for
all volunteers). What the models say of galaxy i, as mean fractions m_s (s = CNN, GP),
is pooled and calibrated into the chance of each class,

    q_iz  proportional to  prod_s m_isz ^ t_s

(a logarithmic opinion pool; Genest & Zidek 1986). The powers t_s, the profiles and the
share of galaxies with wrong labels are fitted to the votes. A wrong label is the votes
of another class,

    p(k | wrong) = sum_z q_iz sum_{z' != z} T_zz' p(k | z'),

half the time any (as the classes share the survey), half the time one that looks like
it (as the models confuse the two).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logsumexp

from mlcore.gp.outcomes import log_dirichlet_multinomial, log_fractions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlcore.gp.arrays import Floats, Ints

POWERS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.4, 2.0, 3.0, 4.0)
TOTALS = np.exp(np.linspace(0.0, 5.0, 8))
START_AGREEMENT = 0.8
START_TOTAL = 20.0
START_RATE = 0.02
MAX_RATE = 0.1
# The prior on the share of wrong labels: one wrong among a hundred galaxies.
PRIOR_WRONG, PRIOR_GALAXIES = 1.0, 100.0
ROUNDS = 4
RATE_STEPS = 8
PROFILE_STEPS = 3
SMALLEST_CHANCE = 1e-12


@dataclass(frozen=True)
class VoteClasses:
    """The classes of one question: their votes, and how to tell them from the models.

    Parameters
    ----------
    concentrations
        Dirichlet concentrations (K, K): row z is how class z is voted on.
    swaps
        T (K, K): the chance of each wrong class z', given the true class z; rows add up to 1.
    powers
        Power of each of the S models in the pool.
    mislabel_rate
        Share of galaxies whose votes are those of another class.
    """

    concentrations: Floats
    swaps: Floats
    powers: tuple[float, ...]
    mislabel_rate: float

    def chances(self, log_means: Sequence[Floats]) -> Floats:
        """Return the chance (n, K) of each class, from log mean fractions S times (n, K)."""
        pooled = sum(
            (power * logs for power, logs in zip(self.powers, log_means, strict=True)),
            np.zeros_like(log_means[0]),
        )
        chances: Floats = np.exp(pooled - logsumexp(pooled, axis=1, keepdims=True))
        return chances

    def swapped(self, chances: Floats) -> Floats:
        """Return the chance (n, K) of each class as the wrong label, given the true one's."""
        swapped: Floats = chances @ self.swaps
        return swapped

    def log_votes(self, outcomes: Floats | Ints) -> Floats:
        """Return log p(k | z) (O, K) of vote counts (O, K) under each class."""
        logs: Floats = log_dirichlet_multinomial(outcomes, self.concentrations).T
        return logs


def starting_classes(base: Floats, n_models: int) -> VoteClasses:
    """Return classes for a survey too small to learn from: four votes in five agree.

    Parameters
    ----------
    base
        The survey's vote fractions (K,), by which the disagreeing votes fall.
    n_models
        S, pooled evenly.
    """
    profiles = START_AGREEMENT * np.eye(len(base)) + (1.0 - START_AGREEMENT) * base
    even = (1.0 / max(n_models, 1),) * n_models
    return VoteClasses(START_TOTAL * profiles, _other_classes(base), even, START_RATE)


def fit_classes(counts: Floats, log_means: Sequence[Floats], base: Floats) -> VoteClasses:
    """Fit the classes of one question to its votes.

    Rounds of: the best powers on a grid, each with its rate of wrong labels; then
    expectation-maximisation of the profiles and their common concentration.

    Parameters
    ----------
    counts
        Votes (n, K), every row with some.
    log_means
        Log mean fractions (n, K) of each model that has not seen them, at least one.
    base
        The survey's vote fractions (K,).
    """
    classes = starting_classes(base, len(log_means))
    alike = classes.chances(log_means)
    classes = replace(classes, swaps=0.5 * (classes.swaps + _lookalikes(alike)))
    for _ in range(ROUNDS):
        classes = _best_powers(classes, counts, log_means)
        chances = classes.chances(log_means)
        rate = classes.mislabel_rate
        labels = (1.0 - rate) * chances + rate * classes.swapped(chances)
        classes = _best_profiles(classes, counts, np.log(labels + SMALLEST_CHANCE), base)
    return classes


def fit_mislabel_rate(clean: Floats, wrong: Floats, start: float, steps: int) -> float:
    """Return the most probable share of wrong labels, by expectation-maximisation.

    Parameters
    ----------
    clean, wrong
        Log probability (n,) of each galaxy's votes if its label is right, or wrong.
    start
        Where to begin, above 0 and below 1.
    steps
        How many steps to take.

    Notes
    -----
    The prior, Beta(2, 100), has its mode at one in a hundred; the share is at most 0.1.
    """
    rate = start
    for _ in range(steps):
        blame = expit(wrong - clean + np.log(rate) - np.log1p(-rate)).sum()
        rate = min((float(blame) + PRIOR_WRONG) / (len(clean) + PRIOR_GALAXIES), MAX_RATE)
    return rate


def mixed(logs: Floats, chances: Floats) -> Floats:
    """Return log sum_z chances (n, K) * exp(logs) (n, K), one number (n,) per galaxy."""
    found: Floats = logsumexp(logs + np.log(chances + SMALLEST_CHANCE), axis=1)
    return found


def _best_powers(classes: VoteClasses, counts: Floats, log_means: Sequence[Floats]) -> VoteClasses:
    logs = classes.log_votes(counts)
    best, best_merit = classes, -np.inf
    for powers in product(POWERS, repeat=len(log_means)):
        tried = replace(classes, powers=powers)
        chances = tried.chances(log_means)
        clean, wrong = mixed(logs, chances), mixed(logs, tried.swapped(chances))
        rate = fit_mislabel_rate(clean, wrong, classes.mislabel_rate, RATE_STEPS)
        merit = float(np.logaddexp(clean + np.log1p(-rate), wrong + np.log(rate)).sum())
        if merit > best_merit:
            best, best_merit = replace(tried, mislabel_rate=rate), merit
    return best


def _best_profiles(
    classes: VoteClasses, counts: Floats, log_labels: Floats, base: Floats
) -> VoteClasses:
    """Return the classes with the profiles, concentration and shares that fit the votes."""
    for _ in range(PROFILE_STEPS):
        joint = classes.log_votes(counts) + log_labels
        blame = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        votes = blame.T @ counts + 2.0 * base + 2.0 * np.eye(len(base))
        profiles = votes / votes.sum(axis=1, keepdims=True)
        total = classes.concentrations.sum(axis=1, keepdims=True)
        classes = replace(classes, concentrations=total * profiles)
    options = [replace(classes, concentrations=total * profiles) for total in TOTALS]
    fits = [logsumexp(each.log_votes(counts) + log_labels, axis=1).sum() for each in options]
    return options[int(np.argmax(fits))]


def _other_classes(shares: Floats) -> Floats:
    """Return the chance (K, K) of each other class, in proportion to its share (K,)."""
    return _without_itself(np.tile(shares, (len(shares), 1)))


def _lookalikes(chances: Floats) -> Floats:
    """Return the chance (K, K) of each other class, by how often both are likely (n, K)."""
    return _without_itself(chances.T @ chances + SMALLEST_CHANCE)


def _without_itself(chances: Floats) -> Floats:
    """Return rows (K, K) that add up to 1, with nothing on the diagonal unless K is 1."""
    if len(chances) == 1:
        return np.ones((1, 1))
    others = chances * (1.0 - np.eye(len(chances)))
    swaps: Floats = others / others.sum(axis=1, keepdims=True)
    return swaps


def log_means(concentrations: Floats, fallback: Floats) -> Floats:
    """Return log mean fractions (n, K) of concentrations (n, K); the fallback's for NaN rows."""
    known = np.isfinite(concentrations).all(axis=1, keepdims=True)
    filled = np.where(known, concentrations, fallback)
    return log_fractions(filled / filled.sum(axis=1, keepdims=True))
