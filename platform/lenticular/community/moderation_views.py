"""The moderators' page, for experts and admins."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from lenticular.common.errors import LenticularError, NotFoundError
from lenticular.community import selectors, services
from lenticular.community.comment_views import reason_names
from lenticular.community.models import REASON_LENGTH, Act, Comment, CommentState
from lenticular.community.names import name_of
from lenticular.community.pages import back, kind_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from lenticular.accounts.models import User

    View = Callable[..., HttpResponse]

PER_PAGE = 30
ACTS_SHOWN = 100


def moderators_only(view: View) -> View:
    """Send anonymous people to sign in, and refuse those who may not moderate."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not selectors.may_moderate(request.user):
            raise PermissionDenied(_("Moderation needs the role expert."))
        return view(request, *args, **kwargs)

    return login_required(guarded)


@moderators_only
@require_safe
def moderation_page(request: HttpRequest) -> HttpResponse:
    """Show comments, those with open reports first."""
    tabs, asked = _tabs(), request.GET.get("show", "")
    show = asked if asked in tabs else "reported"
    found = selectors.comments_to_moderate(show=show)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    suspended = selectors.suspended_ids(
        volunteer_ids=[each.author_id for each in page if each.author_id]
    )
    context = {
        "tabs": tabs.items(),
        "show": show,
        "page": page,
        "cards": [_card(each, suspended) for each in page],
        "reason_length": REASON_LENGTH,
    }
    return render(request, "community/moderation.html", context)


@moderators_only
@require_safe
def moderation_record(request: HttpRequest) -> HttpResponse:
    """Show who may not comment, and what moderators did."""
    names = act_names()
    context = {
        "tabs": _tabs().items(),
        "suspensions": [
            {"suspension": each, "name": name_of(each.volunteer)}
            for each in selectors.suspensions()
        ],
        "acts": [
            {
                "act": each,
                "what": names[each.act],
                "about": each.volunteer and name_of(each.volunteer),
            }
            for each in selectors.latest_acts(limit=ACTS_SHOWN)
        ],
        "reason_length": REASON_LENGTH,
    }
    return render(request, "community/moderation_record.html", context)


@moderators_only
@require_POST
def moderate(request: HttpRequest, comment_id: int) -> HttpResponse:
    """Hide or restore a comment, or dismiss its reports."""
    return _do(
        request,
        services.moderate_comment,
        comment_id=comment_id,
        act=request.POST.get("act", ""),
    )


@moderators_only
@require_POST
def suspend(request: HttpRequest, volunteer_id: int) -> HttpResponse:
    """Suspend an account from commenting, or let it comment again."""
    is_lifting = request.POST.get("act") == Act.LIFT
    service = services.lift_suspension if is_lifting else services.suspend_account
    return _do(request, service, volunteer_id=volunteer_id)


def _do(request: HttpRequest, service: Callable[..., object], **what: object) -> HttpResponse:
    reason = request.POST.get("reason", "")
    try:
        service(moderator=cast("User", request.user), reason=reason, **what)
    except NotFoundError as error:
        raise Http404(error.message) from error
    except LenticularError as error:
        messages.warning(request, kind_words(error))
    else:
        messages.success(request, _("Done, and recorded."))
    return back(request, reverse("moderation"))


def _tabs() -> dict[str, str]:
    return {"reported": _("Reported"), "hidden": _("Hidden"), "all": _("All comments")}


def act_names() -> dict[str, str]:
    """Return what moderators do, in words."""
    return {
        Act.HIDE: _("Comment hidden"),
        Act.RESTORE: _("Comment restored"),
        Act.DISMISS: _("Reports dismissed"),
        Act.SUSPEND: _("Account suspended"),
        Act.LIFT: _("Suspension lifted"),
    }


def _card(comment: Comment, suspended: set[int]) -> dict[str, Any]:
    reasons, acts = reason_names(), act_names()
    user = comment.author.user if comment.author else None
    return {
        "comment": comment,
        "name": name_of(comment.author),
        "reports": [
            {"report": each, "why": reasons[each.reason], "name": name_of(each.reporter)}
            for each in comment.reports.all()
        ],
        "acts": [{"act": each, "what": acts[each.act]} for each in comment.acts.all()],
        "is_suspended": comment.author_id in suspended,
        "may_suspend": user is not None and not selectors.may_moderate(user),
        "may_hide": comment.state != CommentState.HIDDEN,
        "may_restore": comment.state != CommentState.VISIBLE,
        "may_dismiss": comment.state != CommentState.HIDDEN
        and any(each.is_open for each in comment.reports.all()),
    }
