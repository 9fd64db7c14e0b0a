"""What the home page shows, and what keeps it live.

The snapshot is made at most once a second for all who watch, and is the same for all: it
holds numbers, names and addresses, no words. Nothing here is told to the page by a vote, so
that no vote is slowed by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from django.core.cache import cache
from django.urls import reverse

from lenticular.classifications.models import Classification, Kind
from lenticular.classify.counting import count_growing
from lenticular.classify.selectors import just_classified, last_lesson, open_workflows
from lenticular.consensus.models import Retirement
from lenticular.rounds.selectors import current_model, prediction_id, read_predictions
from lenticular.selection.models import QueueEntry
from lenticular.selection.selectors import queue_head
from lenticular.subjects.selectors import image_urls
from mlcore.votes.posteriors import posterior_mean
from mlcore.votes.tallies import relevance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from lenticular.rounds.models import Round
    from lenticular.subjects.models import Subject
    from lenticular.workflows.models import Workflow
    from mlcore.tree import DecisionTree

SNAPSHOT_SECONDS = 1
ASKING_SECONDS = 60
STRIP = 13
"""How many just-classified galaxies the home page shows, the large one included."""
PICTURES = 6
HEAD, FEWEST = 200, 10
"""Of how many galaxies at the head of the queue the doubt is told; of fewer than this, never."""


@dataclass(frozen=True)
class Asking:
    """What the machine asks about now: pictures, and the question that it doubts most of all.

    `question` is None where there are too few predictions: the doubt is told of many galaxies
    together, so that it says nothing of any one of those pictured.
    """

    pictures: list[str]
    question: str | None


def home_snapshot() -> dict[str, Any]:
    """Return what changes while the page is open, as JSON values; at most a second old."""
    found: dict[str, Any] = cache.get_or_set("classify:home", _snapshot, SNAPSHOT_SECONDS) or {}
    return found


def _snapshot() -> dict[str, Any]:
    lesson = last_lesson()
    return {
        "counts": project_counts(),
        "workflows": [_progress(workflow) for workflow in open_workflows()],
        "strip": [_galaxy(subject) for subject in just_classified(limit=STRIP)],
        "round": lesson.round.pk if lesson else 0,
    }


def project_counts() -> dict[str, int]:
    """Count votes, and galaxies with enough of them, over all workflows."""
    return {
        "classifications": count_growing("votes", Classification.objects.filter(kind=Kind.VOTE)),
        "finished": count_growing("retired", Retirement.objects.all()),
    }


def _progress(workflow: Workflow) -> dict[str, Any]:
    retired = Retirement.objects.filter(workflow=workflow)
    queued = QueueEntry.objects.filter(workflow=workflow)
    return {
        "slug": workflow.slug,
        "name": workflow.name,
        "retired": count_growing(f"retired:{workflow.pk}", retired),
        "queued": count_growing(f"queued:{workflow.pk}", queued),
    }


def _galaxy(subject: Subject) -> dict[str, Any]:
    return {
        "id": subject.pk,
        "name": subject.external_id,
        "image": image_urls(subject)["page"],
        "url": reverse("galaxy", args=[subject.pk]),
    }


def asking_now(workflow: Workflow) -> Asking | None:
    """Return what the workflow's machine asks about; None before its first round."""
    model = current_model(workflow)
    if model is None or workflow.current_version_id != model.round.version_id:
        return None
    key = f"classify:asking:{workflow.pk}:{model.round_id}"
    found: Asking | None = cache.get_or_set(
        key, lambda: _asking(workflow, model.round), ASKING_SECONDS
    )
    return found


def _asking(workflow: Workflow, round_: Round) -> Asking:
    head = [entry.subject for entry in queue_head(workflow=workflow, limit=HEAD)]
    pictured = [image_urls(subject) for subject in head]
    return Asking(
        pictures=[urls["page"] for urls in pictured if urls][:PICTURES],
        question=_most_doubtful(round_, head),
    )


def _most_doubtful(round_: Round, head: Iterable[Subject]) -> str | None:
    ids = [prediction_id(subject) for subject in head]
    found = read_predictions(round_, ids)
    if len(found) < FEWEST:
        return None
    tree = round_.version.tree
    doubt = mean_doubt(np.stack(list(found.values())), tree)
    return tree.questions[int(doubt.argmax())].slug


def mean_doubt(
    concentrations: NDArray[np.floating[Any]], tree: DecisionTree
) -> NDArray[np.float64]:
    """Return how unsure a model is of each question, from 0 to 1, shape (Q,).

    The entropy of the expected vote fractions, as a share of the largest there can be, times
    the chance that the question is asked; averaged over galaxies.

    Parameters
    ----------
    concentrations
        Dirichlet concentrations, positive, shape (n, A), n at least 1.
    tree
        The questions.
    """
    share = posterior_mean(np.zeros(concentrations.shape), tree, concentrations)
    asked = relevance(share, tree)
    surprise = -share * np.log(share)
    entropies = [
        surprise[:, place].sum(axis=1) / np.log(place.stop - place.start)
        for place in tree.question_slices.values()
    ]
    doubt: NDArray[np.float64] = (asked * np.column_stack(entropies)).mean(axis=0)
    return doubt
