"""The releases pages: everyone may read and download, astronomers make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import condition, require_POST, require_safe

from lenticular.common.errors import LenticularError, NotFoundError
from lenticular.common.problems import problem_response
from lenticular.releases import documents, presentation, selectors, services
from lenticular.releases.forms import ReleaseForm
from lenticular.rounds.selectors import current_models

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from lenticular.accounts.models import User

AT_MOST = 20_000
"""Galaxies that a release made within a request may have: about ten seconds."""

PER_PAGE = 50
FOR_EVER = "public, max-age=31536000, immutable"
CONTENT_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".cff": "application/yaml; charset=utf-8",
}


@require_safe
def releases_page(request: HttpRequest) -> HttpResponse:
    """List the releases of every workflow, with a form for astronomers."""
    return _show_list(request, ReleaseForm())


@require_safe
def release_page(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Show one release: counts, changes, files, citation, and how to load it."""
    try:
        release = selectors.get_release(slug=slug, number=number)
    except NotFoundError as error:
        return _show_list(request, ReleaseForm(), error)
    facts = presentation.facts(release)
    context = {
        "release": release,
        "facts": facts,
        "stem": presentation.file_stem(release),
        "changes": presentation.changes(release, selectors.release_before(release)),
        "citation": documents.citation(facts),
    }
    return render(request, "releases/release.html", context)


@login_required
@require_POST
def release_make(request: HttpRequest) -> HttpResponse:
    """Make a release, for astronomers."""
    user = cast("User", request.user)
    if not user.may_release:
        raise PermissionDenied(_("Releases need the role astronomer."))
    form = ReleaseForm(request.POST)
    if not form.is_valid():
        return _show_list(request, form, status=400)
    try:
        release = services.make_release(user=user, at_most=AT_MOST, **form.cleaned_data)
    except LenticularError as error:
        return _show_list(request, form, error)
    messages.success(request, _("Release %(number)s is made.") % {"number": release.number})
    return redirect("release", release.workflow.slug, release.number)


def _etag(_request: HttpRequest, slug: str, number: int, name: str) -> str | None:
    try:
        file = selectors.get_file(slug=slug, number=number, name=name)
        selectors.stored_file(file)
    except LenticularError:
        return None
    return f'"{file.sha256}"'


@require_safe
@condition(etag_func=_etag)
def release_file(_request: HttpRequest, slug: str, number: int, name: str) -> HttpResponseBase:
    """Serve one file; it never changes, so that it may be kept for ever."""
    try:
        file = selectors.get_file(slug=slug, number=number, name=name)
        path = selectors.stored_file(file)
    except LenticularError as error:
        return problem_response(error)
    return FileResponse(
        path.open("rb"),
        as_attachment=True,
        filename=f"{presentation.file_stem(file.release)}-{name}",
        headers={
            "Content-Type": CONTENT_TYPES.get(path.suffix, "text/plain; charset=utf-8"),
            "Cache-Control": FOR_EVER,
        },
    )


def _show_list(
    request: HttpRequest,
    form: ReleaseForm,
    problem: LenticularError | None = None,
    status: int = 200,
) -> HttpResponse:
    page = Paginator(selectors.releases(), PER_PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {"page": page, "form": form, "problem": problem}
    if getattr(request.user, "may_release", False):
        context["models"] = current_models()
    status = problem.status if problem else status
    return render(request, "releases/releases.html", context, status=status)
