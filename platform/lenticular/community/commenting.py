"""Writes of comments and of reports."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from lenticular.accounts.selectors import identities
from lenticular.accounts.services import lock_volunteer, volunteer_of
from lenticular.common.errors import ForbiddenError, InvalidInputError, NotFoundError
from lenticular.community.errors import (
    NotClassifiedError,
    SuspendedError,
    TooFastError,
    TooLateError,
)
from lenticular.community.models import (
    COMMENT_LENGTH,
    REASON_LENGTH,
    Comment,
    CommentReport,
    CommentState,
    ReportReason,
)
from lenticular.community.selectors import may_read_comments, suspension_of
from lenticular.community.texts import clean_optional, clean_text
from lenticular.subjects.selectors import get_subject

if TYPE_CHECKING:
    from lenticular.accounts.models import User, Volunteer

EDIT_TIME = timedelta(minutes=15)
DOUBLE_CLICK = timedelta(minutes=1)
RATES = ((timedelta(minutes=1), 5), (timedelta(days=1), 100))
"""How many comments a person may post in which time."""

REPORTS_TO_HOLD = 3
"""How many open reports hide a comment until a moderator looks."""


@transaction.atomic
def post_comment(*, author: User, subject_id: int, text: str) -> Comment:
    """Comment on a subject; the same text again within a minute gives the first comment.

    Raises
    ------
    NotFoundError
        For an unknown subject.
    NotClassifiedError
        Where the author may not see the comments yet.
    SuspendedError
        Where a moderator has suspended the account from commenting.
    BadTextError
        For a text that is empty or too long.
    TooFastError
        For more than `RATES` allow.
    """
    # Locked: one person's posts follow each other, so that none slips past the rules.
    person = lock_volunteer(volunteer=volunteer_of(user=author))
    subject = get_subject(subject_id=subject_id)
    _require_reader(author, person, subject.pk)
    _refuse_suspended(person)
    words = clean_text(text, what="comment", limit=COMMENT_LENGTH)
    now = timezone.now()
    mine = Comment.objects.filter(author__in=identities(person), created_at__gt=now - RATES[1][0])
    again = mine.filter(subject=subject, text=words, created_at__gt=now - DOUBLE_CLICK).first()
    if again is not None:
        return again
    _refuse_fast([*mine.values_list("created_at", flat=True)], now)
    return Comment.objects.create(subject=subject, author=person, text=words)


@transaction.atomic
def edit_comment(*, comment_id: int, author: User, text: str) -> Comment:
    """Change a comment of one's own within `EDIT_TIME`.

    Raises
    ------
    NotFoundError
        For an unknown comment.
    ForbiddenError
        Where it is somebody else's.
    SuspendedError
        Where the account is suspended from commenting.
    TooLateError
        After `EDIT_TIME`, or where the comment is not to be read any more.
    BadTextError
        For a text that is empty or too long.
    """
    comment, person = _own(comment_id, author)
    _refuse_suspended(person)
    if not may_still_edit(comment):
        raise TooLateError(f"comment {comment_id} could be changed for 15 minutes")
    words = clean_text(text, what="comment", limit=COMMENT_LENGTH)
    if words != comment.text:
        comment.text, comment.edited_at = words, timezone.now()
        comment.save(update_fields=["text", "edited_at"])
    return comment


def may_still_edit(comment: Comment) -> bool:
    """Tell whether its author may change the comment now."""
    is_young = timezone.now() - comment.created_at <= EDIT_TIME
    return is_young and comment.state == CommentState.VISIBLE


@transaction.atomic
def remove_comment(*, comment_id: int, author: User) -> Comment:
    """Remove a comment of one's own: its text goes, its place stays; idempotent.

    Raises
    ------
    NotFoundError
        For an unknown comment.
    ForbiddenError
        Where it is somebody else's.
    """
    comment, _person = _own(comment_id, author)
    comment.text, comment.state = "", CommentState.REMOVED
    comment.save(update_fields=["text", "state"])
    comment.reports.update(is_open=False)
    return comment


@transaction.atomic
def report_comment(
    *, comment_id: int, reporter: User, reason: str, note: str = ""
) -> CommentReport:
    """Report a comment to the moderators, once per person; `REPORTS_TO_HOLD` hide it.

    Raises
    ------
    NotFoundError
        For an unknown comment.
    NotClassifiedError
        Where the reporter may not see the comments yet.
    InvalidInputError
        For an unknown reason, or one's own comment.
    BadTextError
        For a note that is too long.
    """
    comment = locked_comment(comment_id)
    person = volunteer_of(user=reporter)
    _require_reader(reporter, person, comment.subject_id)
    if reason not in ReportReason.values:
        raise InvalidInputError(f"reason must be one of {ReportReason.values}, is {reason[:40]!r}")
    if comment.author_id in identities(person):
        raise InvalidInputError("a comment must be somebody else's to be reported, is yours")
    note = clean_optional(note, what="note", limit=REASON_LENGTH)
    report, created = CommentReport.objects.get_or_create(
        comment=comment, reporter=person, defaults={"reason": reason, "note": note}
    )
    if created:
        _hold_if_due(comment)
    return report


def locked_comment(comment_id: int) -> Comment:
    """Return one comment, locked; raises NotFoundError where there is none."""
    found = Comment.objects.select_for_update().filter(pk=comment_id).first()
    if found is None:
        raise NotFoundError(f"comment {comment_id} does not exist")
    return found


def _hold_if_due(comment: Comment) -> None:
    is_due = comment.reports.filter(is_open=True).count() >= REPORTS_TO_HOLD
    if is_due and comment.state == CommentState.VISIBLE:
        comment.state = CommentState.HELD
        comment.save(update_fields=["state"])


def _own(comment_id: int, author: User) -> tuple[Comment, Volunteer]:
    comment, person = locked_comment(comment_id), volunteer_of(user=author)
    if comment.author_id not in identities(person):
        raise ForbiddenError(f"comment {comment_id} is somebody else's")
    return comment, person


def _require_reader(user: User, person: Volunteer, subject_id: int) -> None:
    if not may_read_comments(user=user, volunteer=person, subject_id=subject_id):
        raise NotClassifiedError(f"subject {subject_id} must be classified first, is not")


def _refuse_suspended(person: Volunteer) -> None:
    suspension = suspension_of(volunteer=person)
    if suspension is not None:
        raise SuspendedError(f"this account may not comment: {suspension.reason}")


def _refuse_fast(times: list[datetime], now: datetime) -> None:
    for span, most in RATES:
        if sum(time > now - span for time in times) >= most:
            minutes = int(span.total_seconds() // 60)
            raise TooFastError(f"a person posts at most {most} comments in {minutes} minutes")
