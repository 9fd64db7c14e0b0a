"""The page for running a workflow's rounds: schedule, warnings, models, disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from lenticular.common.errors import InvalidInputError, LenticularError
from lenticular.rounds import (
    comparing,
    estimates,
    operating,
    pruning,
    rolling,
    scheduling,
    services,
)
from lenticular.rounds.forms import RuleForm, start_form
from lenticular.rounds.models import Round
from lenticular.rounds.rules import rule_of
from lenticular.rounds.selectors import rounds_with_models
from lenticular.rounds.views import admins_only
from lenticular.workflows.models import Workflow

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from lenticular.accounts.models import User

KEEP = 2


@admins_only
def workflow_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the rule, warnings, models and disk."""
    workflow = _workflow(slug)
    try:
        keep = _whole("keep", request.GET.get("keep", KEEP))
    except LenticularError as error:
        return _show(request, workflow, problem=error)
    return _show(request, workflow, keep=keep)


@admins_only
@require_POST
def dry_run(request: HttpRequest, slug: str) -> HttpResponse:
    """Show beside all that what a round with the settings given would be; write nothing."""
    workflow = _workflow(slug)
    form = start_form(workflow, request.POST)
    try:
        found = estimates.dry_run(workflow=workflow, **form.settings())
    except LenticularError as error:
        return _show(request, workflow, start_form=form, problem=error)
    return _show(request, workflow, start_form=form, **operating.dry_run_context(found))


@admins_only
@require_POST
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Start a round of the workflow with the settings given, or else with its own."""
    workflow = _workflow(slug)
    form = start_form(workflow, request.POST)
    try:
        round_ = services.start_round(workflow=workflow, user=_user(request), **form.settings())
    except LenticularError as error:
        return _show(request, workflow, start_form=form, problem=error)
    messages.success(request, _("Round %(number)s has started.") % {"number": round_.number})
    return redirect("round", slug, round_.number)


@admins_only
@require_POST
def change_rule(request: HttpRequest, slug: str) -> HttpResponse:
    """Change when the schedule starts rounds."""
    workflow = _workflow(slug)
    form = RuleForm(request.POST, instance=rule_of(workflow=workflow))
    if not form.is_valid():
        return _show(request, workflow, form=form, status=400)
    try:
        scheduling.set_round_rule(workflow=workflow, user=_user(request), changes=form.cleaned_data)
    except LenticularError as error:
        return _show(request, workflow, form=form, problem=error)
    messages.success(request, _("The schedule is kept."))
    return redirect("workflow-rounds", slug)


@admins_only
@require_POST
def roll_back(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Make the model of an earlier round the current one again."""
    round_ = get_object_or_404(Round, workflow__slug=slug, number=number)
    reason = request.POST.get("reason", "")
    try:
        rolling.roll_back(round=round_, user=_user(request), reason=reason)
    except LenticularError as error:
        return _show(request, _workflow(slug), problem=error)
    message = _("The model of round %(number)s and its queue are in place again.")
    messages.success(request, message % {"number": number})
    return redirect("workflow-rounds", slug)


@admins_only
@require_POST
def set_aside(request: HttpRequest, slug: str) -> HttpResponse:
    """Leave the workflow without its damaged model."""
    workflow, reason = _workflow(slug), request.POST.get("reason", "")
    try:
        rolling.set_model_aside(workflow=workflow, user=_user(request), reason=reason)
    except LenticularError as error:
        return _show(request, workflow, problem=error)
    messages.success(request, _("The damaged model is set aside."))
    return redirect("workflow-rounds", slug)


@admins_only
@require_POST
def prune(request: HttpRequest, slug: str) -> HttpResponse:
    """Remove the files of rounds that nothing needs."""
    workflow = _workflow(slug)
    try:
        keep = _whole("keep", request.POST.get("keep", KEEP))
        before = pruning.prune_rounds(workflow=workflow, user=_user(request), keep=keep)
    except LenticularError as error:
        return _show(request, workflow, problem=error)
    message = _("%(size)s are free again.")
    messages.success(request, message % {"size": filesizeformat(before.prunable_bytes)})
    return redirect("workflow-rounds", slug)


@admins_only
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Show two models, ``?new=…&old=…``, on the same galaxies of the control panel."""
    workflow = _workflow(slug)
    context: dict[str, Any] = {"workflow": workflow}
    rounds = context["rounds"] = list(rounds_with_models(workflow=workflow))
    try:
        new, old = (_chosen(name, request.GET.get(name), rounds) for name in ("new", "old"))
        context |= {"new": new, "old": old}
        found = comparing.compare_models(new=new, old=old)
    except LenticularError as error:
        context["problem"] = error
        return render(request, "rounds/compare.html", context, status=error.status)
    context["overall"] = operating.score_line(_("All questions"), found.overall)
    context["lines"] = operating.score_lines(found, new)
    return render(request, "rounds/compare.html", context)


def _chosen(name: str, given: str | None, rounds: list[Round]) -> Round:
    found = [each for each in rounds if str(each.number) == given]
    if not found:
        raise InvalidInputError(f"{name} must be the number of a round with a model, is {given!r}")
    return found[0]


def _workflow(slug: str) -> Workflow:
    return get_object_or_404(Workflow.objects.select_related("current_version"), slug=slug)


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)


def _whole(name: str, given: object) -> int:
    if not str(given).isdecimal():
        raise InvalidInputError(f"{name} must be a whole number of at least 0, is {given!r}")
    return int(str(given))


def _show(
    request: HttpRequest,
    workflow: Workflow,
    *,
    problem: LenticularError | None = None,
    status: int = 200,
    keep: int = KEEP,
    **extra: Any,
) -> HttpResponse:
    context = operating.page_context(workflow, keep=keep)
    context["form"] = RuleForm(instance=rule_of(workflow=workflow))
    context["start_form"] = start_form(workflow)
    context |= {"problem": problem, **extra}
    status = problem.status if problem else status
    return render(request, "rounds/workflow.html", context, status=status)
