"""Which galaxies to ask volunteers about next, and how many votes to ask for.

A galaxy is worth asking about when the posterior's draws disagree about how its
votes will fall: BALD on votes (Houlsby et al. 2011; Walmsley et al. 2020, MNRAS
491, 1554). A batch must also be diverse, because the best galaxies one by one are
often the same galaxy over and over (Kulesza & Taskar 2012 on determinantal choice;
Chen et al. 2018 for its greedy form). Everything is numpy: it knows nothing of the
model but its draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import entr, gammaln

from mlcore.errors import InvalidInputError
from mlcore.gp.arrays import Floats, Ints, require_at_least
from mlcore.gp.outcomes import log_fractions, multinomial_mixture, n_outcomes, vote_outcomes
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mlcore.tree import DecisionTree

# Beyond this many ways for the votes to fall, the rarest answers are taken together.
MAX_OUTCOMES = 64
# A galaxy whose latent is this nearly known from those already chosen adds nothing.
KNOWN = 1e-9


class FractionSampler(Protocol):
    """Anything that draws vote fractions for galaxies, as VoteGP does."""

    def iterate_fractions(
        self, features: npt.ArrayLike, n_draws: int, seed: int
    ) -> Iterator[tuple[slice, Floats]]:
        """Yield (rows, draws (T, chunk, A))."""


class AcquisitionRule(Protocol):
    """A rule that scores galaxies: the higher, the sooner it is asked about."""

    def score(self, draws: Floats, tree: DecisionTree) -> Floats:
        """Return scores (m,) for posterior draws (T, m, A) of vote fractions."""


@dataclass
class RandomRule:
    """Every galaxy is as good as any other: the control.

    Parameters
    ----------
    seed
        Of the generator, which moves on with every call.
    """

    seed: int

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def score(self, draws: Floats, tree: DecisionTree) -> Floats:  # noqa: ARG002 - blind on purpose
        """Return uniform numbers (m,)."""
        return self._rng.random((draws.shape[1],))


@dataclass(frozen=True)
class EntropyRule:
    """Prefer galaxies whose next vote is the least certain, whatever the cause."""

    def score(self, draws: Floats, tree: DecisionTree) -> Floats:
        """Return the entropy (m,) in nats of one vote, summed over questions asked."""
        return _weigh(draws, tree, lambda part: entr(part.mean(axis=0)).sum(axis=-1))


@dataclass(frozen=True)
class InformationRule:
    """Prefer galaxies whose votes say most about the model: BALD on votes.

    Parameters
    ----------
    n_votes
        Votes a galaxy is expected to get on each question.
    """

    n_votes: int = 5

    def score(self, draws: Floats, tree: DecisionTree) -> Floats:
        """Return the information (m,) in nats."""
        return tree_information(draws, tree, self.n_votes)


def score_candidates(
    sampler: FractionSampler,
    features: Floats,
    tree: DecisionTree,
    rule: AcquisitionRule,
    *,
    n_draws: int = 32,
    seed: int,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Floats:
    """Return scores (m,) of candidates with features (m, d), in bounded memory.

    Raises
    ------
    CancelledError
        If `should_stop` says so between two chunks.
    """
    scores = np.empty(len(features))
    for rows, draws in sampler.iterate_fractions(features, n_draws, seed):
        stop_if_asked(should_stop, "scoring candidates")
        scores[rows] = rule.score(draws, tree)
        report(on_progress, "acquire", rows.stop / len(features), f"{rows.stop:,} galaxies scored")
    return scores


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
    return _weigh(draws, tree, lambda part: information_gain(part, n_votes))


def asked_probability(fractions: Floats, tree: DecisionTree) -> Floats:
    """Return the probability (..., Q) that each question is asked, from fractions (..., A).

    The sum, over the answers that lead to a question, of the probability that the
    answer's own question is asked times the answer's fraction. The start has 1.
    """
    columns = {column: place for place, column in enumerate(tree.label_cols)}
    asked: dict[str, Floats] = {}
    for question in tree.questions:
        parents = tree.parents(question.slug)
        asked[question.slug] = (
            sum((asked[q] * fractions[..., columns[f"{q}_{a}"]] for q, a in parents), np.zeros(()))
            if parents
            else np.ones(fractions.shape[:-1])
        )
    return np.stack([asked[question.slug] for question in tree.questions], axis=-1)


def select_batch(
    scores: npt.ArrayLike,
    covariance: npt.ArrayLike,
    batch_size: int,
    *,
    pending: Sequence[int] = (),
) -> tuple[Ints, Floats]:
    """Choose a batch that is informative and diverse, greedily.

    The gain of galaxy i is its score times the share of its latent variance that the
    galaxies already chosen or pending leave unexplained: Var[f_i | f_chosen] / Var[f_i].
    Taking the largest gain each time is the greedy maximum of the determinantal point
    process with kernel sqrt(s_i s_j) Corr(f_i, f_j), by an incremental Cholesky
    factor, in O(batch^2 m). A near-duplicate of a chosen galaxy gains nothing.

    Parameters
    ----------
    scores
        Acquisition scores (m,), at least 0, e.g. information in nats.
    covariance
        Posterior covariance (m, m) of the galaxies' latents, as `VoteGP.covariance` gives.
    batch_size
        How many to choose; fewer are returned when the rest gain nothing.
    pending
        Indices of galaxies already out with volunteers: conditioned on, never chosen.

    Returns
    -------
    chosen, gains
        Indices (b,) in order of choice, and the gain (b,) of each when it was chosen;
        gains never rise.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit, a score is negative or NaN, or the covariance is not
        finite with a diagonal above 0.
    """
    quality = np.asarray(scores, dtype=np.float64)
    kernel = _correlation(np.asarray(covariance, dtype=np.float64), quality)
    require_at_least("batch_size", batch_size, 0)
    limit = min(len(quality), len(pending) + batch_size)
    state = _Conditioning(kernel, np.ones(len(quality)), np.empty((limit, len(quality))))
    for index in dict.fromkeys(pending):
        state.condition_on(index)
    open_galaxies = quality > 0
    open_galaxies[list(pending)] = False
    chosen: list[int] = []
    gains: list[float] = []
    while len(chosen) < batch_size:
        gain = np.where(open_galaxies, quality * state.remaining, 0.0)
        best = int(gain.argmax()) if len(gain) else 0
        if not len(gain) or gain[best] <= KNOWN * quality[best]:
            break
        chosen.append(best)
        gains.append(float(gain[best]))
        open_galaxies[best] = False
        state.condition_on(best)
    return np.array(chosen, dtype=np.int64), np.array(gains)


def votes_wanted(
    draws: Floats,
    tree: DecisionTree,
    *,
    min_votes: int = 3,
    max_votes: int = 40,
    price: float = 0.02,
) -> Ints:
    """Return how many votes (m,) to ask of each galaxy.

    Votes are added while the next one is expected to tell at least `price` nats. The
    information is computed at a dozen numbers of votes between the two limits, and the
    gain per vote taken as even in between.

    Parameters
    ----------
    draws
        Posterior draws (T, m, A) of vote fractions.
    tree
        The decision tree.
    min_votes, max_votes
        Limits, both included; at least 1.
    price
        What one vote must tell, in nats, above 0.

    Raises
    ------
    InvalidInputError
        If the limits are not in order or the price is not above 0.
    """
    require_at_least("min_votes", min_votes, 1)
    require_at_least("max_votes", max_votes, min_votes)
    if not price > 0:
        raise InvalidInputError(f"price must be above 0, is {price}")
    steps = np.unique(np.geomspace(min_votes, max_votes, 12).round().astype(np.int64))
    told = np.stack([tree_information(draws, tree, int(n)) for n in steps])
    per_vote = np.diff(told, axis=0) / np.diff(steps)[:, None]
    worth = np.logical_and.accumulate(per_vote >= price, axis=0).sum(axis=0)
    wanted: Ints = steps[worth]
    return wanted


@dataclass
class _Conditioning:
    """What is left of each galaxy's variance, as galaxies become known one by one."""

    kernel: Floats
    remaining: Floats
    factors: Floats
    known: int = 0

    def condition_on(self, index: int) -> None:
        if self.remaining[index] <= KNOWN:
            return
        seen = self.factors[: self.known]
        column = self.kernel[index] - seen.T @ seen[:, index]
        factor = column / np.sqrt(self.remaining[index])
        self.factors[self.known] = factor
        self.known += 1
        self.remaining = np.maximum(self.remaining - factor**2, 0.0)
        self.remaining[index] = 0.0


