"""The evaluation of a round, for admins and astronomers: a page, and files."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from lenticular.accounts.models import Role
from lenticular.common.errors import LenticularError
from lenticular.common.problems import problem_response
from lenticular.rounds import evaluation, presentation
from lenticular.rounds.models import Round

if TYPE_CHECKING:
    from lenticular.accounts.models import User

View = Callable[..., HttpResponse]


def astronomers_only(view: View) -> View:
    """Send anonymous people to sign in, and refuse those who may not see every vote."""

    @wraps(view)
    def guarded(request: HttpRequest, slug: str, number: int, **kwargs: Any) -> HttpResponse:
        if not cast("User", request.user).has_role(Role.ASTRONOMER):
            raise PermissionDenied(_("Evaluations need the role astronomer or admin."))
        rounds = Round.objects.select_related("workflow", "version")
        return view(
            request, get_object_or_404(rounds, workflow__slug=slug, number=number), **kwargs
        )

    return require_safe(login_required(guarded))


@astronomers_only
def evaluation_page(request: HttpRequest, round_: Round) -> HttpResponse:
    """Show how well the round's model foretells votes; what is missing is said."""
    context: dict[str, Any] = {"round": round_, "gate": presentation.gate(round_)}
    try:
        report = evaluation.report_of(round_)
    except LenticularError as error:
        context |= {"problem": error}
        return render(request, "rounds/evaluation.html", context, status=error.status)
    context |= {
        "report": report,
        "sections": evaluation.sections(round_, report),
        "gallery": evaluation.gallery(round_, report),
    }
    return render(request, "rounds/evaluation.html", context)


@astronomers_only
def evaluation_file(_request: HttpRequest, round_: Round) -> HttpResponse:
    """Send all of the evaluation as JSON."""
    try:
        report = evaluation.report_of(round_)
    except LenticularError as error:
        return problem_response(error)
    answer = JsonResponse(report, json_dumps_params={"indent": 1, "ensure_ascii": False})
    return _as_file(answer, round_, "evaluation.json")


@astronomers_only
def question_file(_request: HttpRequest, round_: Round, question: str) -> HttpResponse:
    """Send one question's numbers as CSV."""
    try:
        content = evaluation.question_csv(round_, question)
    except LenticularError as error:
        return problem_response(error)
    answer = HttpResponse(content, content_type="text/csv; charset=utf-8")
    return _as_file(answer, round_, f"{question}.csv")


def _as_file(answer: HttpResponse, round_: Round, name: str) -> HttpResponse:
    stem = f"{round_.workflow.slug}-round-{round_.number}"
    answer["Content-Disposition"] = f'attachment; filename="{stem}-{name}"'
    return answer
