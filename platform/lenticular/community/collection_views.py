"""The pages of collections: load, authorise, call one service, respond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lenticular.accounts.selectors import identities
from lenticular.accounts.web import remember_volunteer, volunteer_for_request
from lenticular.common.errors import LenticularError, NotFoundError
from lenticular.community import selectors, services
from lenticular.community.models import DESCRIPTION_LENGTH, NAME_LENGTH
from lenticular.community.names import name_of
from lenticular.community.pages import back, galaxy_address, kind_words, visitor
from lenticular.subjects.selectors import get_subject, image_urls

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from lenticular.accounts.models import Volunteer
    from lenticular.community.models import Collection, CollectionMember

PER_PAGE = 48
LISTED_PER_PAGE = 24


@require_http_methods(["GET", "HEAD", "POST"])
def collections_page(request: HttpRequest) -> HttpResponse:
    """Show one's own collections and those that others list; make a new one."""
    if request.method != "POST":
        return _show_collections(request, visitor(request))
    volunteer = volunteer_for_request(request)
    try:
        made = services.create_collection(volunteer=volunteer, **_sent(request))
    except LenticularError as error:
        response = _show_collections(request, volunteer, error)
    else:
        response = redirect(made)
    remember_volunteer(request, response, volunteer)
    return response


def _show_collections(
    request: HttpRequest, volunteer: Volunteer | None, problem: LenticularError | None = None
) -> HttpResponse:
    listed = Paginator(selectors.listed_collections(), LISTED_PER_PAGE)
    page = listed.get_page(request.GET.get("page"))
    context = {
        "mine": [_card(each) for each in selectors.collections_of(volunteer=volunteer)],
        "page": page,
        "listed": [_card(each) for each in page],
        **_form(request, problem),
    }
    status = problem.status if problem else 200
    return render(request, "community/collections.html", context, status=status)


@require_safe
def collection_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show a collection to whoever has its address: pictures and names, never votes."""
    collection = _load(token)
    page = Paginator(selectors.members_of(collection=collection), PER_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "collection": collection,
        "owner": name_of(collection.owner),
        "is_owner": _is_owner(visitor(request), collection),
        "address": request.build_absolute_uri(collection.get_absolute_url()),
        "page": page,
        "galaxies": [{"subject": each.subject, **image_urls(each.subject)} for each in page],
    }
    return _quiet(collection, render(request, "community/collection.html", context))


@require_http_methods(["GET", "HEAD", "POST"])
def change_collection(request: HttpRequest, token: str) -> HttpResponse:
    """Rename, describe, list or unlist a collection of one's own."""
    volunteer, collection = _load_own(request, token)
    problem = None
    if request.method == "POST":
        try:
            services.change_collection(volunteer=volunteer, collection=collection, **_sent(request))
        except LenticularError as error:
            problem = error
        else:
            return redirect(collection)
    context = {"collection": collection, **_form(request, problem)}
    status = problem.status if problem else 200
    response = render(request, "community/change_collection.html", context, status=status)
    return _quiet(collection, response)


@require_POST
def delete_collection(request: HttpRequest, token: str) -> HttpResponse:
    """Delete a collection of one's own."""
    volunteer, collection = _load_own(request, token)
    services.delete_collection(volunteer=volunteer, collection=collection)
    messages.success(request, _("The collection is deleted. Its galaxies are where they were."))
    return redirect("collections")


@require_POST
def remove_member(request: HttpRequest, token: str, subject_id: int) -> HttpResponse:
    """Take a galaxy out of a collection of one's own."""
    volunteer, collection = _load_own(request, token)
    services.remove_from_collection(
        volunteer=volunteer, collection=collection, subject_id=subject_id
    )
    return back(request, collection.get_absolute_url())


@require_POST
def collect(request: HttpRequest, subject_id: int) -> HttpResponse:
    """Put a galaxy into one of one's own collections, or into a new one."""
    try:
        get_subject(subject_id=subject_id)
    except NotFoundError as error:
        raise Http404(error.message) from error
    volunteer = volunteer_for_request(request)
    try:
        collection = services.collect_subject(
            volunteer=volunteer,
            subject_id=subject_id,
            token=request.POST.get("collection", ""),
            name=request.POST.get("name", ""),
        )
    except LenticularError as error:
        messages.warning(request, kind_words(error))
    else:
        messages.success(request, _("Added to “%(name)s”.") % {"name": collection.name})
    response = redirect(galaxy_address(subject_id))
    remember_volunteer(request, response, volunteer)
    return response


def _load(token: str) -> Collection:
    try:
        return selectors.get_collection(token=token)
    except NotFoundError as error:
        raise Http404(error.message) from error


def _load_own(request: HttpRequest, token: str) -> tuple[Volunteer, Collection]:
    volunteer, collection = visitor(request), _load(token)
    if volunteer is None or not _is_owner(volunteer, collection):
        raise PermissionDenied(_("This collection belongs to somebody else."))
    return volunteer, collection


def _is_owner(volunteer: Volunteer | None, collection: Collection) -> bool:
    return volunteer is not None and collection.owner_id in identities(volunteer)


def _sent(request: HttpRequest) -> dict[str, Any]:
    return {
        "name": request.POST.get("name", ""),
        "description": request.POST.get("description", ""),
        "is_listed": "is_listed" in request.POST,
    }


def _form(request: HttpRequest, problem: LenticularError | None) -> dict[str, Any]:
    return {
        "problem": kind_words(problem) if problem else "",
        "sent": _sent(request),
        "name_length": NAME_LENGTH,
        "description_length": DESCRIPTION_LENGTH,
    }


def _card(collection: Collection) -> dict[str, Any]:
    first: list[CollectionMember] = getattr(collection, "covers", [])
    covers = [image_urls(each.subject).get("page", "") for each in first]
    return {"collection": collection, "owner": name_of(collection.owner), "covers": covers}


def _quiet(collection: Collection, response: HttpResponse) -> HttpResponse:
    """Keep search engines away from what is shared by link alone."""
    if not collection.is_listed:
        response["X-Robots-Tag"] = "noindex"
    return response
