"""BALD on votes: what the draws of a galaxy disagree about.

A galaxy is worth asking about when the posterior's draws disagree about how its votes
will fall (Houlsby et al. 2011; Walmsley et al. 2020, MNRAS 491, 1554). As published it
does not count what votes cost, and takes the galaxies that score best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import entr, gammaln

from mlcore.errors import InvalidInputError
from mlcore.gp.acquisition.asked import sum_over_questions
from mlcore.gp.arrays import require_at_least
from mlcore.gp.outcomes import log_fractions, multinomial_mixture, n_outcomes, vote_outcomes

if TYPE_CHECKING:
    from mlcore.gp.acquisition.beliefs import Beliefs
    from mlcore.gp.arrays import Floats
    from mlcore.tree import DecisionTree

# Beyond this many ways for the votes to fall, the rarest answers are taken together.
MAX_OUTCOMES = 64


@dataclass(frozen=True)
class BaldRule:
    """Prefer galaxies whose votes say most about the model.

    Parameters
    ----------
    n_votes
        Votes a galaxy is expected to get on each question.
    n_draws
        Posterior draws.
    seed
        Of the draws.
    """

    n_votes: int = 5
    n_draws: int = 32
    seed: int = 0
    counts_votes: ClassVar[bool] = False

    def score(self, beliefs: Beliefs) -> Floats:
        """Return the information (m,) in nats."""
        draws = beliefs.draws(self.n_draws, self.seed)
        return tree_information(draws, beliefs.tree, self.n_votes)


def information_gain(draws: Floats, n_votes: int) -> Floats:
    """Return what `n_votes` votes on one question would tell, per galaxy, in nats.

    I = H[E_t p(k | rho_t, N)] - E_t H[p(k | rho_t, N)], with p the multinomial of N
    votes (binomial when K = 2) and the sum over every way k for the votes to fall.
    It is exact while there are at most 64 ways. Beyond, each galaxy's rarest answers
    are taken together as one, which by the data-processing inequality gives a lower
    bound (for N of 64 or more, the most probable answer against the rest). It is at
    most log T, so take more draws for many votes.

    Parameters
    ----------
    draws
        Posterior draws (T, m, K) of vote fractions, adding up to 1 over K.
    n_votes
        N, at least 0; 0 gives zeros.

    Raises
    ------
    InvalidInputError
        If `draws` is not finite, not (T, m, K) with T and K at least 1, or `n_votes`
        is below 0.
    """
    _require_draws(draws)
    require_at_least("n_votes", n_votes, 0)
    if n_votes == 0 or draws.shape[1] == 0:
        return np.zeros(draws.shape[1])
    merged = _merge_rare_answers(draws, _affordable_answers(n_votes, draws.shape[2]))
    outcomes = vote_outcomes(n_votes, merged.shape[2])
    predictive = multinomial_mixture(outcomes, merged)
    gain: Floats = entr(predictive).sum(axis=1) - _multinomial_entropy(merged, n_votes).mean(axis=0)
    return np.maximum(gain, 0.0)


def tree_information(draws: Floats, tree: DecisionTree, n_votes: int) -> Floats:
    """Return the information (m,) of `n_votes` volunteers walking the tree, in nats.

    The information of each question (that of `n_votes` votes on it), weighted by the
    probability that the question is asked, and summed.

    Parameters
    ----------
    draws
        Posterior draws (T, m, A) of vote fractions.
    tree
        The decision tree of the A answers.
    n_votes
        Volunteers to be asked.

    Raises
    ------
    InvalidInputError
        If the draws do not fit the tree or are not finite.
    """
    if draws.ndim != 3 or draws.shape[2] != len(tree.label_cols):
        raise InvalidInputError(f"draws must be (T, m, {len(tree.label_cols)}), is {draws.shape}")
    slices = tree.question_slices.values()
    scores = [information_gain(draws[:, :, columns], n_votes) for columns in slices]
    return sum_over_questions(scores, draws, tree)


def _require_draws(draws: Floats) -> None:
    if draws.ndim != 3 or draws.shape[0] == 0 or draws.shape[2] == 0:
        raise InvalidInputError(f"draws must be (T, m, K) and not empty, is {draws.shape}")
    if not np.isfinite(draws).all():
        raise InvalidInputError("draws must be finite, but some are not")


def _affordable_answers(n_votes: int, n_answers: int) -> int:
    affordable = [k for k in range(2, n_answers + 1) if n_outcomes(n_votes, k) <= MAX_OUTCOMES]
    return max([min(2, n_answers), *affordable])


def _merge_rare_answers(draws: Floats, n_answers: int) -> Floats:
    """Return draws (T, m, n_answers), the rarest answers of each galaxy taken together."""
    if draws.shape[2] <= n_answers:
        return draws
    order = np.argsort(-draws.mean(axis=0), axis=-1)
    ordered = np.take_along_axis(draws, order[None], axis=-1)
    rest = ordered[..., n_answers - 1 :].sum(axis=-1, keepdims=True)
    return np.concatenate([ordered[..., : n_answers - 1], rest], axis=-1)


def _multinomial_entropy(draws: Floats, n_votes: int) -> Floats:
    """Return the entropy (T, m) of N votes for each draw, exactly.

    H = -log N! - N sum_a p_a log p_a + sum_a E[log k_a!], where k_a is binomial: a sum
    over N + 1 counts per answer instead of over all outcomes.
    """
    counts = np.arange(n_votes + 1)
    log_choose = gammaln(n_votes + 1.0) - gammaln(counts + 1.0) - gammaln(n_votes - counts + 1.0)
    yes, no = log_fractions(draws), log_fractions(1.0 - draws)
    expected = np.zeros(draws.shape)
    for count in counts[2:]:
        weight = np.exp(log_choose[count] + count * yes + (n_votes - count) * no)
        expected += weight * gammaln(count + 1.0)
    entropy: Floats = (n_votes * entr(draws) + expected).sum(axis=-1) - gammaln(n_votes + 1.0)
    return entropy
