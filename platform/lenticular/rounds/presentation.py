"""What the rounds pages show, in words and numbers ready to print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import get_language, gettext_lazy, gettext_noop
from django.utils.translation import gettext as _

from lenticular.rounds import selectors, workspace
from lenticular.rounds.models import Round, TrainedModel, Verdict
from lenticular.rounds.publishing import images_left_out
from lenticular.workflows.models import Workflow

STAGE_TITLES = {
    "snapshot": gettext_lazy("Gather votes"),
    "train": gettext_lazy("Train"),
    "evaluate": gettext_lazy("Compare"),
    "predict": gettext_lazy("Predict"),
    "acquire": gettext_lazy("Choose next"),
    "flag": gettext_lazy("Find mislabels"),
    "publish": gettext_lazy("Publish"),
}
STATES = {
    "pending": gettext_lazy("waiting for a worker"),
    "running": gettext_lazy("running"),
    "succeeded": gettext_lazy("finished"),
    "failed": gettext_lazy("failed"),
    "cancelled": gettext_lazy("cancelled"),
}
VERDICTS = {
    "": "–",
    "accepted": gettext_lazy("accepted"),
    "refused": gettext_lazy("refused"),
    "overridden": gettext_lazy("published all the same"),
    "outdated": gettext_lazy("outdated"),
}
NOTHING_TO_COMPARE = (
    gettext_noop("There was no model before this one to compare with."),
    gettext_noop("The model before this one answered another decision tree."),
)
"""What the gate says of a round where there was no comparison (see mlcore.round_learning)."""

SHOWN_ROUNDS = 20
AXIS = 300.0
"""Width of the gate's drawing, in its own units."""


@dataclass(frozen=True)
class WorkflowRounds:
    """A workflow on the list of rounds."""

    workflow: Workflow
    rounds: list[RoundLine]
    active: Round | None
    model: TrainedModel | None


@dataclass(frozen=True)
class RoundLine:
    """A round on the list."""

    round: Round
    state: str
    accuracy: str
    interval: str


@dataclass(frozen=True)
class StageLine:
    """A stage on the page of a round."""

    name: str
    title: str
    state: str
    percent: int
    message: str
    error: str


@dataclass(frozen=True)
class QuestionLine:
    """A question in the evaluation table."""

    title: str
    galaxies: int
    accuracy: str
    confident: str
    rmse: str
    floor: str
    nll: str
    previous_nll: str
    coverage: str


@dataclass(frozen=True)
class UnreadableImages:
    """Images that the round goes without: how many, how many of each reason, a few by id."""

    number: int
    reasons: str
    named: dict[str, str]


@dataclass(frozen=True)
class Gate:
    """What the gate found, and where to draw it, from 0 to `AXIS`."""

    accepted: bool
    difference: str
    low: str
    high: str
    margin: str
    n: int
    left: float
    width: float
    middle: float
    zero: float
    limit: float


def workflows() -> list[WorkflowRounds]:
    """Return every workflow that has a version, with its latest rounds."""
    found = Workflow.objects.filter(current_version__isnull=False).order_by("slug")
    return [
        WorkflowRounds(
            workflow=workflow,
            rounds=[round_line(each) for each in _latest(workflow)],
            active=selectors.active_round(workflow=workflow),
            model=selectors.current_model(workflow),
        )
        for workflow in found
    ]


def round_line(round_: Round) -> RoundLine:
    """Return a round as the list shows it."""
    start = round_.version.tree.start
    first = round_.evaluation.get("questions", {}).get(start, {})
    comparison = round_.evaluation.get("comparison")
    interval = ""
    if comparison:
        interval = f"{comparison['low']:+.3f} … {comparison['high']:+.3f}"
    return RoundLine(
        round=round_,
        state=state_in_words(round_),
        accuracy=_percent(first.get("accuracy")),
        interval=interval,
    )


