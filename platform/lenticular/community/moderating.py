"""What moderators do: every act is kept, with who did it, when and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from lenticular.accounts.models import Role, User, Volunteer
from lenticular.common.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
)
from lenticular.community.commenting import locked_comment
from lenticular.community.models import (
    REASON_LENGTH,
    Act,
    CommentState,
    ModerationAct,
    Suspension,
)
from lenticular.community.selectors import may_moderate
from lenticular.community.texts import clean_name

if TYPE_CHECKING:
    from lenticular.community.models import Comment

RESULTS = {
    Act.HIDE: ({CommentState.VISIBLE, CommentState.HELD}, CommentState.HIDDEN),
    Act.RESTORE: ({CommentState.HIDDEN, CommentState.HELD}, CommentState.VISIBLE),
    Act.DISMISS: ({CommentState.VISIBLE, CommentState.HELD}, CommentState.VISIBLE),
}
"""Act to the states in which it makes sense, and the state that it leaves."""


@transaction.atomic
def moderate_comment(*, comment_id: int, moderator: User, act: str, reason: str) -> Comment:
    """Hide or restore a comment, or dismiss its reports; in each case they are settled.

    Raises
    ------
    ForbiddenError
        Where `moderator` may not moderate.
    NotFoundError
        For an unknown comment.
    InvalidInputError
        For an act that is none about comments.
    ConflictError
        Where the act makes no sense any more, for a removed comment for example.
    BadTextError
        For a reason that is empty or too long.
    """
    why = _reason(moderator, reason)
    comment = locked_comment(comment_id)
    if act not in RESULTS:
        raise InvalidInputError(f"act must be one of {[*RESULTS]}, is {act[:40]!r}")
    allowed, state = RESULTS[Act(act)]
    if comment.state not in allowed:
        raise ConflictError(f"act {act} can not be done, comment {comment_id} is {comment.state}")
    comment.state = state
    comment.save(update_fields=["state"])
    comment.reports.update(is_open=False)
    ModerationAct.objects.create(act=act, moderator=moderator, comment=comment, reason=why)
    return comment


@transaction.atomic
def suspend_account(*, volunteer_id: int, moderator: User, reason: str) -> Suspension:
    """Keep an account from commenting; suspended again, the latest reason holds.

    Raises
    ------
    ForbiddenError
        Where `moderator` may not moderate, or the account moderates itself.
    NotFoundError
        Where there is no such account.
    BadTextError
        For a reason that is empty or too long.
    """
    why = _reason(moderator, reason)
    volunteer = _account(volunteer_id)
    if may_moderate(volunteer.user):
        raise ForbiddenError("an account that moderates can not be suspended")
    suspension, _created = Suspension.objects.update_or_create(
        volunteer=volunteer, defaults={"reason": why}
    )
    ModerationAct.objects.create(
        act=Act.SUSPEND, moderator=moderator, volunteer=volunteer, reason=why
    )
    return suspension


@transaction.atomic
def lift_suspension(*, volunteer_id: int, moderator: User, reason: str) -> None:
    """Let an account comment again; does nothing where it is not suspended.

    Raises
    ------
    ForbiddenError
        Where `moderator` may not moderate.
    NotFoundError
        Where there is no such account.
    BadTextError
        For a reason that is empty or too long.
    """
    why = _reason(moderator, reason)
    volunteer = _account(volunteer_id)
    deleted, _rows = Suspension.objects.filter(volunteer=volunteer).delete()
    if deleted:
        ModerationAct.objects.create(
            act=Act.LIFT, moderator=moderator, volunteer=volunteer, reason=why
        )


def _reason(moderator: User, reason: str) -> str:
    if not may_moderate(moderator):
        raise ForbiddenError(f"moderation needs the role {Role.EXPERT}")
    return clean_name(reason, what="reason", limit=REASON_LENGTH)


def _account(volunteer_id: int) -> Volunteer:
    found = Volunteer.objects.select_related("user").filter(pk=volunteer_id, user__isnull=False)
    volunteer = found.first()
    if volunteer is None:
        raise NotFoundError(f"volunteer {volunteer_id} with an account does not exist")
    return volunteer
