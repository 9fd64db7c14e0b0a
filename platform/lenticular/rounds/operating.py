"""What the page for running a workflow's rounds shows, ready to print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils.translation import get_language

from lenticular.rounds import health, rolling, rules, selectors
from lenticular.rounds.errors import DamagedModelError
from lenticular.rounds.models import RollBack
from lenticular.rounds.presentation import SHOWN_ROUNDS, STAGE_TITLES, VERDICTS
from lenticular.rounds.pruning import disk_use
from lenticular.rounds.telling import span

if TYPE_CHECKING:
    from lenticular.rounds.comparing import ModelComparison, Scores
    from lenticular.rounds.estimates import DryRun
    from lenticular.rounds.models import Round
    from lenticular.workflows.models import Workflow


@dataclass(frozen=True)
class ModelLine:
    """A model in the history; `refusal` says why one cannot go back to it."""

    round: Round
    is_current: bool
    verdict: str
    nll: str
    bytes: int
    refusal: str | None


@dataclass(frozen=True)
class ScoreLine:
    """One question in the comparison of two models."""

    title: str
    galaxies: int
    new_accuracy: str
    old_accuracy: str
    new_nll: str
    old_nll: str
    difference: str
    interval: str
    better: str


def page_context(workflow: Workflow, *, keep: int) -> dict[str, Any]:
    """Return what the page shows of a workflow, apart from its forms."""
    use = disk_use(workflow=workflow, keep=keep)
    reasons = rules.why_not(workflow=workflow)
    return {
        "workflow": workflow,
        "active": selectors.active_round(workflow=workflow),
        "refusals": [reason for reason in reasons if not reason.schedule_only],
        "waits": [reason for reason in reasons if reason.schedule_only],
        "checks": health.checks(workflow=workflow),
        "models": _models(workflow, {each.round.pk: each.bytes for each in use.rounds}),
        "roll_backs": RollBack.objects.filter(
            Q(round__workflow=workflow) | Q(replaced__workflow=workflow)
        ).select_related("round", "replaced", "user")[:SHOWN_ROUNDS],
        "is_damaged": any(reason.kind == DamagedModelError.kind for reason in reasons),
        "disk": use,
        "keep": keep,
    }


def _models(workflow: Workflow, sizes: dict[int, int]) -> list[ModelLine]:
    return [
        ModelLine(
            round=round_,
            is_current=round_.model.is_current,
            verdict=str(VERDICTS[round_.verdict]),
            nll=_number(round_.evaluation.get("nll_per_vote")),
            bytes=sizes.get(round_.pk, 0),
            refusal=rolling.why_no_roll_back(round_=round_),
        )
        for round_ in selectors.rounds_with_models(workflow=workflow)[:SHOWN_ROUNDS]
    ]


def dry_run_context(found: DryRun) -> dict[str, Any]:
    """Return what the page shows of a dry run: each stage's title and time, and the sum."""
    if found.cost is None:
        return {"dry_run": found}
    stages = found.cost.stages.items()
    lines = [(str(STAGE_TITLES.get(name, name)), span(seconds)) for name, seconds in stages]
    return {"dry_run": found, "cost_lines": lines, "total": span(found.cost.seconds)}


def score_lines(found: ModelComparison, round_: Round) -> list[ScoreLine]:
    """Return the questions of a comparison in the tree's order."""
    language = get_language() or "en"
    return [
        score_line(question.text(language), found.questions[question.slug])
        for question in round_.version.tree.questions
        if question.slug in found.questions
    ]


def score_line(title: str, scores: Scores) -> ScoreLine:
    """Return one question, or all of them, as the page prints it."""
    comparison = scores.comparison
    return ScoreLine(
        title=title,
        galaxies=scores.galaxies,
        new_accuracy=_percent(scores.new_accuracy),
        old_accuracy=_percent(scores.old_accuracy),
        new_nll=_number(scores.new_nll),
        old_nll=_number(scores.old_nll),
        difference=f"{comparison.difference:+.4f}",
        interval=f"{comparison.low:+.4f} … {comparison.high:+.4f}",
        better="new" if comparison.high < 0 else "old" if comparison.low > 0 else "",
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else health.percent(share)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
