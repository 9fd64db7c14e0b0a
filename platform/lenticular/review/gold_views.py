"""The pages of gold standards, for experts: load, authorise, call one service, respond."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lenticular.common.errors import LenticularError, NotFoundError
from lenticular.review import gold, presentation, services
from lenticular.review.views import experts_only, sent_answers
from lenticular.subjects.selectors import get_subject, image_urls
from lenticular.workflows.models import Workflow
from lenticular.workflows.selectors import current_version, get_workflow

if TYPE_CHECKING:
    from lenticular.accounts.models import User
    from lenticular.subjects.models import Subject
    from lenticular.workflows.models import WorkflowVersion

PER_PAGE = 60


@experts_only
@require_safe
def gold_standards(request: HttpRequest, slug: str) -> HttpResponse:
    """Show on which galaxies volunteers practise, and how they do."""
    version = _version(slug)
    page = Paginator(gold.gold_of(version=version), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "workflow": version.workflow,
        "workflows": Workflow.objects.filter(current_version__isnull=False).order_by("slug"),
        "page": page,
        "cards": gold.gold_cards(page, presentation.language()),
    }
    return render(request, "review/gold.html", context)


@experts_only
@require_http_methods(["GET", "HEAD", "POST"])
def make_gold(request: HttpRequest, slug: str, subject_id: int) -> HttpResponse:
    """Show one galaxy with the whole tree; record what the expert answers as gold standard."""
    version, subject = _version(slug), _subject(subject_id)
    if request.method != "POST":
        return _ask(request, version, subject)
    try:
        services.make_gold_standard(
            version=version,
            subject=subject,
            expert=cast("User", request.user),
            annotations=sent_answers(request.POST),
            explanation=request.POST.get("explanation", "").strip(),
        )
    except LenticularError as error:
        return _ask(request, version, subject, error)
    messages.success(request, _("Volunteers practise on this galaxy from now on."))
    return redirect("review-gold", slug)


@experts_only
@require_POST
def withdraw_gold(request: HttpRequest, classification_id: int) -> HttpResponse:
    """Take a gold standard out of practice."""
    try:
        found = gold.get_gold(classification_id=classification_id)
    except NotFoundError as error:
        raise Http404(error.message) from error
    try:
        services.withdraw_gold(
            classification=found,
            expert=cast("User", request.user),
            reason=request.POST.get("reason", "").strip(),
        )
    except LenticularError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Withdrawn. The answers stay in the log."))
    return redirect("review-gold", found.workflow.slug)


def _version(slug: str) -> WorkflowVersion:
    try:
        return current_version(get_workflow(slug=slug))
    except NotFoundError as error:
        raise Http404(error.message) from error


def _subject(subject_id: int) -> Subject:
    try:
        return get_subject(subject_id=subject_id)
    except NotFoundError as error:
        raise Http404(error.message) from error


def _ask(
    request: HttpRequest,
    version: WorkflowVersion,
    subject: Subject,
    problem: LenticularError | None = None,
) -> HttpResponse:
    context = {
        "workflow": version.workflow,
        "subject": subject,
        "images": image_urls(subject),
        "questions": presentation.answer_form(version.tree, dict(sent_answers(request.POST))),
        "sent": request.POST,
        "explanation_length": services.EXPLANATION_LENGTH,
        "problem": problem,
    }
    status = problem.status if problem else 200
    return render(request, "review/make_gold.html", context, status=status)
