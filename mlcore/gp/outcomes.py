"""All the ways in which n votes can fall on K answers, and how likely each is."""

from __future__ import annotations

from functools import lru_cache
from math import comb

import numpy as np
from scipy.special import gammaln

from mlcore.gp.arrays import Floats, Ints, require_at_least

SMALLEST_FRACTION = 1e-12


def n_outcomes(n_votes: int, n_answers: int) -> int:
    """Return how many vote counts of `n_answers` answers add up to `n_votes`."""
    return comb(n_votes + n_answers - 1, n_answers - 1)


@lru_cache(maxsize=64)
def vote_outcomes(n_votes: int, n_answers: int) -> Ints:
    """Return every composition of `n_votes` into `n_answers` counts, read-only.

    Returns
    -------
    array (O, K)
        O = C(n + K - 1, K - 1) rows, each adding up to `n_votes`, in
        lexicographic order. Zero votes have one outcome, of zeros.

    Raises
    ------
    InvalidInputError
        If `n_votes` is below 0 or `n_answers` below 1.
    """
    require_at_least("n_votes", n_votes, 0)
    require_at_least("n_answers", n_answers, 1)
    if n_answers == 1:
        outcomes = np.array([[n_votes]], dtype=np.int64)
    else:
        outcomes = np.concatenate(
            [_with_first(first, n_votes - first, n_answers - 1) for first in range(n_votes + 1)]
        )
    outcomes.flags.writeable = False
    return outcomes


def _with_first(first: int, rest: int, n_answers: int) -> Ints:
    tail = vote_outcomes(rest, n_answers)
    return np.column_stack([np.full(len(tail), first, dtype=np.int64), tail])


def log_multinomial_coefficient(counts: Floats | Ints) -> Floats:
    """Return log(n! / (k_1! ... k_K!)) for counts (..., K)."""
    logs: Floats = gammaln(counts.sum(axis=-1) + 1.0) - gammaln(counts + 1.0).sum(axis=-1)
    return logs


def log_fractions(fractions: Floats) -> Floats:
    """Return log fractions, bounded below so that 0 votes times log 0 is 0."""
    logs: Floats = np.log(np.maximum(fractions, SMALLEST_FRACTION))
    return logs


def multinomial_mixture(outcomes: Ints, draws: Floats) -> Floats:
    """Return the probability of vote counts, averaged over posterior draws.

    Parameters
    ----------
    outcomes
        Vote counts (O, K).
    draws
        Vote fractions (T, m, K).

    Returns
    -------
    array (m, O)
        mean_t Multinomial(k | rho_t); 0 where it is below the smallest float64.
    """
    logs = log_fractions(draws) @ outcomes.T.astype(np.float64)
    logs += log_multinomial_coefficient(outcomes)
    mixture: Floats = np.exp(logs, out=logs).mean(axis=0)
    return mixture
