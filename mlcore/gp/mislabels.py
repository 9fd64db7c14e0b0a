"""Which galaxies' votes to doubt, and how many of the doubted are wrong.

Cheng et al. 2020 (MNRAS 493, 4209) found by eye that about 2.5% of their Galaxy Zoo
labels were wrong where a network contradicted them. Here the contradiction is a
number: how surprising the votes are to models that never saw them
(`mlcore.gp.predictive`), with a false discovery rate (Benjamini & Hochberg 1995)
and an interval for the share that is truly wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from mlcore.errors import InvalidInputError
from mlcore.gp.arrays import Floats, Ints, as_counts, require_at_least
from mlcore.gp.outcomes import n_outcomes, vote_outcomes
from mlcore.gp.predictive import VotePredictive, calibrate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlcore.gp.model import VoteGP
    from mlcore.tree import DecisionTree

# Up to this many ways for the votes to fall, tail probabilities are exact.
MAX_ENUMERATED = 2000
REPLICATES = 999
CHUNK_CELLS = 4_000_000
GP_DRAWS = 128
TIE = 1e-9


@dataclass(frozen=True)
class SurpriseTable:
    """How surprising each galaxy's votes are.

    Parameters
    ----------
    questions
        Slugs (Q,).
    p_values
        (n, Q): the predictive probability of log odds at least as large as the observed;
        NaN without votes or without a prediction.
    log_odds
        (n, Q): log probability of the observed votes for a galaxy picked at random, less
        that for this galaxy; -inf where the p-value is NaN.
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


@dataclass(frozen=True)
class Contamination:
    """Share of a catalogue that is mislabelled and flagged, with its interval."""

    estimate: float
    lower: float
    upper: float


def surprise(
    counts: npt.ArrayLike,
    tree: DecisionTree,
    *,
    concentrations: Floats | None = None,
    draws: Floats | None = None,
    seed: int = 0,
) -> SurpriseTable:
    """Return how surprising each galaxy's votes are to models that have not seen them.

    The statistic is the log odds that the votes belong to a galaxy picked at random
    rather than to this one (by Neyman & Pearson the most powerful for votes that were
    given to the wrong galaxy or answer; plain improbability also flags votes that are
    merely scattered). The p-value is the total predictive probability of every way for
    the votes to fall whose log odds are at least the observed, ties included: it is
    discrete and errs to the large side. It is exact up to 2,000 ways; beyond, it comes from 999
    replicates with the add-one rule, and is never below 1/1,000.

    Parameters
    ----------
    counts
        Votes (n, A).
    tree
        The decision tree.
    concentrations
        Out-of-fold Dirichlet concentrations (n, A), NaN rows where missing.
    draws
        Leave-one-out draws (T, n, A) of vote fractions.
    seed
        For the replicates.

    Raises
    ------
    InvalidInputError
        If neither predictive is given, the shapes do not fit, or a count is negative.
    """
    votes = as_counts(counts, len(tree.label_cols))
    _require_shape("concentrations", concentrations, votes.shape)
    _require_shape("draws", None if draws is None else draws[0], votes.shape)
    n_questions = len(tree.question_slices)
    p_values = np.full((len(votes), n_questions), np.nan)
    log_odds = np.full((len(votes), n_questions), -np.inf)
    expected = np.full(votes.shape, np.nan)
    totals = np.zeros((len(votes), n_questions))
    for place, columns in enumerate(tree.question_slices.values()):
        part = votes[:, columns]
        alpha = None if concentrations is None else concentrations[:, columns]
        drawn = None if draws is None else draws[:, :, columns]
        predictive = calibrate(part, alpha, drawn, seed)
        expected[:, columns] = predictive.expected
        totals[:, place] = part.sum(axis=1)
        rng = np.random.default_rng([seed, place])
        p_values[:, place], log_odds[:, place] = _question_surprise(part, predictive, rng)
    return SurpriseTable(tuple(tree.question_slices), p_values, log_odds, expected, totals)


def benjamini_hochberg(p_values: npt.ArrayLike) -> Floats:
    """Return q-values (n,): the false discovery rate at which each would be flagged.

    Benjamini & Hochberg 1995. NaN p-values stay NaN and are not counted; no p-values
    give none.

    Raises
    ------
    InvalidInputError
        If a p-value is below 0 or above 1.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if ((p < 0) | (p > 1)).any():
        raise InvalidInputError("p_values must be between 0 and 1, but some are not")
    q = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    raised = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum.accumulate(raised[::-1])[::-1]
    return q


def flag_mislabels(
    ids: Sequence[str],
    counts: npt.ArrayLike,
    oof_concentrations: Floats | None,
    gp: VoteGP | None,
    tree: DecisionTree,
    *,
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
    false_discovery_rate
        Expected share of clean galaxies among the flagged, above 0 and up to 1 (all).
    review_budget
        At most this many; None for no limit.
    seed
        For draws and replicates.

    Raises
    ------
    InvalidInputError
        If a rate or budget is out of range, or the shapes do not fit.
    """
    if not 0 < false_discovery_rate <= 1:
        raise InvalidInputError(
            f"false_discovery_rate must be above 0 and at most 1, is {false_discovery_rate}"
        )
    votes = as_counts(counts, len(tree.label_cols))
    if len(ids) != len(votes):
        raise InvalidInputError(f"ids must have {len(votes)} entries, has {len(ids)}")
    draws = None if gp is None else gp.leave_one_out_fractions(GP_DRAWS, seed)
    table = surprise(votes, tree, concentrations=oof_concentrations, draws=draws, seed=seed)
    q_values = benjamini_hochberg(table.galaxy_p_values())
    ranked = np.argsort(-table.galaxy_scores(), kind="stable")
    flagged = ranked[q_values[ranked] <= false_discovery_rate]
    if review_budget is not None:
        require_at_least("review_budget", review_budget, 0)
        flagged = flagged[:review_budget]
    return [_candidate(row, ids, votes, table, q_values=q_values, tree=tree) for row in flagged]


