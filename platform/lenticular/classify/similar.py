"""Galaxies that look like one to the current model: the machine's opinion, so shown with votes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import get_language

from lenticular.accounts.selectors import identities
from lenticular.classifications.selectors import classified_among
from lenticular.consensus.selectors import counts_by_subject
from lenticular.rounds.selectors import current_model, prediction_id, read_neighbours
from lenticular.subjects.selectors import image_urls, subjects_by_catalogue_id

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lenticular.accounts.models import Volunteer
    from lenticular.subjects.models import Subject
    from lenticular.workflows.models import WorkflowVersion


@dataclass(frozen=True)
class SimilarGalaxy:
    """A galaxy that looks like another; `words` is empty for who has not classified it."""

    subject: Subject
    image: str
    words: str


def similar_galaxies(
    *, subject: Subject, version: WorkflowVersion, volunteer: Volunteer | None, sees_all: bool
) -> list[SimilarGalaxy]:
    """Return what looks most like the subject, nearest first; only for who may see its votes.

    Empty where the current model has no such list, or speaks of another version. Of those
    that the reader has not classified nothing but the picture is told.
    """
    model = current_model(version.workflow)
    if model is None or model.round.version_id != version.pk:
        return []
    ids = read_neighbours(model.round, prediction_id(subject))
    found = subjects_by_catalogue_id(ids)
    subjects = [found[each] for each in ids if each in found and found[each].images.all()]
    counts = _told(subjects, version, volunteer, sees_all=sees_all)
    return [
        SimilarGalaxy(each, image_urls(each)["page"], _words(version, counts.get(each.pk)))
        for each in subjects
    ]


def _told(
    subjects: list[Subject],
    version: WorkflowVersion,
    volunteer: Volunteer | None,
    *,
    sees_all: bool,
) -> dict[int, NDArray[np.int64]]:
    """Return the votes of those subjects whose votes the reader may know."""
    told = {each.pk for each in subjects}
    if not sees_all:
        told = classified_among(
            workflow=version.workflow,
            subject_ids=told,
            volunteer_ids=identities(volunteer) if volunteer else [],
        )
    return counts_by_subject(version=version, subject_ids=told)


def _words(version: WorkflowVersion, counts: NDArray[np.int64] | None) -> str:
    """Say what most people answered to the first question."""
    tree = version.tree
    if counts is None or not counts[tree.question_slices[tree.start]].any():
        return ""
    first = int(counts[tree.question_slices[tree.start]].argmax())
    return tree.question(tree.start).answers[first].text(get_language() or "en")
