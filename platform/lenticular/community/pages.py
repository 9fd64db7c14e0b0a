"""What the community's pages share: who looks, what a galaxy's page needs, kind words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from django.db.models import Model
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from lenticular.accounts.models import User, Volunteer
from lenticular.accounts.selectors import canonical, identities
from lenticular.accounts.web import cookie_volunteer
from lenticular.community import selectors
from lenticular.community.commenting import may_still_edit
from lenticular.community.models import COMMENT_LENGTH, NAME_LENGTH, Comment, CommentState
from lenticular.community.names import name_of

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponseRedirect

    from lenticular.common.errors import LenticularError
    from lenticular.subjects.models import Subject

M = TypeVar("M", bound=Model)
COMMENTS_SHOWN = 50
MAX_DIGITS = 18


@dataclass(frozen=True)
class ShownComment:
    """One comment as this reader sees it; `text` is empty where it may not be read."""

    comment: Comment
    name: str
    text: str
    is_own: bool
    may_edit: bool


def visitor(request: HttpRequest) -> Volunteer | None:
    """Return who is looking, if anything was done before; nobody is made by looking."""
    if isinstance(request.user, User):
        return Volunteer.objects.filter(user=request.user).first()
    found = cookie_volunteer(request)
    return canonical(found) if found else None


def galaxy_context(request: HttpRequest, subject: Subject, may_see: bool) -> dict[str, Any]:
    """Return the context of `community/_galaxy.html`, as one key.

    Parameters
    ----------
    request
        Whose reader it is; nobody becomes a volunteer by looking.
    subject
        The galaxy of the page.
    may_see
        Whether the reader may see others' votes without having classified the galaxy.
        Comments reach nobody else before an answer.
    """
    volunteer = visitor(request)
    may_read = may_see or selectors.may_read_comments(
        user=request.user, volunteer=volunteer, subject_id=subject.pk
    )
    return {
        "community": {
            "is_favourite": bool(
                selectors.favourite_ids(volunteer=volunteer, subject_ids=[subject.pk])
            ),
            "collections": selectors.collections_of(volunteer=volunteer),
            "name_length": NAME_LENGTH,
            "thread": _thread(request, subject, volunteer) if may_read else None,
        }
    }


def _thread(request: HttpRequest, subject: Subject, volunteer: Volunteer | None) -> dict[str, Any]:
    found = selectors.comments_of(subject_id=subject.pk)
    page, earlier = take_page(found, number(request.GET.get("comments_before")), COMMENTS_SHOWN)
    people = identities(volunteer) if volunteer else []
    return {
        "comments": [shown_comment(each, people) for each in reversed(page)],
        "earlier": earlier,
        "suspension": selectors.suspension_of(volunteer=volunteer) if volunteer else None,
        "draft": _reply(page, number(request.GET.get("reply"))),
        "length": COMMENT_LENGTH,
    }


def shown_comment(comment: Comment, people: list[int]) -> ShownComment:
    """Return the comment as the person with these identities sees it."""
    is_own = comment.author_id in people
    is_visible = comment.state == CommentState.VISIBLE
    return ShownComment(
        comment=comment,
        name=name_of(comment.author),
        text=comment.text if is_visible else "",
        is_own=is_own,
        may_edit=is_own and may_still_edit(comment),
    )


def _reply(page: list[Comment], comment_id: int | None) -> str:
    """Return how an answer to one of the shown comments begins; empty for none of them."""
    names = [
        name_of(each.author)
        for each in page
        if each.pk == comment_id and each.state == CommentState.VISIBLE
    ]
    return f"@{names[0]}: " if names else ""


def take_page(found: QuerySet[M], before: int | None, size: int) -> tuple[list[M], int | None]:
    """Return a page of what is ordered newest first, and where the next page begins.

    The key is the row's own, so that a page stays the same while new rows come in.
    """
    rows = list((found.filter(pk__lt=before) if before else found)[: size + 1])
    return rows[:size], rows[size - 1].pk if len(rows) > size else None


def number(text: str | None) -> int | None:
    """Return the whole number in a query; None for anything else."""
    text = text or ""
    is_number = text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
    return int(text) if is_number else None


def back(request: HttpRequest, otherwise: str) -> HttpResponseRedirect:
    """Return to the page that the form stood on, where that is one of ours."""
    address = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, request.is_secure())
    return redirect(address if is_ours else otherwise)


def galaxy_address(subject_id: int) -> str:
    """Return the address of a galaxy's page."""
    return reverse("galaxy", args=[subject_id])


def kind_words(error: LenticularError) -> str:
    """Say what happened, that nothing was lost, and what to do."""
    words = {
        "empty-text": _("There is nothing to read in it yet. Please write a few words."),
        "too-long": _("This is too long: it has %(found)s characters, %(limit)s are allowed."),
        "too-many": _("There is no room for more here. Take something out first."),
        "name-taken": _("You have a collection of this name already. Please choose another."),
        "too-fast": _("That was a little fast. Your text is kept here; please try again later."),
        "not-classified": _("Comments open once you have classified this galaxy."),
        "suspended": _("A moderator has suspended this account from commenting."),
        "too-late": _("This comment can not be changed any more; you may remove it."),
        "not-found": _("It is not there any more."),
    }
    text = words.get(error.kind)
    return text % error.extra if text else error.message
