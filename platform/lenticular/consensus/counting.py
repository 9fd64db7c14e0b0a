"""What the log says: counts, and whether they retire a subject. No database here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lenticular.consensus.models import RetirementReason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lenticular.workflows.models import Workflow
    from mlcore.tree import DecisionTree


def columns_of(annotations: Iterable[Sequence[str]]) -> list[str]:
    """Return the label columns that a path of [question, answer] pairs votes for."""
    return [f"{question}_{answer}" for question, answer in annotations]


def add_votes(counts: Mapping[str, int], columns: Iterable[str], by: int = 1) -> dict[str, int]:
    """Return `counts` with `by` added for each column; columns without votes are left out."""
    changed = dict(counts)
    for column in columns:
        changed[column] = changed.get(column, 0) + by
    return {column: votes for column, votes in changed.items() if votes}


def reason_to_retire(
    workflow: Workflow, tree: DecisionTree, counts: Mapping[str, int], classifications: int
) -> RetirementReason | None:
    """Return why a subject with this tally is retired, or None while it is not.

    Both rules only ever begin to hold as votes come in, so that the answer does not
    depend on the order of the votes.
    """
    if sum(counts.get(column, 0) for column in tree.artifact_cols) >= workflow.artifact_votes:
        return RetirementReason.ARTIFACT
    if classifications >= workflow.retirement_votes:
        return RetirementReason.VOTE_COUNT
    return None
