"""What the galaxy page shows: votes beside the machine's prediction, for those who may see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from django.utils.translation import get_language

from lenticular.accounts.models import Role, User, Volunteer
from lenticular.accounts.selectors import identities
from lenticular.classifications.selectors import has_classified
from lenticular.classify.similar import SimilarGalaxy, similar_galaxies
from lenticular.classify.treechart import chart, layers_of
from lenticular.consensus.selectors import counts_array, retirement_of, tally_of
from lenticular.rounds.selectors import current_model, prediction_id, read_predictions
from lenticular.workflows.models import Workflow, WorkflowVersion
from mlcore.votes.posteriors import credible_interval, posterior_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lenticular.classify.treechart import Chart
    from lenticular.subjects.models import Subject
    from mlcore.tree import DecisionTree, Question

INTERVAL = 0.9
"""Posterior probability of the interval drawn around the machine's prediction."""


@dataclass(frozen=True)
class AnswerVotes:
    """One answer: votes, percent of its question's, and the machine's mean and interval (%)."""

    text: str
    icon: str
    votes: int
    percent: float
    predicted: float | None
    low: float
    high: float

    @property
    def spread(self) -> float:
        """Width of the machine's interval, in percent."""
        return self.high - self.low


@dataclass(frozen=True)
class QuestionVotes:
    """One question that people were asked of this galaxy."""

    text: str
    total: int
    answers: list[AnswerVotes]


@dataclass(frozen=True)
class WorkflowVotes:
    """A workflow's view of a galaxy; `questions` is None for who may not see the votes yet."""

    workflow: Workflow
    questions: list[QuestionVotes] | None
    chart: Chart | None = None
    similar: list[SimilarGalaxy] = field(default_factory=list)
    classifications: int = 0
    retirement: str = ""
    has_prediction: bool = False


def may_see_all_votes(user: object) -> bool:
    """Tell whether the user sees votes without having classified: experts and astronomers do."""
    return isinstance(user, User) and user.has_role(Role.EXPERT, Role.ASTRONOMER)


def votes_of_galaxy(
    *, subject: Subject, volunteer: Volunteer | None, sees_all: bool
) -> list[WorkflowVotes]:
    """Return each workflow's votes for the subject, hidden where not answered by `volunteer`."""
    workflows = Workflow.objects.filter(
        subject_sets__subjects=subject, current_version__isnull=False
    )
    found = workflows.select_related("current_version").distinct().order_by("-id")
    return [
        _revealed(workflow, subject, volunteer, sees_all=sees_all)
        if sees_all or _has_answered(workflow, subject, volunteer)
        else WorkflowVotes(workflow=workflow, questions=None)
        for workflow in found
    ]


def _has_answered(workflow: Workflow, subject: Subject, volunteer: Volunteer | None) -> bool:
    return volunteer is not None and has_classified(
        workflow=workflow, subject_id=subject.pk, volunteer_ids=identities(volunteer)
    )


def _revealed(
    workflow: Workflow, subject: Subject, volunteer: Volunteer | None, *, sees_all: bool
) -> WorkflowVotes:
    version = workflow.current_version
    if version is None:
        return WorkflowVotes(workflow=workflow, questions=[])
    tally = tally_of(version=version, subject_id=subject.pk)
    counts = counts_array(tally.counts if tally else {}, version.tree)
    prediction = _prediction(version, subject)
    retirement = retirement_of(workflow=workflow, subject_id=subject.pk)
    return WorkflowVotes(
        workflow=workflow,
        questions=_questions(version.tree, counts, prediction),
        similar=similar_galaxies(
            subject=subject, version=version, volunteer=volunteer, sees_all=sees_all
        ),
        chart=chart(version.tree, counts, get_language() or "en"),
        classifications=tally.classifications if tally else 0,
        retirement=retirement.reason if retirement else "",
        has_prediction=prediction is not None,
    )


def _prediction(version: WorkflowVersion, subject: Subject) -> NDArray[Any] | None:
    """Return the current model's concentrations (A,), unless it speaks of another version."""
    model = current_model(version.workflow)
    if model is None or model.round.version_id != version.pk:
        return None
    name = prediction_id(subject)
    return read_predictions(model.round, [name]).get(name)


def _questions(
    tree: DecisionTree, counts: NDArray[np.int64], prediction: NDArray[Any] | None
) -> list[QuestionVotes]:
    """Return the questions that somebody was asked, in the order of the tree."""
    bands = None if prediction is None else _bands(tree, prediction)
    reached = layers_of(tree, counts)
    asked = [each for each in tree.questions if each.slug in reached]
    return [_question(tree, each, counts, bands) for each in asked]


def _bands(tree: DecisionTree, prediction: NDArray[Any]) -> NDArray[np.float64]:
    """Return mean, low and high of each answer's fraction, in percent; shape (A, 3)."""
    none = np.zeros(len(tree.label_cols))
    mean = posterior_mean(none, tree, prediction)
    interval = credible_interval(none, tree, prediction, INTERVAL)
    return 100 * np.column_stack([mean, interval])


def _question(
    tree: DecisionTree,
    question: Question,
    counts: NDArray[np.int64],
    bands: NDArray[np.float64] | None,
) -> QuestionVotes:
    language, place = get_language() or "en", tree.question_slices[question.slug]
    votes = counts[place]
    rows = bands[place].tolist() if bands is not None else [[None, 0.0, 0.0]] * len(votes)
    answers = [
        AnswerVotes(
            text=answer.text(language),
            icon=answer.icon,
            votes=int(count),
            percent=100 * float(count) / int(votes.sum()),
            predicted=mean,
            low=low,
            high=high,
        )
        for answer, count, (mean, low, high) in zip(question.answers, votes, rows, strict=True)
    ]
    total = int(votes.sum())
    return QuestionVotes(text=question.text(language), total=total, answers=answers)
