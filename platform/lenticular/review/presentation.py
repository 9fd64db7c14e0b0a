"""What the review pages show, in words and numbers ready to print."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from lenticular.review.contamination import Draw, Estimate, Verdicts
from lenticular.review.selectors import FLAGS, SPOT_CHECKS
from lenticular.rounds.models import FlagState, MislabelFlag

if TYPE_CHECKING:
    from datetime import datetime

    from lenticular.accounts.models import User
    from lenticular.review.selectors import Progress, SpotCheckProgress
    from mlcore.tree import DecisionTree

STATES = {
    "": gettext_lazy("all"),
    FlagState.OPEN: gettext_lazy("open"),
    FlagState.MISLABEL: gettext_lazy("votes wrong"),
    FlagState.VOTES_RIGHT: gettext_lazy("votes right"),
    FlagState.UNSURE: gettext_lazy("unsure"),
}
KINDS = {
    "": gettext_lazy("flags and spot checks"),
    FLAGS: gettext_lazy("flags"),
    SPOT_CHECKS: gettext_lazy("spot checks"),
}
BADGES = {FlagState.MISLABEL: "badge-bad", FlagState.VOTES_RIGHT: "badge-good"}


@dataclass(frozen=True)
class BarPair:
    """One answer: the share of votes it got beside the share predicted, in percent."""

    answer: str
    observed: float
    expected: float


@dataclass(frozen=True)
class VerdictLine:
    """What an expert said of a flag, and when; `expert` is None where the account is gone."""

    state_name: str
    badge: str
    expert: User | None
    created_at: datetime
    note: str


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
    agree = said(flag) == likely(flag)
    sentence = (
        _(
            "%(share)s of volunteers said “%(said)s”; galaxies that look like it get the same "
            "from %(expected)s."
        )
        if agree
        else _(
            "%(share)s of volunteers said “%(said)s”; galaxies that look like it get “%(likely)s” "
            "from %(expected)s."
        )
    )
    return sentence % {
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


def verdicts(flag: MislabelFlag) -> list[VerdictLine]:
    """Return what experts said of a flag, the first of them first; the last one counts."""
    return [
        VerdictLine(
            state_name=str(STATES[each.state]),
            badge=BADGES.get(FlagState(each.state), ""),
            expert=each.expert,
            created_at=each.created_at,
            note=each.note,
        )
        for each in flag.verdicts.all()
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
    made = progress.spot_checks
    return {
        "progress": progress,
        "precision": in_percent(found.precision) if found else "",
        "rate": in_percent(rate) if rate else "",
        "judged": f"{progress.judged or 0:,}",
        "spot_checks": spot_check_lines(progress.flags, made) if made else None,
    }


def spot_check_lines(flags: Verdicts, made: SpotCheckProgress) -> dict[str, Any]:
    """Return what the page says of spot checks that are drawn, with what it rests on.

    `share` is empty before it can be told; `is_whole` is false while flags are open or
    unsure, when it is an interval alone.
    """
    share = made.share
    settled = made.following.verdicts.settled + made.rest.verdicts.settled
    return {
        "following": _of_draw(made.following) if made.following.galaxies else "",
        "rest": _of_draw(made.rest) if made.rest.galaxies else "",
        "earlier": _of_settled(made.earlier) if made.earlier.settled else "",
        "share": in_percent(Estimate(share.estimate, share.lower, share.upper)) if share else "",
        "is_whole": share is not None and not isnan(share.estimate),
        "judged": f"{made.judged:,}",
        "flags": f"{flags.settled:,}",
        "all_flags": f"{flags.total:,}",
        "checks": f"{settled:,}",
        "all_checks": f"{made.drawn:,}",
    }


def _of_draw(draw: Draw) -> str:
    return _("%(found)s judged, of %(galaxies)s galaxies") % {
        "found": _of_settled(draw.verdicts),
        "galaxies": f"{draw.galaxies:,}",
    }


def _of_settled(verdicts: Verdicts) -> str:
    numbers = {"wrong": verdicts.confirmed, "settled": verdicts.settled}
    return _("%(wrong)s of %(settled)s") % numbers


def in_percent(estimate: Estimate) -> str:
    """Return an estimate with its interval; the interval alone where the estimate is NaN."""
    ends = {"low": f"{estimate.low:.1%}", "high": f"{estimate.high:.1%}"}
    if isnan(estimate.value):
        return _("%(low)s to %(high)s") % ends
    return _("%(value)s (%(low)s to %(high)s)") % {"value": f"{estimate.value:.1%}", **ends}
