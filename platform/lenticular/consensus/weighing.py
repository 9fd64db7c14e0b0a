"""Volunteer weights, from the log."""

from __future__ import annotations

from array import array
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce

from lenticular.classifications.selectors import votes_of
from lenticular.consensus.models import VolunteerWeight
from lenticular.workflows.services import lock_workflow
from mlcore.votes.table import VoteTable
from mlcore.votes.weights import careless_volunteers, volunteer_weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lenticular.workflows.models import Workflow, WorkflowVersion

CHUNK = 2000


def compute_weights(*, workflow: Workflow) -> int:
    """Weigh every volunteer by how far their votes on the current version agree with others'.

    The formulas and their source are in `mlcore.votes.weights`. Votes are held as four
    integers each; a workflow without votes gets no weights.

    Returns
    -------
    int
        The number of volunteers weighed.
    """
    version = workflow.current_version
    if version is None:
        return 0
    volunteers, votes = _vote_table(workflow, version)
    found = volunteer_weights(votes)
    careless = set(careless_volunteers(votes).tolist())
    # Everybody answers the first question, once per subject.
    counts = np.bincount(votes.volunteer[votes.question == 0], minlength=len(volunteers))
    rows = [
        VolunteerWeight(
            workflow=workflow,
            volunteer_id=volunteer,
            weight=float(found.weight[place]),
            agreement=float(found.consistency[place]) if found.compared[place] else None,
            votes=int(counts[place]),
            is_careless=place in careless,
        )
        for place, volunteer in enumerate(volunteers)
    ]
    _replace(workflow, rows)
    return len(rows)


@transaction.atomic
def _replace(workflow: Workflow, rows: list[VolunteerWeight]) -> None:
    lock_workflow(workflow=workflow)
    VolunteerWeight.objects.filter(workflow=workflow).delete()
    VolunteerWeight.objects.bulk_create(rows, batch_size=CHUNK)


def _vote_table(workflow: Workflow, version: WorkflowVersion) -> tuple[list[int], VoteTable]:
    """Return the volunteers' ids by index, and the votes that count."""
    tree = version.tree
    question = {asked.slug: place for place, asked in enumerate(tree.questions)}
    first = {slug: span.start for slug, span in tree.question_slices.items()}
    volunteers: dict[int, int] = {}
    numbers = array("q")
    for subject, votes in enumerate(_votes_by_subject(workflow, version)):
        for who, path in votes:
            voter = volunteers.setdefault(who, len(volunteers))
            for asked, answer in path:
                place = tree.column_index[asked, answer] - first[asked]
                numbers.extend((voter, subject, question[asked], place))
    table = np.frombuffer(numbers, dtype=np.int64).reshape(-1, 4)
    return list(volunteers), VoteTable(tree, *table.T)


def _votes_by_subject(
    workflow: Workflow, version: WorkflowVersion
) -> Iterator[list[tuple[int, list[list[str]]]]]:
    """Yield each subject's (person, path) on this version; a person's earliest vote counts."""
    person = Coalesce(F("volunteer__merged_into_id"), F("volunteer_id"))
    rows = votes_of(workflow=workflow).annotate(person=person)
    columns = rows.values_list("subject_id", "person", "version_id", "annotations")
    for _, votes in groupby(columns.iterator(chunk_size=CHUNK), key=itemgetter(0)):
        earliest: dict[int, tuple[int, list[list[str]]]] = {}
        for _, who, version_id, path in votes:
            earliest.setdefault(who, (version_id, path))
        counted = [(who, path) for who, (pk, path) in earliest.items() if pk == version.pk]
        if counted:
            yield counted
