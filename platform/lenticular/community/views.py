"""Own galaxies and favourites: load, authorise, call one service, respond."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.http import Http404
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from lenticular.accounts.web import remember_volunteer, volunteer_for_request
from lenticular.common.errors import NotFoundError
from lenticular.community import history, selectors
from lenticular.community.pages import back, galaxy_address, number, take_page, visitor
from lenticular.community.services import set_favourite
from lenticular.subjects.selectors import get_subject, image_urls

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from lenticular.workflows.models import Workflow

HISTORY_PAGE = 20
FAVOURITES_PAGE = 48


@require_safe
def history_page(request: HttpRequest) -> HttpResponse:
    """Show what the reader has classified, newest first."""
    volunteer = visitor(request)
    if volunteer is None:
        return render(request, "community/history.html", {"counts": selectors.Counts()})
    workflows = history.own_workflows(volunteer=volunteer)
    asked = request.GET.get("workflow", "")
    chosen = next((each for each in workflows if each.slug == asked), None)
    favourites = request.GET.get("favourites") == "yes"
    before = number(request.GET.get("before"))
    found = history.own_classifications(
        volunteer=volunteer, workflow=chosen.slug if chosen else "", favourites=favourites
    )
    page, following = take_page(found, before, HISTORY_PAGE)
    context = {
        "counts": selectors.classification_counts(volunteer=volunteer),
        "entries": history.entries(page, volunteer=volunteer),
        "workflows": workflows,
        "chosen": chosen,
        "favourites": favourites,
        "query": urlencode(_choice(chosen, favourites)),
        "following": following,
        "is_later": before is not None,
    }
    return render(request, "community/history.html", context)


def _choice(chosen: Workflow | None, favourites: bool) -> dict[str, str]:
    """Return what keeps the reader's choice from page to page."""
    workflow = {"workflow": chosen.slug} if chosen else {}
    return {**workflow, "favourites": "yes"} if favourites else workflow


@require_safe
def favourites_page(request: HttpRequest) -> HttpResponse:
    """Show the reader's favourites, the latest first."""
    volunteer = visitor(request)
    context: dict[str, object] = {}
    if volunteer is not None:
        before = number(request.GET.get("before"))
        found = selectors.favourites_of(volunteer=volunteer)
        page, following = take_page(found, before, FAVOURITES_PAGE)
        context = {
            "galaxies": [{"subject": each.subject, **image_urls(each.subject)} for each in page],
            "following": following,
            "is_later": before is not None,
        }
    return render(request, "community/favourites.html", context)


@require_POST
def favourite(request: HttpRequest, subject_id: int) -> HttpResponse:
    """Make a galaxy a favourite, or none any more, and go back."""
    try:
        get_subject(subject_id=subject_id)
    except NotFoundError as error:
        raise Http404(error.message) from error
    volunteer = volunteer_for_request(request)
    wanted = request.POST.get("favourite") == "yes"
    set_favourite(volunteer=volunteer, subject_id=subject_id, favourite=wanted)
    response = back(request, galaxy_address(subject_id))
    remember_volunteer(request, response, volunteer)
    return response
