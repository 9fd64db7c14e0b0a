"""The pages that teach: the field guide, the help beside a question, the tutorial.

Each answers a request of the classify page (``HX-Request``, or ``?fragment=1``) with the
part that the page shows, and any other with a whole page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import Http404
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from lenticular.classify.learning import guide_context, question_context, tutorial_context
from lenticular.common.errors import NotFoundError
from lenticular.workflows.selectors import get_workflow

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@require_safe
def guide(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the field guide: every answer that the workflow asks for, with examples."""
    try:
        context = guide_context(get_workflow(slug=slug))
    except NotFoundError as error:
        raise Http404(error.message) from error
    return render(request, "learning/guide.html", context)


@require_safe
@vary_on_headers("HX-Request")
def guide_question(request: HttpRequest, slug: str, question: str) -> HttpResponse:
    """Show the guide to one question."""
    try:
        context = question_context(get_workflow(slug=slug), question)
    except NotFoundError as error:
        raise Http404(error.message) from error
    part = "learning/_help.html" if _wants_fragment(request) else "learning/guide_question.html"
    return render(request, part, context)


@require_safe
@vary_on_headers("HX-Request")
def tutorial(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the tutorial, step by step."""
    try:
        context = tutorial_context(get_workflow(slug=slug))
    except NotFoundError as error:
        raise Http404(error.message) from error
    part = "learning/_tutorial.html" if _wants_fragment(request) else "learning/tutorial.html"
    return render(request, part, context)


def _wants_fragment(request: HttpRequest) -> bool:
    return "HX-Request" in request.headers or request.GET.get("fragment") == "1"
