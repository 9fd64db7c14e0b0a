"""What a volunteer is told after practising on a galaxy that experts know.

Never built for a subject that the reader has not classified: gold answers stay on the
server until then.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import prefetch_related_objects
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from lenticular.classifications.models import Kind
from lenticular.classifications.selectors import gold_standards
from lenticular.subjects.selectors import image_urls

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lenticular.classifications.models import Classification
    from mlcore.tree import DecisionTree

EXPLANATION = "explanation"
"""Key under which a gold standard's metadata keeps what its expert says of it."""


@dataclass(frozen=True)
class Comparison:
    """One question that the volunteer and an expert were both asked, in slugs.

    `experts` holds every answer that an expert gave; the volunteer agrees with one of them.
    """

    question: str
    yours: str
    experts: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether some expert answered alike."""
        return self.yours in self.experts


@dataclass(frozen=True)
class FeedbackStep:
    """One compared question, in the reader's words."""

    question: str
    yours: str
    expert: str
    agrees: bool
    help: str


@dataclass(frozen=True)
class Feedback:
    """How a volunteer's answers to a practice galaxy compare with the experts'.

    `text` is an expert's own explanation, or says what practice is for; `thumb` is empty
    for a galaxy without an image.
    """

    agrees: bool
    title: str
    text: str
    url: str
    thumb: str
    steps: list[FeedbackStep]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def compare_paths(
    own: Sequence[Sequence[str]], experts: Sequence[Sequence[Sequence[str]]]
) -> list[Comparison]:
    """Compare a path with experts' paths, question by question in the order of `own`.

    Questions that no expert was asked say nothing and are left out: they follow from an
    answer on which the paths parted. Without experts the result is empty.
    """
    answers: dict[str, list[str]] = {}
    for path in experts:
        for question, answer in path:
            answers.setdefault(question, []).append(answer)
    return [
        Comparison(question, answer, tuple(dict.fromkeys(answers[question])))
        for question, answer in own
        if question in answers
    ]


def feedback_of(classification: Classification) -> Feedback | None:
    """Return what to tell of a classification; None for a vote, or without a gold standard."""
    if classification.kind != Kind.PRACTICE:
        return None
    gold = list(
        gold_standards(version_id=classification.version_id)
        .filter(subject=classification.subject_id)
        .order_by("id")
    )
    compared = compare_paths(classification.annotations, [each.annotations for each in gold])
    if not compared:
        return None
    agrees = all(each.agrees for each in compared)
    tree, language = classification.version.tree, get_language() or "en"
    return Feedback(
        agrees=agrees,
        title=_title(agrees=agrees),
        text=_explanation([each.metadata for each in gold]),
        url=reverse("galaxy", args=[classification.subject_id]),
        thumb=_thumb(classification),
        steps=[_step(each, tree, language) for each in compared],
    )


def _title(*, agrees: bool) -> str:
    if agrees:
        return _("A practice galaxy: you saw what the experts saw.")
    return _("A practice galaxy: the experts saw it a little differently.")


def _explanation(metadata: Sequence[Mapping[str, Any]]) -> str:
    """Return the latest expert's explanation, or what holds of every practice galaxy."""
    given = [str(each[EXPLANATION]) for each in metadata if each.get(EXPLANATION)]
    if given:
        return given[-1]
    return _("Practice helps the eye and does not count as a vote.")


def _thumb(classification: Classification) -> str:
    prefetch_related_objects([classification.subject], "images")
    return image_urls(classification.subject).get("thumb", "")


def _step(compared: Comparison, tree: DecisionTree, language: str) -> FeedbackStep:
    question = tree.question(compared.question)
    spoken = [question.answer(slug).text(language) for slug in compared.experts]
    return FeedbackStep(
        question=question.text(language),
        yours=question.answer(compared.yours).text(language),
        expert=_(" or ").join(spoken),
        agrees=compared.agrees,
        help=question.help_text(language),
    )
