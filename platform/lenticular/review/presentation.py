"""What the review pages show, in words and numbers ready to print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from lenticular.rounds.models import FlagState, MislabelFlag

if TYPE_CHECKING:
    from lenticular.review.contamination import Estimate
    from lenticular.review.selectors import Progress
    from mlcore.tree import DecisionTree

STATES = {
    "": gettext_lazy("all"),
    FlagState.OPEN: gettext_lazy("open"),
    FlagState.MISLABEL: gettext_lazy("votes wrong"),
    FlagState.VOTES_RIGHT: gettext_lazy("votes right"),
    FlagState.UNSURE: gettext_lazy("unsure"),
}
BADGES = {FlagState.MISLABEL: "badge-bad", FlagState.VOTES_RIGHT: "badge-good"}


@dataclass(frozen=True)
class BarPair:
    """One answer: the share of votes it got beside the share predicted, in percent."""

    answer: str
    observed: float
    expected: float


@dataclass(frozen=True)
class Choice:
    """One answer of the form; `next` is the question it leads to, empty at the end."""

    value: str
    text: str
    next: str
    checked: bool


@dataclass(frozen=True)
class QuestionForm:
    """One question of the form."""

    slug: str
    text: str
    is_start: bool
    choices: list[Choice]


def language() -> str:
    """Return the language in which trees speak."""
    return get_language() or "en"


def question_text(flag: MislabelFlag) -> str:
    """Return the question whose votes surprise."""
    return flag.round.version.tree.question(flag.question).text(language())


def said(flag: MislabelFlag) -> str:
    """Return the answer that most votes went to."""
    return _top_answer(flag, flag.observed)


def likely(flag: MislabelFlag) -> str:
    """Return the answer that the models expect."""
    return _top_answer(flag, flag.expected)


def _top_answer(flag: MislabelFlag, shares: dict[str, float]) -> str:
    question = flag.round.version.tree.question(flag.question)
    return question.answer(max(shares, key=shares.__getitem__)).text(language())


def reason(flag: MislabelFlag) -> str:
    """Return in one sentence what was voted and what was expected."""
    return _(
        "%(share)s of volunteers said “%(said)s”; galaxies that look like it get “%(likely)s” "
        "from %(expected)s."
    ) % {
        "share": f"{max(flag.observed.values()):.0%}",
        "said": said(flag),
        "likely": likely(flag),
        "expected": f"{max(flag.expected.values()):.0%}",
    }


def bars(flag: MislabelFlag) -> list[BarPair]:
    """Return votes against prediction, answer by answer."""
    question = flag.round.version.tree.question(flag.question)
    return [
        BarPair(
            answer=answer.text(language()),
            observed=100 * flag.observed.get(answer.slug, 0.0),
            expected=100 * flag.expected.get(answer.slug, 0.0),
        )
        for answer in question.answers
    ]


def chance(value: float) -> str:
    """Return a probability with two significant digits."""
    return f"{value:.2g}"


def answer_form(tree: DecisionTree, given: dict[str, str]) -> list[QuestionForm]:
    """Return the tree's questions to answer; `given` holds what was answered before."""
    return [
        QuestionForm(
            slug=question.slug,
            text=question.text(language()),
            is_start=question.slug == tree.start,
            choices=[
                Choice(
                    value=answer.slug,
                    text=answer.text(language()),
                    next=answer.next or "",
                    checked=given.get(question.slug) == answer.slug,
                )
                for answer in question.answers
            ],
        )
        for question in tree.questions
    ]


def progress_lines(progress: Progress) -> dict[str, Any]:
    """Return the progress with its estimates in words."""
    found = progress.contamination
    rate = found.rate if found else None
    return {
        "progress": progress,
        "precision": in_percent(found.precision) if found else "",
        "rate": in_percent(rate) if rate else "",
    }


def in_percent(estimate: Estimate) -> str:
    """Return an estimate with its 90% interval."""
    ends = {
        "value": f"{estimate.value:.1%}",
        "low": f"{estimate.low:.1%}",
        "high": f"{estimate.high:.1%}",
    }
    return _("%(value)s (%(low)s to %(high)s)") % ends
