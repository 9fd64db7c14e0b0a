"""The review pages, for experts: load, authorise, call one service, respond."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lenticular.common.errors import LenticularError, NotFoundError
from lenticular.review import drawing, presentation, selectors, services
from lenticular.review.evidence import evidence_of, picture_path
from lenticular.rounds.models import FlagState, MislabelFlag
from lenticular.rounds.selectors import get_round
from lenticular.subjects.selectors import image_urls
from lenticular.workflows.models import Workflow

if TYPE_CHECKING:
    from lenticular.accounts.models import User

View = Callable[..., HttpResponse]
PER_PAGE = 60
ANSWER = "answer-"


def experts_only(view: View) -> View:
    """Send anonymous people to sign in, and refuse those who may not review."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not cast("User", request.user).may_review:
            raise PermissionDenied(_("Reviews need the role expert."))
        return view(request, *args, **kwargs)

    return login_required(guarded)


@experts_only
@require_safe
def light_table(request: HttpRequest) -> HttpResponse:
    """Show the flagged galaxies as pictures, the most doubtful first, then the spot checks."""
    return _table(request)


@experts_only
@require_POST
def draw_spot_checks(request: HttpRequest, round_id: int) -> HttpResponse:
    """Draw the spot checks of a round, and show them."""
    try:
        round_ = get_round(round_id=round_id)
    except NotFoundError as error:
        raise Http404(error.message) from error
    try:
        drawing.draw_spot_checks(round=round_, expert=cast("User", request.user))
    except LenticularError as error:
        return _table(request, error)
    messages.success(request, _("The spot checks are drawn. Judge them in their order."))
    query = urlencode({"kind": selectors.SPOT_CHECKS, "workflow": round_.workflow.slug})
    return redirect(f"{reverse('review')}?{query}")


def _table(request: HttpRequest, problem: LenticularError | None = None) -> HttpResponse:
    state, kind = _state(request.GET), _kind(request.GET)
    workflow = request.GET.get("workflow", "")
    flags = selectors.flags_to_review(state=state, kind=kind, workflow=workflow)
    page = Paginator(flags, PER_PAGE).get_page(request.GET.get("page"))
    found = selectors.progress_of_rounds()
    context = {
        "page": page,
        "cards": [_card(flag) for flag in page],
        "state": state,
        "states": presentation.STATES.items(),
        "kind": kind,
        "kinds": presentation.KINDS.items(),
        "has_spot_checks": any(each.spot_checks for each in found),
        "drawn": drawing.DRAWN,
        "problem": problem,
        "workflow": workflow,
        "progress": [presentation.progress_lines(each) for each in found],
        "gold_workflow": Workflow.objects.filter(current_version__isnull=False).last(),
    }
    status = problem.status if problem else 200
    return render(request, "review/light_table.html", context, status=status)


@experts_only
@require_http_methods(["GET", "HEAD", "POST"])
def flag_page(request: HttpRequest, flag_id: int) -> HttpResponse:
    """Show one flag; record the verdict that is sent."""
    try:
        flag = selectors.get_flag(flag_id=flag_id)
    except NotFoundError as error:
        raise Http404(error.message) from error
    if request.method != "POST":
        return _show(request, flag)
    try:
        services.record_verdict(
            flag=flag,
            expert=cast("User", request.user),
            state=request.POST.get("state", ""),
            annotations=sent_answers(request.POST),
            note=request.POST.get("note", "").strip(),
            gold_standard="gold_standard" in request.POST,
            explanation=request.POST.get("explanation", "").strip(),
        )
    except LenticularError as error:
        return _show(request, selectors.get_flag(flag_id=flag_id), error)
    return _go_on(request, flag)


def _go_on(request: HttpRequest, flag: MislabelFlag) -> HttpResponse:
    """Lead to what is judged next, shown among the same kind; of the unsure, another of them."""
    shown = {"kind": _kind(request.GET)}
    following = None
    if _state(request.GET) == FlagState.UNSURE:
        following = selectors.next_to_judge(flag, state=FlagState.UNSURE)
        shown["state"] = FlagState.UNSURE if following else ""
    following = following or selectors.next_to_judge(flag)
    if following is None:
        messages.success(request, _thanks(flag))
        return redirect("review")
    query = urlencode({name: value for name, value in shown.items() if value})
    return redirect(f"{reverse('review-flag', args=[following.pk])}{'?' if query else ''}{query}")


def _thanks(flag: MislabelFlag) -> str:
    if flag.is_spot_check:
        return _("Every flag and spot check of this round has a verdict. Thank you.")
    return _("Every flag of this round has a verdict. Thank you.")


@experts_only
@require_safe
def flag_picture(_request: HttpRequest, flag_id: int) -> HttpResponse:
    """Send the picture of what the network looked at."""
    try:
        path = picture_path(selectors.get_flag(flag_id=flag_id))
    except NotFoundError as error:
        raise Http404(error.message) from error
    # Closed by the response.
    picture = path.open("rb")
    headers = {"Cache-Control": "private, max-age=3600"}
    return cast("HttpResponse", FileResponse(picture, content_type="image/png", headers=headers))


def _show(
    request: HttpRequest, flag: MislabelFlag, problem: LenticularError | None = None
) -> HttpResponse:
    state, kind = _state(request.GET), _kind(request.GET)
    before, after = selectors.neighbours(flag, state=state, kind=kind)
    context = {
        "flag": flag,
        "images": image_urls(flag.subject),
        "question": presentation.question_text(flag),
        "reason": presentation.reason(flag),
        "said": presentation.said(flag),
        "likely": presentation.likely(flag),
        "evidence": evidence_of(flag),
        "bars": presentation.bars(flag),
        "p_value": presentation.chance(flag.p_value),
        "q_value": presentation.chance(flag.q_value),
        "state": state,
        "kind": kind,
        "verdicts": presentation.verdicts(flag),
        "before": before,
        "after": after,
        "questions": presentation.answer_form(
            flag.round.version.tree, dict(sent_answers(request.POST))
        ),
        "sent": request.POST,
        "note_length": services.NOTE_LENGTH,
        "explanation_length": services.EXPLANATION_LENGTH,
        "problem": problem,
    }
    status = problem.status if problem else 200
    return render(request, "review/flag.html", context, status=status)


def _card(flag: MislabelFlag) -> dict[str, Any]:
    state = FlagState(flag.state)
    return {
        "flag": flag,
        "images": image_urls(flag.subject),
        "question": presentation.question_text(flag),
        "reason": presentation.reason(flag),
        "state_name": presentation.STATES[state],
        "badge": presentation.BADGES.get(state, ""),
    }


def _state(query: QueryDict) -> str:
    """Return the state to show: open ones unless asked otherwise; an unknown one shows open."""
    asked = query.get("state", FlagState.OPEN)
    return str(asked if asked in presentation.STATES else FlagState.OPEN)


def _kind(query: QueryDict) -> str:
    """Return the kind to show: both unless one of them is asked for."""
    asked = query.get("kind", "")
    return str(asked if asked in presentation.KINDS else "")


def sent_answers(sent: QueryDict) -> list[tuple[str, str]]:
    """Return the answers of the form as pairs; a question left at "not asked" gives none."""
    return [
        (name.removeprefix(ANSWER), str(answer))
        for name in sent
        if name.startswith(ANSWER)
        for answer in sent.getlist(name)
        if answer
    ]
