"""How well concentrations foretell votes, question by question, in single figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import betabinom

from mlcore.errors import InvalidInputError
from mlcore.evaluation.resampling import resampled_sums
from mlcore.votes.likelihood import check_votes, negative_log_likelihood, require_votes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlcore.tree import DecisionTree

#: Volunteers are confident where at least this share of at least so many votes agree.
CONFIDENT, CONFIDENT_VOTES = 0.8, 3
#: Of the intervals whose coverage the gate's table shows.
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
        Accuracy over galaxies whose top answer has at least 0.8 of at least 3 votes, and
        how many those are.
    rmse
        Root mean square of observed less predicted fraction, over galaxies and answers.
    rmse_floor
        What it would be if the predicted fractions were the true ones: the binomial noise
        f (1 - f) / (n - 1). A galaxy with one vote, which alone says nothing of f, takes
        the others' mean variance; None where no galaxy has two votes.
    nll_per_vote
        Negative log likelihood over votes, in nats.
    coverage
        How much of the observed counts lies in the central 90% beta-binomial interval;
        0.9 when calibrated. A count on the interval's edge counts by the part inside.
    rmse_low, rmse_high
        Central 90% of the rmse over resampled galaxies.
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
    rmse_low: float | None = None
    rmse_high: float | None = None


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
    counts: NDArray[np.float64],
    concentrations: NDArray[np.float64],
    tree: DecisionTree,
    *,
    seed: int = 0,
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
    seed
        Of the resampling behind the intervals.

    Raises
    ------
    NotEnoughVotesError
        When there is no vote at all.
    InvalidInputError
        For shapes that differ, NaN, negative counts or concentrations not positive.
    """
    counts, concentrations = check_votes(counts, concentrations, tree)
    costs = negative_log_likelihood(counts, concentrations, tree)
    require_votes(counts)
    columns = enumerate(tree.question_slices.items())
    return Evaluation(
        n=int((counts.sum(axis=1) > 0).sum()),
        votes=float(counts.sum()),
        nll_per_vote=float(costs.sum() / counts.sum()),
        questions={
            slug: _evaluate_question(
                counts[:, part], concentrations[:, part], costs[:, question], seed
            )
            for question, (slug, part) in columns
        },
    )


def _evaluate_question(
    counts: NDArray[np.float64],
    concentrations: NDArray[np.float64],
    costs: NDArray[np.float64],
    seed: int,
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
    confident = (observed.max(axis=1) >= CONFIDENT) & (total[:, 0] >= CONFIDENT_VOTES)
    squares = np.mean((observed - predicted) ** 2, axis=1)
    drawn = np.sqrt(resampled_sums(squares[:, np.newaxis], seed=seed)[:, 0] / len(squares))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return QuestionEvaluation(
        n=len(counts),
        votes=float(total.sum()),
        accuracy=float(right.mean()),
        balanced_accuracy=_mean_per_answer(right, counts.argmax(axis=1)),
        accuracy_confident=_mean_or_none(right[confident]),
        n_confident=int(confident.sum()),
        rmse=float(np.sqrt(squares.mean())),
        rmse_floor=_binomial_floor(observed, total),
        nll_per_vote=float(costs.sum() / total.sum()),
        coverage=float(inside_interval(counts, concentrations, LEVEL).mean()),
        rmse_low=float(low),
        rmse_high=float(high),
    )


def _mean_or_none(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def _mean_per_answer(right: NDArray[np.bool_], answer: NDArray[np.intp]) -> float:
    return float(np.mean([right[answer == each].mean() for each in np.unique(answer)]))


def _binomial_floor(observed: NDArray[np.float64], total: NDArray[np.float64]) -> float | None:
    several = total[:, 0] > 1
    if not several.any():
        return None
    f, n = observed[several], total[several]
    noise = np.sum(f * (1 - f) / (n - 1), axis=0)
    # n / (n - 1) f (1 - f) is an unbiased variance of one vote.
    alone = np.mean(n / (n - 1) * f * (1 - f), axis=0) * (1 / total[~several]).sum()
    return float(np.sqrt(np.mean(noise + alone) / len(observed)))


def inside_interval(
    counts: NDArray[np.float64], concentrations: NDArray[np.float64], level: float
) -> NDArray[np.float64]:
    """Return how much of each galaxy's counts lies in their central intervals, shape (n,).

    Each answer's count is beta-binomial; one on an interval's edge counts by the part
    inside, so that right concentrations give `level` also for few votes.

    Parameters
    ----------
    counts, concentrations
        Of one question, shape (n, K); galaxies without votes cover by `level` exactly.
    level
        In (0, 1).
    """
    k, n = np.rint(counts), np.rint(counts).sum(axis=1, keepdims=True)
    others = concentrations.sum(axis=1, keepdims=True) - concentrations
    upper = betabinom.cdf(k, n, concentrations, others)
    lower = upper - betabinom.pmf(k, n, concentrations, others)
    edge = (1 - level) / 2
    inside = np.clip(upper, edge, 1 - edge) - np.clip(lower, edge, 1 - edge)
    shares = inside / np.maximum(upper - lower, np.finfo(np.float64).tiny)
    return np.asarray(shares.mean(axis=1))
