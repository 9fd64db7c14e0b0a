r"""Volunteer weights: how far a volunteer agrees with the others, beyond chance.

Willett et al. 2013 (MNRAS 435, 2835) score a volunteer by the mean, over votes, of the
consistency ``(K - 2 + 2 f) / K``, where f is the fraction of the answer chosen among the
question's K answers, and weigh by ``min(1, (kappa / 0.6) ** 8.5)``. Two flaws: with K >= 5
no score is below 0.6, so that nobody is weighed down; and f holds the volunteer's own
vote, so that with few votes everybody agrees with themselves.

`volunteer_weights` mends both. For a vote v of volunteer i for answer a of a question on a
subject, with ``W_b`` the weight of the *other* volunteers who chose b there, ``W`` their
sum, and ``p_b`` the share of b among all votes on that question in the survey:

    gain_v   = W_a / W - p_a
    usual_v  = sum_b (W_b ** 2 - S_b) / (W ** 2 - S) - sum_b (W_b / W) p_b

where ``S_b`` and S are the same sums of squared weights. ``gain`` is the agreement beyond
that of somebody who gives answer a without looking: it has mean 0 for any such volunteer,
whatever K is. ``usual`` is the same for a pair of the others (an unbiased estimate of the
agreement to be had on that subject: little where the crowd is split). The consistency is

    kappa_i = (sum_v gain_v + m) / (max(0, sum_v usual_v) + m)

so that 1 is as good as the others and 0 is chance. m is the prior, in votes' worth of
agreement on a clear subject: with few votes a volunteer counts as an ordinary one. The
weight is ``min(1, max(0, kappa)) ** exponent``; a vote that is blind with the chance
``1 - kappa`` tells ``kappa ** 2`` as much, hence the exponent 2. Fractions are then
recomputed with the weights, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlcore.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlcore.votes.table import VoteTable


@dataclass(frozen=True, eq=False)
class VolunteerWeights:
    """Weights of V volunteers.

    Attributes
    ----------
    weight
        Shape (V,), from 0 to 1; 1 for an index without votes.
    consistency
        Shape (V,), the kappa that the weight came from.
    compared
        Shape (V,), the votes that could be compared with at least two others.
    """

    weight: NDArray[np.float64]
    consistency: NDArray[np.float64]
    compared: NDArray[np.int64]


def volunteer_weights(
    votes: VoteTable, *, prior_votes: float = 3.0, exponent: float = 2.0, passes: int = 3
) -> VolunteerWeights:
    """Weigh each volunteer by leave-one-out, chance-corrected consistency.

    The formulas are in the module's docstring. Where nothing can be compared (an empty
    table, one volunteer, fewer than two other votes) the weight is 1.

    Parameters
    ----------
    votes
        V volunteers, S subjects.
    prior_votes
        Strength m of the prior that a volunteer is an ordinary one; positive.
    exponent
        How steeply the weight falls with consistency; at least 0 (0: no weights).
    passes
        How often the fractions are recomputed with the weights; at least 1.

    Raises
    ------
    InvalidInputError
        For a parameter out of its range.
    """
    _check_settings(prior_votes, exponent, passes)
    weight = np.ones(votes.n_volunteers)
    for _ in range(passes):
        gain, usual, known = _vote_agreement(votes, weight)
        gained = _per_volunteer(votes, gain)
        possible = np.maximum(_per_volunteer(votes, usual), 0.0)
        consistency = (gained + prior_votes) / (possible + prior_votes)
        weight = np.asarray(np.clip(consistency, 0.0, 1.0) ** exponent)
    compared = _per_volunteer(votes, known.astype(np.float64)).astype(np.int64)
    return VolunteerWeights(weight=weight, consistency=consistency, compared=compared)


def _check_settings(prior_votes: float, exponent: float, passes: int) -> None:
    if not prior_votes > 0:
        raise InvalidInputError(f"prior_votes must be positive, is {prior_votes}")
    if not exponent >= 0:
        raise InvalidInputError(f"exponent must be at least 0, is {exponent}")
    if passes < 1:
        raise InvalidInputError(f"passes must be at least 1, is {passes}")


def _vote_agreement(
    votes: VoteTable, weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return gain, usual, and whether there were others to compare with; each (M,)."""
    own = weight[votes.volunteer]
    counts, squares = votes.counts(own), votes.counts(own**2)
    share = _survey_shares(votes, counts)
    picked = (votes.subject, votes.column)
    same = counts[picked] - own
    total = _question_sums(votes, counts) - own
    total_squares = _question_sums(votes, squares) - own**2
    pairs = _question_sums(votes, counts**2) - 2 * own * counts[picked] + own**2
    blind = _question_sums(votes, counts * share) - own * share[votes.column]
    # Below this the others' weight is rounding error, or one vote: no pair to compare.
    known = (total > 1e-9) & (total**2 - total_squares > 1e-9)
    total, spread = np.where(known, total, 1.0), np.where(known, total**2 - total_squares, 1.0)
    gain = np.where(known, same / total - share[votes.column], 0.0)
    usual = np.where(known, (pairs - total_squares) / spread - blind / total, 0.0)
    return gain, usual, known


