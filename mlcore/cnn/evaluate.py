"""How well concentrations foretell votes, and whether one model is worse than another."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import betabinom

from mlcore.cnn.loss import check_votes, negative_log_likelihood
from mlcore.errors import InvalidInputError, NotEnoughVotesError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlcore.tree import DecisionTree

CONFIDENT = 0.8
LEVEL = 0.9


@dataclass(frozen=True)
class QuestionEvaluation:
    """One question's figures over the galaxies that have votes on it; None where undefined.

    Attributes
    ----------
    n, votes
        Galaxies with votes on this question, and those votes.
    accuracy
        How often the answer with the highest predicted fraction had the most votes. A tie
        among volunteers counts for each of its answers.
    balanced_accuracy
        The same per answer with most votes (the first of a tie), averaged over the
        answers that occur.
    accuracy_confident, n_confident
        Accuracy over galaxies whose top answer has at least 0.8 of the votes, and how many
        those are.
    rmse
        Root mean square of observed less predicted fraction, over galaxies and answers.
    rmse_floor
        What it would be if the predicted fractions were the true ones: the binomial noise
        f (1 - f) / (n - 1), over galaxies with two votes or more.
    nll_per_vote
        Negative log likelihood over votes, in nats.
    coverage
        How much of the observed counts lies in the central 90% beta-binomial interval;
        0.9 when calibrated. A count on the interval's edge counts by the part inside.
    """

    n: int
    votes: float
    accuracy: float | None
    balanced_accuracy: float | None
    accuracy_confident: float | None
    n_confident: int
    rmse: float | None
    rmse_floor: float | None
    nll_per_vote: float | None
    coverage: float | None


@dataclass(frozen=True)
class Evaluation:
    """Figures of one model on galaxies that it did not train on.

    Attributes
    ----------
    n, votes
        Galaxies with any vote, and all their votes.
    nll_per_vote
        Over all questions, in nats.
    questions
        Question slug to its figures.
    """

    n: int
    votes: float
    nll_per_vote: float
    questions: dict[str, QuestionEvaluation]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Evaluation:
        """Return what `to_dict` gave; raises InvalidInputError for anything else."""
        try:
            questions = {
                slug: QuestionEvaluation(**each) for slug, each in document["questions"].items()
            }
            return cls(**{**document, "questions": questions})
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidInputError(f"document must be an evaluation, is not: {error}") from error


def evaluate(
    counts: NDArray[np.float64], concentrations: NDArray[np.float64], tree: DecisionTree
) -> Evaluation:
    """Compare predictions with votes, question by question.

    Parameters
    ----------
    counts
        Votes, shape (n, A), whole numbers (the coverage rounds others).
    concentrations
        Shape (n, A), positive.
    tree
        The tree of the A columns.

    Raises
    ------
    NotEnoughVotesError
        When there is no vote at all.
    InvalidInputError
        For shapes that differ, NaN, negative counts or concentrations not positive.
    """
    counts, concentrations = check_votes(counts, concentrations, tree)
    costs = negative_log_likelihood(counts, concentrations, tree)
    _require_votes(counts)
    columns = enumerate(tree.question_slices.items())
    return Evaluation(
        n=int((counts.sum(axis=1) > 0).sum()),
        votes=float(counts.sum()),
        nll_per_vote=float(costs.sum() / counts.sum()),
        questions={
            slug: _evaluate_question(counts[:, part], concentrations[:, part], costs[:, question])
            for question, (slug, part) in columns
        },
    )


def _require_votes(counts: NDArray[np.float64]) -> None:
    if not counts.sum() > 0:
        raise NotEnoughVotesError(f"counts must hold a vote, none of {len(counts)} galaxies has")


def _evaluate_question(
    counts: NDArray[np.float64], concentrations: NDArray[np.float64], costs: NDArray[np.float64]
) -> QuestionEvaluation:
    asked = counts.sum(axis=1) > 0
    counts, concentrations, costs = counts[asked], concentrations[asked], costs[asked]
    if not len(counts):
        return QuestionEvaluation(0, 0.0, None, None, None, 0, None, None, None, None)
    total = counts.sum(axis=1, keepdims=True)
    observed = counts / total
    predicted = concentrations / concentrations.sum(axis=1, keepdims=True)
    chosen = predicted.argmax(axis=1)
    right = counts[np.arange(len(counts)), chosen] == counts.max(axis=1)
    confident = observed.max(axis=1) >= CONFIDENT
    return QuestionEvaluation(
        n=len(counts),
        votes=float(total.sum()),
        accuracy=float(right.mean()),
        balanced_accuracy=_mean_per_answer(right, counts.argmax(axis=1)),
        accuracy_confident=_mean_or_none(right[confident]),
        n_confident=int(confident.sum()),
        rmse=float(np.sqrt(np.mean((observed - predicted) ** 2))),
        rmse_floor=_binomial_floor(observed, total),
        nll_per_vote=float(costs.sum() / total.sum()),
        coverage=_coverage(counts, concentrations),
    )


def _mean_or_none(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def _mean_per_answer(right: NDArray[np.bool_], answer: NDArray[np.intp]) -> float:
    return float(np.mean([right[answer == each].mean() for each in np.unique(answer)]))


def _binomial_floor(observed: NDArray[np.float64], total: NDArray[np.float64]) -> float | None:
    several = total[:, 0] >= 2
    if not several.any():
        return None
    f, n = observed[several], total[several]
    return float(np.sqrt(np.mean(f * (1 - f) / (n - 1))))


def _coverage(counts: NDArray[np.float64], concentrations: NDArray[np.float64]) -> float:
    k, n = np.rint(counts), np.rint(counts).sum(axis=1, keepdims=True)
    others = concentrations.sum(axis=1, keepdims=True) - concentrations
    upper = betabinom.cdf(k, n, concentrations, others)
    lower = upper - betabinom.pmf(k, n, concentrations, others)
    edge = (1 - LEVEL) / 2
    inside = np.clip(upper, edge, 1 - edge) - np.clip(lower, edge, 1 - edge)
    return float(np.mean(inside / np.maximum(upper - lower, np.finfo(np.float64).tiny)))


@dataclass(frozen=True)
class Comparison:
    """Whether a new model may replace an old one.

    Attributes
    ----------
    difference
        New less old negative log likelihood per vote, in nats: below zero is better.
    low, high
        The central 90% of its paired bootstrap, so that `high` is a one-sided 95% bound.
    margin
        How much worse a model may be and still count as not worse.
    not_worse
        Whether `high` is at most `margin`.
    n
        Galaxies with votes that both were judged on.
    """

    difference: float
    low: float
    high: float
    margin: float
    not_worse: bool
    n: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def compare(
    counts: NDArray[np.float64],
    new: NDArray[np.float64],
    old: NDArray[np.float64],
    tree: DecisionTree,
    *,
    seed: int,
    n_bootstrap: int = 2000,
    margin: float = 0.02,
) -> Comparison:
    """Compare two models on the same galaxies; the gate before a model is published.

    The rule is one of non-inferiority: the new model is "not worse" when we are 95% sure
    that it costs at most `margin` nats per vote more than the old. A model equal to the
    old passes; too few galaxies to tell do not.

    Parameters
    ----------
    counts
        Votes on galaxies that neither model trained on, shape (n, A).
    new, old
        Concentrations, shape (n, A).
    seed, n_bootstrap
        Galaxies are drawn with replacement, `n_bootstrap` times, both models' costs
        together.
    margin
        In nats per vote, at least 0.

    Raises
    ------
    NotEnoughVotesError
        When there is no vote at all.
    InvalidInputError
        As `evaluate`; and for `n_bootstrap` below 1 or a negative margin.
    """
    if n_bootstrap < 1:
        raise InvalidInputError(f"n_bootstrap must be at least 1, is {n_bootstrap}")
    if not margin >= 0:
        raise InvalidInputError(f"margin must be at least 0, is {margin}")
    new_costs = negative_log_likelihood(counts, new, tree).sum(axis=1)
    excess = new_costs - negative_log_likelihood(counts, old, tree).sum(axis=1)
    votes = np.asarray(counts, dtype=np.float64).sum(axis=1)
    _require_votes(votes[:, np.newaxis])
    excess, votes = excess[votes > 0], votes[votes > 0]
    drawn = _bootstrap(excess, votes, np.random.default_rng(seed), n_bootstrap)
    low, high = (float(each) for each in np.quantile(drawn, [0.05, 0.95]))
    difference = float(excess.sum() / votes.sum())
    return Comparison(difference, low, high, margin, bool(high <= margin), len(votes))


def _bootstrap(
    excess: NDArray[np.float64],
    votes: NDArray[np.float64],
    rng: np.random.Generator,
    n_bootstrap: int,
) -> NDArray[np.float64]:
    differences = np.empty(n_bootstrap)
    for draw in range(n_bootstrap):
        chosen = rng.integers(0, len(votes), len(votes))
        differences[draw] = excess[chosen].sum() / votes[chosen].sum()
    return differences
