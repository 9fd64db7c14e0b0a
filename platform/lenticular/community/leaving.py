"""What a person takes along, and what is left when the person is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from lenticular.accounts.selectors import identities
from lenticular.community.models import (
    Collection,
    Comment,
    CommentReport,
    CommentState,
    Favourite,
    ModerationAct,
    Suspension,
)

if TYPE_CHECKING:
    from lenticular.accounts.models import Volunteer
    from lenticular.subjects.models import Subject


def export_person(volunteer: Volunteer) -> dict[str, Any]:
    """Return all that the person has made here, over all identities, as JSON values."""
    people = identities(volunteer)
    suspension = Suspension.objects.filter(volunteer__in=people).first()
    return {
        "favourites": _favourites(people),
        "collections": _collections(people),
        "comments": _comments(people),
        "reports": _reports(people),
        "suspension": suspension
        and {"reason": suspension.reason, "created_at": suspension.created_at.isoformat()},
    }


@transaction.atomic
def forget_person(volunteer: Volunteer) -> None:
    """Delete what is the person's alone, and unlink what others have answered or judged.

    Favourites and collections go. Comments lose text and author, their place stays. Reports
    and moderators' acts stay, without the person.
    """
    people = identities(volunteer)
    comments = Comment.objects.filter(author__in=people)
    CommentReport.objects.filter(comment__in=comments).update(is_open=False)
    comments.update(text="", state=CommentState.REMOVED, author=None)
    CommentReport.objects.filter(reporter__in=people).update(reporter=None, note="")
    ModerationAct.objects.filter(volunteer__in=people).update(volunteer=None)
    Suspension.objects.filter(volunteer__in=people).delete()
    Collection.objects.filter(owner__in=people).delete()
    Favourite.objects.filter(volunteer__in=people).delete()


def _favourites(people: list[int]) -> list[dict[str, Any]]:
    found = Favourite.objects.filter(volunteer__in=people).select_related("subject__survey")
    return [
        {**_galaxy(each.subject), "created_at": each.created_at.isoformat()}
        for each in found.order_by("id")
    ]


def _collections(people: list[int]) -> list[dict[str, Any]]:
    found = Collection.objects.filter(owner__in=people).order_by("id")
    return [
        {
            "address": each.get_absolute_url(),
            "name": each.name,
            "description": each.description,
            "is_listed": each.is_listed,
            "created_at": each.created_at.isoformat(),
            "galaxies": [
                _galaxy(member.subject) for member in each.members.select_related("subject__survey")
            ],
        }
        for each in found
    ]


def _comments(people: list[int]) -> list[dict[str, Any]]:
    found = Comment.objects.filter(author__in=people).select_related("subject__survey")
    return [
        {
            **_galaxy(each.subject),
            "text": each.text,
            "state": each.state,
            "created_at": each.created_at.isoformat(),
            "edited_at": each.edited_at and each.edited_at.isoformat(),
        }
        for each in found.order_by("id")
    ]


def _reports(people: list[int]) -> list[dict[str, Any]]:
    found = CommentReport.objects.filter(reporter__in=people).order_by("id")
    return [
        {
            "comment": each.comment_id,
            "reason": each.reason,
            "note": each.note,
            "created_at": each.created_at.isoformat(),
        }
        for each in found
    ]


def _galaxy(subject: Subject) -> dict[str, Any]:
    return {
        "subject": subject.pk,
        "survey": subject.survey.slug,
        "external_id": subject.external_id,
    }