def _survey_shares(votes: VoteTable, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of each answer among its question's votes in the survey; shape (A,)."""
    summed = counts.sum(axis=0)
    question = np.repeat(np.arange(len(votes.n_answers)), votes.n_answers)
    total = np.bincount(question, summed)[question]
    return np.asarray(np.divide(summed, total, out=np.zeros_like(summed), where=total > 0))


def _question_sums(votes: VoteTable, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum (S, A) over the answers of each vote's question on its subject; shape (M,)."""
    starts = np.cumsum(votes.n_answers) - votes.n_answers
    sums = np.add.reduceat(values, starts, axis=1)
    return np.asarray(sums[votes.subject, votes.question])


def _per_volunteer(votes: VoteTable, values: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = np.bincount(votes.volunteer, values, minlength=votes.n_volunteers)
    return sums.astype(np.float64)


def willett_weights(votes: VoteTable, *, passes: int = 3) -> VolunteerWeights:
    """Weigh each volunteer as Willett et al. 2013, section 3.2, for comparison.

    Its flaws are in the module's docstring; use `volunteer_weights`.

    Parameters
    ----------
    votes
        V volunteers, S subjects; an index without votes has the weight 1.
    passes
        How often the fractions are recomputed with the weights; at least 1.

    Raises
    ------
    InvalidInputError
        For fewer than 1 pass.
    """
    _check_settings(1.0, 1.0, passes)
    n_answers = votes.n_answers[votes.question]
    n_votes = np.bincount(votes.volunteer, minlength=votes.n_volunteers)
    weight = np.ones(votes.n_volunteers)
    for _ in range(passes):
        counts = votes.counts(weight[votes.volunteer])
        total = _question_sums(votes, counts)
        chosen = counts[votes.subject, votes.column]
        fraction = np.divide(chosen, total, out=np.zeros_like(total), where=total > 0)
        agreed = _per_volunteer(votes, (n_answers - 2 + 2 * fraction) / n_answers)
        consistency = np.divide(agreed, n_votes, out=np.ones_like(agreed), where=n_votes > 0)
        weight = np.minimum(1.0, (consistency / 0.6) ** 8.5)
    return VolunteerWeights(weight=weight, consistency=consistency, compared=n_votes)


def careless_volunteers(
    votes: VoteTable, *, max_artifact_rate: float = 0.5, min_classifications: int = 150
) -> NDArray[np.int64]:
    """Find the volunteers who see artifacts nearly everywhere; sorted indices.

    In Galaxy Zoo DECaLS 0.03% of the volunteers, found so, made 5.3% of the
    classifications (Walmsley et al. 2022, MNRAS 509, 3966).

    Parameters
    ----------
    votes
        An empty table, or a tree without artifact answers, gives nobody.
    max_artifact_rate
        Share of a volunteer's classified subjects called an artifact, above which the
        volunteer is careless; from 0 to 1.
    min_classifications
        Subjects that a volunteer must have classified to be judged; at least 1.

    Raises
    ------
    InvalidInputError
        For a parameter out of its range.
    """
    if not 0 <= max_artifact_rate <= 1:
        raise InvalidInputError(f"max_artifact_rate must be from 0 to 1, is {max_artifact_rate}")
    if min_classifications < 1:
        raise InvalidInputError(f"min_classifications must be at least 1, is {min_classifications}")
    artifact = np.isin(np.array(votes.tree.label_cols), votes.tree.artifact_cols)
    done = _subjects_per_volunteer(votes, np.ones(len(votes.volunteer), dtype=bool))
    called = _subjects_per_volunteer(votes, artifact[votes.column])
    rate = called / np.maximum(done, 1)
    return np.flatnonzero((done >= min_classifications) & (rate > max_artifact_rate))


def _subjects_per_volunteer(votes: VoteTable, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    width = max(votes.n_subjects, 1)
    keys = np.unique(votes.volunteer[chosen] * width + votes.subject[chosen])
    return np.bincount(keys // width, minlength=votes.n_volunteers)
