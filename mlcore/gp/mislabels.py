"""Which galaxies' votes to doubt, and how many of the doubted are wrong.

Cheng et al. 2020 (MNRAS 493, 4209) found by eye that about 2.5% of their Galaxy Zoo
labels were wrong where a network contradicted them. Here the contradiction is a
number: the posterior odds, given models that never saw the votes, that they are
another class's votes, or careless ones, and not the galaxy's own (`mlcore.gp.predictive`). One less
the posterior probability is the local false discovery rate (Efron et al. 2001), and
its mean over the galaxies flagged is the false discovery rate that we control (Newton
et al. 2004; Mueller et al. 2004).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from mlcore.errors import InvalidInputError
from mlcore.gp.arrays import Bools, Floats, Ints, as_counts, require_at_least
from mlcore.gp.predictive import calibrate
from mlcore.gp.tails import tail_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlcore.gp.model import VoteGP
    from mlcore.gp.predictive import VotePredictive
    from mlcore.tree import DecisionTree, Question

GP_DRAWS = 128
#: Log odds of votes that an expert has called right, at the most: below those of any others.
CALLED_RIGHT_ODDS = -50.0


@dataclass(frozen=True)
class SurpriseTable:
    """How surprising each galaxy's votes are.

    Parameters
    ----------
    questions
        Slugs (Q,).
    p_values
        (n, Q): the probability, if the label is right, of log odds at least as large as
        the observed; NaN without votes or without a prediction.
    log_odds
        (n, Q): posterior log odds that the votes are another class's; -inf where the
        p-value is NaN.
    expected
        Expected vote fractions (n, A), NaN without a prediction.
    votes
        Votes on each question (n, Q).
    """

    questions: tuple[str, ...]
    p_values: Floats
    log_odds: Floats
    expected: Floats
    votes: Floats

    def knowing(self, called_right: Bools) -> SurpriseTable:
        """Return the table where votes (n, Q) that an expert called right surprise nobody."""
        known = called_right & ~np.isnan(self.p_values)
        lowest = self.log_odds.min(where=np.isfinite(self.log_odds), initial=CALLED_RIGHT_ODDS + 1)
        return replace(
            self,
            p_values=np.where(known, 1.0, self.p_values),
            log_odds=np.where(known, lowest - 1.0, self.log_odds),
        )

    def galaxy_p_values(self) -> Floats:
        """Return one p-value (n,) per galaxy: weighted Bonferroni over its questions.

        min over q of p_q * (sum of votes / votes on q), at most 1. It is valid however
        the questions depend on each other, and a question that one volunteer in ten
        was asked has a tenth of the say. NaN where every question is NaN.
        """
        tested = np.where(np.isnan(self.p_values), 0.0, self.votes)
        with np.errstate(divide="ignore", invalid="ignore"):
            raised = self.p_values * tested.sum(axis=1, keepdims=True) / tested
        lowest = np.min(np.where(np.isnan(raised), np.inf, raised), axis=1, initial=np.inf)
        return np.where(np.isinf(lowest), np.nan, np.minimum(lowest, 1.0))

    def galaxy_scores(self) -> Floats:
        """Return the ranking score (n,): the largest log odds; -inf where nothing is known."""
        scores: Floats = self.log_odds.max(axis=1, initial=-np.inf)
        return scores

    def local_false_discovery_rates(self) -> Floats:
        """Return the probability (n,) that a galaxy's most doubtful label is right after all.

        NaN where nothing is known. That none of its labels is wrong is less probable still,
        so for galaxies it errs to the large side.
        """
        scores = self.galaxy_scores()
        return np.where(np.isneginf(scores), np.nan, expit(-scores))

    def worst_questions(self) -> Ints:
        """Return the index (n,) of each galaxy's most surprising question."""
        worst: Ints = self.log_odds.argmax(axis=1)
        return worst


@dataclass(frozen=True)
class MislabelCandidate:
    """A galaxy whose votes an expert should look at.

    Parameters
    ----------
    id_str
        The galaxy.
    question
        Slug of its most surprising question.
    p_value, q_value
        Galaxy-level p-value, and the false discovery rate at which it is flagged.
    score
        What the ranking goes by: log odds, larger is more suspect.
    n_votes
        Votes on the question.
    observed, expected
        Vote fraction of each answer slug.
    reason
        Why, in plain words.
    """

    id_str: str
    question: str
    p_value: float
    q_value: float
    score: float
    n_votes: int
    observed: dict[str, float]
    expected: dict[str, float]
    reason: str


