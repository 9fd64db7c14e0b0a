"""Any two models of a workflow, judged on the same galaxies of the control panel."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lenticular.rounds.errors import NotComparableError
from lenticular.rounds.panel import panel_counts, predictions_of
from mlcore.evaluation.comparison import Comparison, compare
from mlcore.votes.likelihood import negative_log_likelihood

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lenticular.rounds.models import Round
    from mlcore.tree import DecisionTree

    Votes = NDArray[np.float64]

DRAWS = 1000


@dataclass(frozen=True)
class Scores:
    """Two models on one question, or on all.

    Attributes
    ----------
    galaxies
        Galaxies with votes on it.
    new_nll, old_nll
        Negative log likelihood per vote, in nats.
    new_accuracy, old_accuracy
        Share of galaxies whose likeliest answer had the most votes; None over all questions.
    comparison
        New less old, with its interval.
    """

    galaxies: int
    new_nll: float
    old_nll: float
    new_accuracy: float | None
    old_accuracy: float | None
    comparison: Comparison


@dataclass(frozen=True)
class ModelComparison:
    """What two rounds' models say of the panel's votes of today; unasked questions are absent."""

    new: int
    old: int
    overall: Scores
    questions: dict[str, Scores]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def compare_models(*, new: Round, old: Round) -> ModelComparison:
    """Compare the models of two rounds, from the predictions that the rounds stored.

    Raises
    ------
    NotComparableError
        For one and the same round, other workflows or decision trees, or predictions that
        are gone, damaged or of no galaxy with votes.
    """
    _check(new, old)
    tree = new.version.tree
    counts, predicted = _on_panel(new, old)
    questions = {}
    for slug, columns in tree.question_slices.items():
        asked = np.zeros_like(counts)
        asked[:, columns] = counts[:, columns]
        if asked.any():
            questions[slug] = _scores(asked, *predicted, tree, columns)
    overall = _scores(counts, *predicted, tree, None)
    return ModelComparison(new.number, old.number, overall, questions)


def _check(new: Round, old: Round) -> None:
    if new.pk == old.pk:
        raise NotComparableError(f"new and old must be two rounds, both are round {new.number}")
    if new.workflow_id != old.workflow_id:
        raise NotComparableError("new and old must be rounds of one workflow, are of two")
    if new.version.checksum != old.version.checksum:
        raise NotComparableError(
            f"rounds {new.number} and {old.number} must answer one decision tree, answer versions "
            f"{new.version.number} and {old.version.number}"
        )


def _on_panel(new: Round, old: Round) -> tuple[Votes, tuple[Votes, Votes]]:
    """Return counts (n, A), and both models' concentrations (n, A), of what both predicted."""
    panel = dict(panel_counts(version=new.version).values())
    found = [predictions_of(round_, list(panel)) for round_ in (new, old)]
    common = [id_str for id_str in panel if id_str in found[0] and id_str in found[1]]
    if not common:
        raise NotComparableError("both models must have predicted a panel galaxy with votes")
    counts = np.array([panel[id_str] for id_str in common], dtype=np.float64)
    first, second = (np.array([each[name] for name in common], dtype=float) for each in found)
    return counts, (first, second)


def _scores(
    counts: Votes, new: Votes, old: Votes, tree: DecisionTree, columns: slice | None
) -> Scores:
    costs = [negative_log_likelihood(counts, each, tree).sum() for each in (new, old)]
    accuracies = [
        None if columns is None else _accuracy(counts, each, columns) for each in (new, old)
    ]
    return Scores(
        galaxies=int((counts.sum(axis=1) > 0).sum()),
        new_nll=float(costs[0] / counts.sum()),
        old_nll=float(costs[1] / counts.sum()),
        new_accuracy=accuracies[0],
        old_accuracy=accuracies[1],
        comparison=compare(counts, new, old, tree, seed=0, n_bootstrap=DRAWS),
    )


def _accuracy(counts: Votes, concentrations: Votes, columns: slice) -> float:
    asked = counts[:, columns].sum(axis=1) > 0
    votes, said = counts[asked, columns], concentrations[asked, columns].argmax(axis=1)
    return float((votes[np.arange(len(votes)), said] == votes.max(axis=1)).mean())
