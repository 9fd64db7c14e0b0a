"""The volunteer's pages: load, authorise, call one service, respond."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.generic import View

from lenticular.accounts.web import known_volunteer, remember_volunteer, volunteer_for_request
from lenticular.classify import galaxies, selectors
from lenticular.classify.authors import author_of
from lenticular.classify.home import SNAPSHOT_SECONDS, home_snapshot
from lenticular.classify.pages import asking_in_words, classify_context, done_context
from lenticular.classify.services import record_classification
from lenticular.classify.walking import Walk, new_walk, read_walk
from lenticular.common.errors import LenticularError, NotFoundError
from lenticular.community.pages import galaxy_context
from lenticular.selection.services import find_lease, lease_subjects
from lenticular.subjects.selectors import get_subject, image_urls
from lenticular.workflows.selectors import current_version, get_workflow

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from lenticular.accounts.models import Volunteer
    from lenticular.selection.models import Lease
    from lenticular.workflows.models import Workflow


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show what is learned together, and the way to take part."""
    workflows = list(selectors.open_workflows())
    context = {
        "live": home_snapshot(),
        "workflows": workflows,
        "lesson": selectors.last_lesson(),
        "asking": [each for each in map(asking_in_words, workflows) if each][:1],
    }
    return render(request, "classify/home.html", context)


@require_safe
def live(_request: HttpRequest) -> HttpResponse:
    """Answer with the home page's snapshot, for pages without a socket."""
    response = JsonResponse(home_snapshot())
    response["Cache-Control"] = f"public, max-age={SNAPSHOT_SECONDS}"
    return response


@require_safe
def about(request: HttpRequest) -> HttpResponse:
    """Say what Lenticular is and what becomes of a click."""
    return render(request, "classify/about.html")


@require_safe
def galaxy(request: HttpRequest, subject_id: int) -> HttpResponse:
    """Show one galaxy; its votes only to those who have answered it, and to experts."""
    try:
        subject = get_subject(subject_id=subject_id)
    except NotFoundError as error:
        raise Http404(error.message) from error
    votes = galaxies.votes_of_galaxy(
        subject=subject,
        volunteer=known_volunteer(request),
        sees_all=galaxies.may_see_all_votes(request.user),
    )
    context = {"subject": subject, "images": image_urls(subject), "votes": votes}
    context |= galaxy_context(request, subject, galaxies.may_see_all_votes(request.user))
    return render(request, "classify/galaxy.html", context)


class ClassifyView(View):
    """Asks one question at a time; the form works without JavaScript, which makes it instant."""

    def dispatch(self, request: HttpRequest, slug: str) -> HttpResponseBase:
        """Find the workflow; keep the browser's volunteer in its cookie."""
        try:
            workflow = get_workflow(slug=slug)
            current_version(workflow)
        except NotFoundError as error:
            raise Http404(error.message) from error
        volunteer = volunteer_for_request(request)
        response = super().dispatch(request, workflow, volunteer)
        remember_volunteer(request, response, volunteer)
        response["Cache-Control"] = "no-store"
        return response

    def get(self, request: HttpRequest, workflow: Workflow, volunteer: Volunteer) -> HttpResponse:
        """Serve a galaxy at the first question, or say that nothing is left."""
        leases = lease_subjects(workflow=workflow, volunteer=volunteer, count=1)
        if not leases:
            return _nothing_left(request, workflow, volunteer)
        walk = new_walk(current_version(workflow), leases[0].subject_id)
        return _ask(request, walk, leases[0], volunteer)

    def post(self, request: HttpRequest, workflow: Workflow, volunteer: Volunteer) -> HttpResponse:
        """Take one step; record the classification when the path is complete."""
        try:
            walk = read_walk(request.POST)
            # Another tab's first visit may have changed the cookie since the page was made.
            author = author_of(
                uuid=walk.uuid,
                name=request.POST.get("volunteer"),
                asking=volunteer,
                is_signed_in=request.user.is_authenticated,
            )
            if walk.question is not None:
                lease = find_lease(workflow=workflow, subject_id=walk.subject_id, volunteer=author)
                return _ask(request, walk, lease, author)
            _record(walk, author)
        except LenticularError as error:
            messages.warning(request, _kind_words(error))
        return redirect("classify", workflow.slug)


def _record(walk: Walk, volunteer: Volunteer) -> None:
    record_classification(
        volunteer=volunteer,
        uuid=walk.uuid,
        version_id=walk.version.pk,
        subject_id=walk.subject_id,
        annotations=walk.steps,
        started_at=walk.started_at,
        metadata={"interface": "form"},
    )


def _ask(request: HttpRequest, walk: Walk, lease: Lease, volunteer: Volunteer) -> HttpResponse:
    context = classify_context(walk=walk, lease=lease, volunteer=volunteer)
    return render(request, "classify/classify.html", context)


def _nothing_left(request: HttpRequest, workflow: Workflow, volunteer: Volunteer) -> HttpResponse:
    context = done_context(workflow=workflow, volunteer=volunteer)
    return render(request, "classify/done.html", context)


def _kind_words(error: LenticularError) -> str:
    """Say what happened, that nothing was lost, and what comes next."""
    if error.kind == "already-classified":
        return _("You had answered that galaxy before; your first answers count.")
    return _("That answer could not be used (%(why)s). What you sent before is safe.") % {
        "why": _(error.title)
    }
