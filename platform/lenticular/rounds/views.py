"""The rounds pages, for admins: load, authorise, call one service, respond."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from lenticular.common.errors import LenticularError
from lenticular.rounds import presentation, selectors, services
from lenticular.rounds.forms import start_form
from lenticular.rounds.models import Round

if TYPE_CHECKING:
    from lenticular.accounts.models import User

View = Callable[..., HttpResponse]


def admins_only(view: View) -> View:
    """Send anonymous people to sign in, and refuse those who may not run rounds."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not cast("User", request.user).may_run_rounds:
            raise PermissionDenied(_("Rounds need the role admin."))
        return view(request, *args, **kwargs)

    return login_required(guarded)


@admins_only
def rounds_page(request: HttpRequest) -> HttpResponse:
    """List each workflow's rounds, with a form to start one."""
    listed = [(entry, start_form(entry.workflow)) for entry in presentation.workflows()]
    return render(request, "rounds/rounds.html", {"workflows": listed})


@admins_only
def round_page(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Show one round: stages, evaluation, verdict, and what can be done."""
    return _show(request, _load(slug, number))


@admins_only
@require_POST
def cancel(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Cancel the round."""
    return _change(request, slug, number, services.cancel_round)


@admins_only
@require_POST
def resume(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Resume the round where it was."""
    return _change(request, slug, number, services.resume_round)


@admins_only
@require_POST
def override(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Publish the refused round, for the reason given."""
    reason = request.POST.get("reason", "")
    return _change(request, slug, number, services.override_gate, reason=reason)


def _change(
    request: HttpRequest,
    slug: str,
    number: int,
    service: Callable[..., Round],
    **arguments: str,
) -> HttpResponse:
    round_ = _load(slug, number)
    try:
        service(round=round_, user=request.user, **arguments)
    except LenticularError as error:
        return _show(request, round_, problem=error)
    return redirect("round", slug, number)


def _load(slug: str, number: int) -> Round:
    rounds = Round.objects.select_related("workflow", "version", "requested_by")
    return get_object_or_404(rounds, workflow__slug=slug, number=number)


def _show(
    request: HttpRequest, round_: Round, problem: LenticularError | None = None
) -> HttpResponse:
    context = {
        "round": round_,
        "state": presentation.state_in_words(round_),
        "verdict": presentation.verdict_in_words(round_),
        "origin": presentation.origin(round_),
        "unreadable": presentation.unreadable_images(round_),
        "snapshot": selectors.round_snapshot(round_),
        "stages": presentation.stages(round_),
        "questions": presentation.questions(round_),
        "gate": presentation.gate(round_),
        "may_be_cancelled": selectors.may_be_cancelled(round_),
        "may_be_resumed": selectors.may_be_resumed(round_),
        "may_be_overridden": selectors.may_be_overridden(round_),
        "problem": problem,
    }
    return render(request, "rounds/round.html", context, status=problem.status if problem else 200)