def state_in_words(round_: Round) -> str:
    """Return where a round stands, the gate's verdict included."""
    if selectors.is_stalled(round_):
        return _("stalled: its worker is not heard")
    if round_.is_active and round_.cancel_requested:
        return _("stopping")
    if round_.verdict in {Verdict.REFUSED, Verdict.OUTDATED}:
        return _("finished, not published")
    return str(STATES[round_.state])


def verdict_in_words(round_: Round) -> str:
    """Return the gate's verdict, or why it was overridden as the admin wrote it."""
    comparison = round_.evaluation.get("comparison")
    if round_.verdict == Verdict.OVERRIDDEN:
        return round_.verdict_reason
    if round_.verdict == Verdict.OUTDATED:
        return _(round_.verdict_reason)
    if comparison and comparison["not_worse"]:
        return _("Not worse than the model before.")
    if comparison:
        return _("Not shown to be as good as the model before.")
    return _(round_.verdict_reason) if round_.verdict_reason else ""


def stages(round_: Round) -> list[StageLine]:
    """Return the stages in order."""
    return [
        StageLine(
            name=stage.name,
            title=str(STAGE_TITLES[stage.name]),
            state=selectors.stage_state(stage),
            percent=round(100 * stage.progress),
            message=stage.message,
            error=stage.error,
        )
        for stage in round_.stages.all()
    ]


def questions(round_: Round) -> list[QuestionLine]:
    """Return the evaluation on the control panel; empty until there is one."""
    found = round_.evaluation.get("questions", {})
    previous = (round_.evaluation.get("previous") or {}).get("questions", {})
    language = get_language() or "en"
    return [
        question_line(question.text(language), found[question.slug], previous.get(question.slug))
        for question in round_.version.tree.questions
        if question.slug in found
    ]


def origin(round_: Round) -> str:
    """Return where the network's first weights came from; empty until there is a model."""
    made = TrainedModel.objects.filter(round=round_).first()
    return str(made.origin.get("reason", "")) if made else ""


def unreadable_images(round_: Round) -> UnreadableImages | None:
    """Return which images the round could not read; None while that is none, or not known."""
    found = round_.evaluation.get("images")
    if found is None:
        trained = workspace.readable_record(round_, "train")
        found = images_left_out(trained) if trained else {}
    if not found:
        return None
    reasons = [f"{number} {code}" for code, number in found.get("reasons", {}).items()]
    return UnreadableImages(found["unreadable"], ", ".join(reasons), found.get("named", {}))


def gate(round_: Round) -> Gate | None:
    """Return the comparison with the model before; None where there was none."""
    comparison = round_.evaluation.get("comparison")
    if not comparison:
        return None
    ends = [comparison[name] for name in ("low", "high", "margin")]
    reach = 1.2 * max(*(abs(end) for end in ends), 1e-3)

    def place(value: float) -> float:
        return float(round(AXIS * (value + reach) / (2 * reach), 1))

    left, right = place(comparison["low"]), place(comparison["high"])
    return Gate(
        accepted=comparison["not_worse"],
        difference=f"{comparison['difference']:+.4f}",
        low=f"{comparison['low']:+.4f}",
        high=f"{comparison['high']:+.4f}",
        margin=f"{comparison['margin']:+.4f}",
        n=comparison["n"],
        left=left,
        width=round(right - left, 1),
        middle=place(comparison["difference"]),
        zero=place(0.0),
        limit=place(comparison["margin"]),
    )


def _latest(workflow: Workflow) -> list[Round]:
    return list(selectors.rounds_of(workflow=workflow).select_related("version")[:SHOWN_ROUNDS])


def question_line(
    title: str, found: dict[str, Any], previous: dict[str, Any] | None
) -> QuestionLine:
    """Return one question's figures in words; `previous` are the model before's."""
    return QuestionLine(
        title=title,
        galaxies=found["n"],
        accuracy=_percent(found["accuracy"]),
        confident=_percent(found["accuracy_confident"]),
        rmse=_number(found["rmse"]),
        floor=_number(found["rmse_floor"]),
        nll=_number(found["nll_per_vote"]),
        previous_nll=_number(previous["nll_per_vote"]) if previous else "–",
        coverage=_percent(found["coverage"]),
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}%"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
