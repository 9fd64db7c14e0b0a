"""Comments: to post, change, remove and report them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from lenticular.accounts.selectors import identities
from lenticular.common.errors import LenticularError, NotFoundError
from lenticular.community import selectors, services
from lenticular.community.models import COMMENT_LENGTH, REASON_LENGTH, CommentState, ReportReason
from lenticular.community.pages import kind_words, shown_comment, visitor
from lenticular.subjects.selectors import get_subject

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from lenticular.accounts.models import User
    from lenticular.community.models import Comment
    from lenticular.community.pages import ShownComment


@login_required
@require_POST
def post_comment(request: HttpRequest, subject_id: int) -> HttpResponse:
    """Post a comment; one that can not be used is shown again, so that no word is lost."""
    text = request.POST.get("text", "")
    try:
        subject = get_subject(subject_id=subject_id)
    except NotFoundError as error:
        raise Http404(error.message) from error
    try:
        comment = services.post_comment(author=_user(request), subject_id=subject_id, text=text)
    except LenticularError as error:
        context = {"subject": subject, "text": text, "may_edit": True, "is_new": True}
        return _show_form(request, context, error)
    return redirect(comment)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def change_comment(request: HttpRequest, comment_id: int) -> HttpResponse:
    """Change a comment of one's own while that is allowed."""
    shown = _load_own(request, comment_id)
    problem, text = None, shown.text
    if request.method == "POST":
        text = request.POST.get("text", "")
        try:
            changed = services.edit_comment(comment_id=comment_id, author=_user(request), text=text)
        except LenticularError as error:
            problem = error
        else:
            return redirect(changed)
    context = {
        "subject": shown.comment.subject,
        "comment": shown.comment,
        "text": text,
        "may_edit": shown.may_edit,
    }
    return _show_form(request, context, problem)


@login_required
@require_POST
def remove_comment(request: HttpRequest, comment_id: int) -> HttpResponse:
    """Remove a comment of one's own."""
    _load_own(request, comment_id)
    return redirect(services.remove_comment(comment_id=comment_id, author=_user(request)))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def report_comment(request: HttpRequest, comment_id: int) -> HttpResponse:
    """Report a comment to the moderators."""
    comment = _load_readable(request, comment_id)
    problem = None
    if request.method == "POST":
        try:
            services.report_comment(
                comment_id=comment_id,
                reporter=_user(request),
                reason=request.POST.get("reason", ""),
                note=request.POST.get("note", ""),
            )
        except LenticularError as error:
            problem = error
        else:
            messages.success(request, _("Thank you. A moderator will look at this comment."))
            return redirect(comment)
    context = {
        "shown": shown_comment(comment, []),
        "reasons": reason_names().items(),
        "sent": request.POST,
        "note_length": REASON_LENGTH,
        "problem": kind_words(problem) if problem else "",
    }
    status = problem.status if problem else 200
    return render(request, "community/report.html", context, status=status)


def reason_names() -> dict[str, str]:
    """Return why a comment may be reported, in words."""
    return {
        ReportReason.RUDE: _("It is rude or hurts somebody"),
        ReportReason.SPAM: _("It is advertising or spam"),
        ReportReason.PRIVATE: _("It tells something private"),
        ReportReason.OTHER: _("Something else"),
    }


def _show_form(
    request: HttpRequest, context: dict[str, object], problem: LenticularError | None
) -> HttpResponse:
    words = {"problem": kind_words(problem) if problem else "", "length": COMMENT_LENGTH}
    status = problem.status if problem else 200
    return render(request, "community/comment.html", {**context, **words}, status=status)


def _load(comment_id: int) -> Comment:
    try:
        return selectors.get_comment(comment_id=comment_id)
    except NotFoundError as error:
        raise Http404(error.message) from error


def _load_own(request: HttpRequest, comment_id: int) -> ShownComment:
    volunteer, comment = visitor(request), _load(comment_id)
    shown = shown_comment(comment, identities(volunteer) if volunteer else [])
    if not shown.is_own:
        raise PermissionDenied(_("This comment is somebody else's."))
    return shown


def _load_readable(request: HttpRequest, comment_id: int) -> Comment:
    """Return a comment that the reader may read; nothing of another one is told."""
    comment = _load(comment_id)
    may_read = selectors.may_read_comments(
        user=request.user, volunteer=visitor(request), subject_id=comment.subject_id
    )
    if not may_read or comment.state != CommentState.VISIBLE:
        raise PermissionDenied(_("This comment is not to be read."))
    return comment


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)