def _correlation(covariance: Floats, quality: Floats) -> Floats:
    n_galaxies = len(quality)
    if quality.ndim != 1 or covariance.shape != (n_galaxies, n_galaxies):
        raise InvalidInputError(
            f"covariance must be ({n_galaxies}, {n_galaxies}), is {covariance.shape}"
        )
    if not (np.isfinite(quality).all() and (quality >= 0).all()):
        raise InvalidInputError("scores must be finite and at least 0, but some are not")
    variance = np.diag(covariance)
    if not np.isfinite(covariance).all() or (variance <= 0).any():
        raise InvalidInputError("covariance must be finite with a diagonal above 0, but is not")
    spread = np.sqrt(variance)
    return covariance / spread[:, None] / spread


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


def _weigh(draws: Floats, tree: DecisionTree, score: Callable[[Floats], Floats]) -> Floats:
    """Sum a question's score (m,) over questions, weighted by P(asked)."""
    _require_draws(draws)
    if draws.shape[2] != len(tree.label_cols):
        raise InvalidInputError(
            f"draws must have {len(tree.label_cols)} answers, has {draws.shape[2]}"
        )
    asked = asked_probability(draws, tree).mean(axis=0)
    total = np.zeros(draws.shape[1])
    for place, columns in enumerate(tree.question_slices.values()):
        total += asked[:, place] * score(draws[:, :, columns])
    return total
