"""Reads of tallies, retirements and weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from django.db.models import Sum

from lenticular.accounts.selectors import identities_of
from lenticular.consensus.models import Retirement, Tally, VolunteerWeight

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from numpy.typing import NDArray

    from lenticular.accounts.models import User
    from lenticular.workflows.models import Workflow, WorkflowVersion
    from mlcore.tree import DecisionTree

CHUNK = 2000


def tally_of(*, version: WorkflowVersion, subject_id: int) -> Tally | None:
    """Return the subject's tally under this version, if it has votes."""
    return Tally.objects.filter(version=version, subject=subject_id).first()


def counts_array(counts: Mapping[str, int], tree: DecisionTree) -> NDArray[np.int64]:
    """Return a tally's counts in the order of `tree.label_cols`, shape (A,)."""
    return np.array([counts.get(column, 0) for column in tree.label_cols], dtype=np.int64)


def counts_by_subject(
    *, version: WorkflowVersion, subject_ids: Collection[int]
) -> dict[int, NDArray[np.int64]]:
    """Return subject to counts (A,), of those of `subject_ids` that have votes."""
    tallies = Tally.objects.filter(version=version, subject__in=subject_ids)
    tree = version.tree
    rows = tallies.values_list("subject", "counts")
    return {subject_id: counts_array(counts, tree) for subject_id, counts in rows}


def iterate_counts(*, version: WorkflowVersion) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield (subject, counts (A,)) of every tallied subject, in the order of subjects."""
    tallies = Tally.objects.filter(version=version).order_by("subject_id")
    rows = tallies.values_list("subject_id", "counts").iterator(chunk_size=CHUNK)
    tree = version.tree
    return ((subject_id, counts_array(counts, tree)) for subject_id, counts in rows)


def count_classifications(*, version: WorkflowVersion) -> int:
    """Return how many votes the tallies of this version hold."""
    votes = Tally.objects.filter(version=version).aggregate(votes=Sum("classifications"))["votes"]
    return votes or 0


def retirement_reasons(*, workflow: Workflow, subject_ids: Collection[int]) -> dict[int, str]:
    """Return subject to reason, of those of `subject_ids` that are retired."""
    retired = Retirement.objects.filter(workflow=workflow, subject__in=subject_ids)
    return dict(retired.values_list("subject", "reason"))


def retirement_of(*, workflow: Workflow, subject_id: int) -> Retirement | None:
    """Return the subject's retirement from the workflow, if any."""
    return Retirement.objects.filter(workflow=workflow, subject=subject_id).first()


def weights_of(*, workflow: Workflow) -> dict[int, float]:
    """Return volunteer to weight, of those whose weight has been computed."""
    return dict(
        VolunteerWeight.objects.filter(workflow=workflow).values_list("volunteer", "weight")
    )


def weight_records_of(user: User) -> Iterator[dict[str, Any]]:
    """Yield how far the person's votes count, one record a workflow, for the person to keep."""
    found = VolunteerWeight.objects.filter(volunteer__in=identities_of(user))
    for each in found.select_related("workflow").order_by("id"):
        yield {
            "workflow": each.workflow.slug,
            "weight": each.weight,
            "agreement": each.agreement,
            "votes": each.votes,
            "is_careless": each.is_careless,
            "computed_at": each.computed_at,
        }
