"""How far out in the tail of the predictive a galaxy's votes lie: p-values."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from mlcore.gp.mixture import SCATTER_POINTS
from mlcore.gp.outcomes import n_outcomes, vote_outcomes

if TYPE_CHECKING:
    from mlcore.gp.arrays import Floats, Ints
    from mlcore.gp.predictive import VotePredictive

# Up to this many ways for the votes to fall, tail probabilities are exact.
MAX_ENUMERATED = 2000
REPLICATES = 999
CHUNK_CELLS = 8_000_000
TIE = 1e-9


def tail_probabilities(
    counts: Floats, log_odds: Floats, predictive: VotePredictive, rng: np.random.Generator
) -> Floats:
    """Return the p-value (n,) of each galaxy's votes on one question.

    The total probability, if the label is right, of every way for the votes to fall whose
    log odds of a wrong label are at least the observed, ties included: it is discrete and
    errs to the large side. It is exact up to 2,000 ways; beyond, it comes from 999
    replicates with the add-one rule, and is never below 1/1,000. NaN without votes or
    without a prediction.

    Parameters
    ----------
    counts
        Votes (n, K).
    log_odds
        Posterior log odds (n,) that the votes are wrong.
    predictive
        The question's predictive for the n galaxies.
    rng
        For the replicates.
    """
    p_values = np.full(len(counts), np.nan)
    totals = counts.sum(axis=1).round().astype(np.int64)
    for n_votes in np.unique(totals[predictive.known & (totals > 0)]):
        rows = np.flatnonzero((totals == n_votes) & predictive.known)
        exact = n_outcomes(int(n_votes), counts.shape[1]) <= MAX_ENUMERATED
        width = n_outcomes(int(n_votes), counts.shape[1]) if exact else REPLICATES
        tail = _exact_tail if exact else _replicated_tail
        chunks = ceil(len(rows) * width * SCATTER_POINTS / CHUNK_CELLS)
        for some in np.array_split(rows, min(max(chunks, 1), len(rows))):
            p_values[some] = tail(int(n_votes), log_odds[some], predictive, some, rng)
    return p_values


def _exact_tail(
    n_votes: int,
    log_odds: Floats,
    predictive: VotePredictive,
    rows: Ints,
    _rng: np.random.Generator,
) -> Floats:
    outcomes = vote_outcomes(n_votes, predictive.log_chances.shape[1])
    terms = predictive.log_terms(outcomes, rows)
    stranger = (terms.wrong - terms.right).numpy() >= log_odds[:, None] - TIE
    tail: Floats = np.where(stranger, terms.clean.exp().numpy(), 0.0).sum(axis=1)
    return np.minimum(tail, 1.0)


def _replicated_tail(
    n_votes: int,
    log_odds: Floats,
    predictive: VotePredictive,
    rows: Ints,
    rng: np.random.Generator,
) -> Floats:
    replicates = predictive.sample_votes(n_votes, REPLICATES, rows, rng)
    odds = predictive.log_odds(replicates, rows)
    n_strange: Floats = (odds >= log_odds[:, None] - TIE).sum(axis=1).astype(np.float64)
    return (1.0 + n_strange) / (1.0 + REPLICATES)