def contamination(
    reviewed_confirmed: int,
    reviewed_total: int,
    flagged_total: int,
    n: int,
    *,
    level: float = 0.95,
) -> Contamination:
    """Return the share of `n` galaxies that are flagged and truly mislabelled.

    The confirmed share of the reviewed, with its Jeffreys interval
    (Beta(c + 1/2, r - c + 1/2); Brown, Cai & DasGupta 2001), times the share flagged.
    It assumes that the reviewed are a fair choice of the flagged, and says nothing of
    mislabels that were not flagged, so it is a lower bound on the whole. With none
    reviewed the estimate is NaN and the interval runs from 0 to the share flagged.

    Raises
    ------
    InvalidInputError
        Unless 0 <= confirmed <= reviewed <= flagged <= n, n >= 1 and 0 < level < 1.
    """
    if not (0 <= reviewed_confirmed <= reviewed_total <= flagged_total <= n and n >= 1):
        raise InvalidInputError(
            "counts must obey 0 <= reviewed_confirmed <= reviewed_total <= flagged_total <= n, are "
            f"{reviewed_confirmed}, {reviewed_total}, {flagged_total} and {n}"
        )
    if not 0 < level < 1:
        raise InvalidInputError(f"level must be above 0 and below 1, is {level}")
    share = flagged_total / n
    if reviewed_total == 0:
        return Contamination(float("nan"), 0.0, share)
    rejected = reviewed_total - reviewed_confirmed
    posterior = beta(reviewed_confirmed + 0.5, rejected + 0.5)
    lower = 0.0 if reviewed_confirmed == 0 else float(posterior.ppf((1 - level) / 2))
    upper = 1.0 if rejected == 0 else float(posterior.ppf((1 + level) / 2))
    estimate = reviewed_confirmed / reviewed_total
    return Contamination(share * estimate, share * lower, share * upper)


def _question_surprise(
    counts: Floats, predictive: VotePredictive, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return p-values and log odds (n,) of one question."""
    p_values, log_odds = np.full(len(counts), np.nan), np.full(len(counts), -np.inf)
    totals = counts.sum(axis=1).round().astype(np.int64)
    for n_votes in np.unique(totals[predictive.known & (totals > 0)]):
        rows = np.flatnonzero((totals == n_votes) & predictive.known)
        exact = n_outcomes(int(n_votes), counts.shape[1]) <= MAX_ENUMERATED
        width = n_outcomes(int(n_votes), counts.shape[1]) if exact else REPLICATES
        chunks = ceil(
            len(rows) * width * (len(predictive.draws) + len(predictive.references)) / CHUNK_CELLS
        )
        for some in np.array_split(rows, min(max(chunks, 1), len(rows))):
            observed = predictive.log_probability(counts[some, None, :], some)[:, 0]
            log_odds[some] = predictive.log_population(counts[some]) - observed
            tail = _exact_tail if exact else _replicated_tail
            p_values[some] = tail(int(n_votes), log_odds[some], predictive, some, rng)
    return p_values, log_odds


def _exact_tail(
    n_votes: int,
    log_odds: Floats,
    predictive: VotePredictive,
    rows: Ints,
    _rng: np.random.Generator,
) -> Floats:
    outcomes = vote_outcomes(n_votes, predictive.concentrations.shape[1])
    logs = predictive.log_probability(outcomes, rows)
    stranger = predictive.log_population(outcomes) - logs >= log_odds[:, None] - TIE
    tail: Floats = np.where(stranger, np.exp(logs), 0.0).sum(axis=1)
    return np.minimum(tail, 1.0)


def _replicated_tail(
    n_votes: int,
    log_odds: Floats,
    predictive: VotePredictive,
    rows: Ints,
    rng: np.random.Generator,
) -> Floats:
    fractions = predictive.sample_fractions(REPLICATES, rows, rng)
    replicates = rng.multinomial(n_votes, fractions)
    logs = predictive.log_probability(replicates, rows)
    population = predictive.log_population(replicates.reshape(-1, replicates.shape[2]))
    stranger = population.reshape(logs.shape) - logs >= log_odds[:, None] - TIE
    n_strange: Floats = stranger.sum(axis=1).astype(np.float64)
    return (1.0 + n_strange) / (1.0 + REPLICATES)


def _candidate(
    row: int,
    ids: Sequence[str],
    counts: Floats,
    table: SurpriseTable,
    *,
    q_values: Floats,
    tree: DecisionTree,
) -> MislabelCandidate:
    place = table.worst_questions()[row]
    question = tree.question(table.questions[place])
    columns = tree.question_slices[question.slug]
    slugs = [answer.slug for answer in question.answers]
    votes, expected = counts[row, columns], table.expected[row, columns]
    observed = votes / votes.sum()
    return MislabelCandidate(
        id_str=ids[row],
        question=question.slug,
        p_value=float(table.galaxy_p_values()[row]),
        q_value=float(q_values[row]),
        score=float(table.galaxy_scores()[row]),
        n_votes=int(votes.sum()),
        observed=dict(zip(slugs, observed.tolist(), strict=True)),
        expected=dict(zip(slugs, expected.tolist(), strict=True)),
        reason=_reason(question.slug, slugs, votes, expected),
    )


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
        raise InvalidInputError(f"{name} must be (..., {shape[0]}, {shape[1]}), is {values.shape}")