def surprise(
    counts: npt.ArrayLike,
    tree: DecisionTree,
    *,
    concentrations: Floats | None = None,
    left_out: Floats | None = None,
    certain: bool = False,
    seed: int = 0,
) -> SurpriseTable:
    """Return how surprising each galaxy's votes are to models that have not seen them.

    Every question has its own mixture, fitted to the votes (`mlcore.gp.predictive`), and
    its own rate of wrong labels.

    Parameters
    ----------
    counts
        Votes (n, A).
    tree
        The decision tree.
    concentrations
        Out-of-fold Dirichlet concentrations (n, A), NaN rows where missing.
    left_out
        Leave-one-out mean vote fractions (n, A), NaN rows where missing.
    certain
        Whether the votes are certain labels: see `mlcore.gp.predictive`.
    seed
        For the replicates.

    Raises
    ------
    InvalidInputError
        If neither predictive is given, the shapes do not fit, a count is negative, or votes
        that are certain differ on a galaxy.
    """
    votes = as_counts(counts, len(tree.label_cols))
    _require_shape("concentrations", concentrations, votes.shape)
    _require_shape("left_out", left_out, votes.shape)
    n_questions = len(tree.question_slices)
    p_values = np.full((len(votes), n_questions), np.nan)
    log_odds = np.full((len(votes), n_questions), -np.inf)
    expected = np.full(votes.shape, np.nan)
    totals = np.zeros((len(votes), n_questions))
    for place, columns in enumerate(tree.question_slices.values()):
        part = votes[:, columns]
        alpha = None if concentrations is None else concentrations[:, columns]
        means = None if left_out is None else left_out[:, columns]
        predictive = calibrate(part, alpha, means, seed, certain=certain)
        expected[:, columns] = predictive.expected
        totals[:, place] = part.sum(axis=1)
        log_odds[:, place] = _log_odds(part, predictive)
        rng = np.random.default_rng([seed, place])
        p_values[:, place] = tail_probabilities(part, log_odds[:, place], predictive, rng)
    return SurpriseTable(tuple(tree.question_slices), p_values, log_odds, expected, totals)


def expected_false_discoveries(local_rates: npt.ArrayLike) -> Floats:
    """Return q-values (n,): the false discovery rate at which each would be flagged.

    The mean local rate of all galaxies that are at least as suspect (Newton et al. 2004,
    Biostatistics 5, 155). NaN rates stay NaN and are not counted; no rates give none.

    Raises
    ------
    InvalidInputError
        If a rate is below 0 or above 1.
    """
    rates = np.asarray(local_rates, dtype=np.float64)
    if ((rates < 0) | (rates > 1)).any():
        raise InvalidInputError("local_rates must be between 0 and 1, but some are not")
    q = np.full(rates.shape, np.nan)
    values, place, times = np.unique(
        rates[~np.isnan(rates)], return_inverse=True, return_counts=True
    )
    q[~np.isnan(rates)] = (np.cumsum(values * times) / np.cumsum(times))[place]
    return q


def flag_mislabels(
    ids: Sequence[str],
    counts: npt.ArrayLike,
    oof_concentrations: Floats | None,
    gp: VoteGP | None,
    tree: DecisionTree,
    *,
    certain: bool = False,
    may_flag: npt.ArrayLike | None = None,
    called_right: npt.ArrayLike | None = None,
    false_discovery_rate: float = 0.1,
    review_budget: int | None = None,
    seed: int = 0,
) -> list[MislabelCandidate]:
    """Return the galaxies whose votes an expert should look at, most suspect first.

    Parameters
    ----------
    ids
        The n galaxies.
    counts
        Votes (n, A).
    oof_concentrations
        The CNN's out-of-fold concentrations (n, A), or None.
    gp
        A vote GP fitted on these n galaxies in this order, or None. Its features should
        come from an encoder that has not learned these votes by heart.
    tree
        The decision tree.
    certain
        Whether the votes are certain labels, as a catalogue's, and not what people said: see
        `mlcore.gp.predictive`.
    may_flag
        Galaxies (n,) that may be flagged; all when None. The others' votes still teach how
        votes come about, but the false discovery rate is that of these alone.
    false_discovery_rate
        Expected share of clean galaxies among the flagged, above 0 and up to 1 (all).
    review_budget
        At most this many; None for no limit.
    seed
        For draws and replicates.

    Raises
    ------
    InvalidInputError
        If a rate or budget is out of range, the shapes do not fit, or votes that are certain
        differ on a galaxy.
    """
    if not 0 < false_discovery_rate <= 1:
        raise InvalidInputError(
            f"false_discovery_rate must be above 0 and at most 1, is {false_discovery_rate}"
        )
    votes = as_counts(counts, len(tree.label_cols))
    if len(ids) != len(votes):
        raise InvalidInputError(f"ids must have {len(votes)} entries, has {len(ids)}")
    left_out = None if gp is None else gp.leave_one_out_means(GP_DRAWS, seed)
    table = surprise(
        votes,
        tree,
        concentrations=oof_concentrations,
        left_out=left_out,
        certain=certain,
        seed=seed,
    ).knowing(_called_right(called_right, (len(votes), len(tree.question_slices))))
    q_values = expected_false_discoveries(
        np.where(_allowed(may_flag, len(votes)), table.local_false_discovery_rates(), np.nan)
    )
    ranked = np.argsort(-table.galaxy_scores(), kind="stable")
    flagged = ranked[q_values[ranked] <= false_discovery_rate]
    if review_budget is not None:
        require_at_least("review_budget", review_budget, 0)
        flagged = flagged[:review_budget]
    return _candidates(flagged, ids, votes, table, q_values=q_values, tree=tree)


def _allowed(may_flag: npt.ArrayLike | None, n_galaxies: int) -> Bools:
    allowed = np.ones(n_galaxies, dtype=bool) if may_flag is None else np.asarray(may_flag, bool)
    if allowed.shape != (n_galaxies,):
        raise InvalidInputError(f"may_flag must be ({n_galaxies},), is {allowed.shape}")
    return allowed


def _called_right(called_right: npt.ArrayLike | None, shape: tuple[int, int]) -> Bools:
    if called_right is None:
        return np.zeros(shape, dtype=bool)
    known = np.asarray(called_right, bool)
    if known.shape != shape:
        raise InvalidInputError(f"called_right must be {shape}, is {known.shape}")
    return known


def _log_odds(counts: Floats, predictive: VotePredictive) -> Floats:
    """Return the log odds (n,) that the votes are wrong, -inf where nothing is known."""
    rows = np.flatnonzero(predictive.known & (counts.sum(axis=1) > 0))
    odds = np.full(len(counts), -np.inf)
    odds[rows] = predictive.log_odds(counts[rows, None, :], rows)[:, 0]
    return odds


def _candidates(
    rows: Ints,
    ids: Sequence[str],
    counts: Floats,
    table: SurpriseTable,
    *,
    q_values: Floats,
    tree: DecisionTree,
) -> list[MislabelCandidate]:
    worst, p_values, scores = (
        table.worst_questions(),
        table.galaxy_p_values(),
        table.galaxy_scores(),
    )
    return [
        MislabelCandidate(
            id_str=ids[row],
            p_value=float(p_values[row]),
            q_value=float(q_values[row]),
            score=float(scores[row]),
            **_contradiction(
                tree.question(table.questions[worst[row]]), counts[row], table.expected[row], tree
            ),
        )
        for row in rows
    ]


class _Contradiction(TypedDict):
    """The part of a candidate that says what was voted and what was expected."""

    question: str
    n_votes: int
    observed: dict[str, float]
    expected: dict[str, float]
    reason: str


def _contradiction(
    question: Question, counts: Floats, expected: Floats, tree: DecisionTree
) -> _Contradiction:
    """Compare votes (A,) with expected fractions (A,) on one question of the tree."""
    columns = tree.question_slices[question.slug]
    slugs = [answer.slug for answer in question.answers]
    votes = counts[columns]
    observed = votes / votes.sum()
    return {
        "question": question.slug,
        "n_votes": int(votes.sum()),
        "observed": dict(zip(slugs, observed.tolist(), strict=True)),
        "expected": dict(zip(slugs, expected[columns].tolist(), strict=True)),
        "reason": _reason(question.slug, slugs, votes, expected[columns]),
    }


def _reason(question: str, slugs: list[str], votes: Floats, expected: Floats) -> str:
    """Say in one sentence what was voted and what was expected."""
    top, likely = int(votes.argmax()), int(expected.argmax())
    said = f"{votes[top]:.0f} of {votes.sum():.0f} volunteers said '{question}: {slugs[top]}'"
    if top == likely:
        share = f"{expected[top]:.2f}"
        return f"{said}; galaxies that look like it get that answer with a share of {share}"
    return f"{said}; galaxies that look like it get '{slugs[likely]}' ({expected[likely]:.2f})"


def _require_shape(name: str, values: Floats | None, shape: tuple[int, ...]) -> None:
    if values is not None and values.shape != shape:
        raise InvalidInputError(f"{name} must be ({shape[0]}, {shape[1]}), is {values.shape}")
