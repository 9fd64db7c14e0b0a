"""Whose an answer is that a browser kept: the volunteer's to whom its galaxy was served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lenticular.accounts.selectors import canonical, identities, volunteer_with
from lenticular.accounts.services import AlreadyMergedError
from lenticular.accounts.web import SignedOutError, read_name
from lenticular.classifications.selectors import classification_with
from lenticular.classify.services import merge_volunteers

if TYPE_CHECKING:
    from uuid import UUID

    from lenticular.accounts.models import Volunteer


def author_of(*, uuid: UUID, name: str | None, asking: Volunteer, is_signed_in: bool) -> Volunteer:
    """Return who gave an answer: the volunteer whose signed name it bears, else whoever asks.

    By the time an answer is sent the cookie may be another volunteer's. The name stands in for
    the cookie, never for an account: it must be of a volunteer who is nobody's, or the
    account's that is signed in. As at sign-in, who is nobody's becomes the account's.

    Parameters
    ----------
    uuid
        The answer's own: what an account has given before may be given again, to hear so.
    name
        As `lenticular.accounts.web.signed_name` gave it; a forged or old one is as none.
    asking
        Whom the session or the cookie names.
    is_signed_in
        Whether `asking` is so by a session or a token, not by a cookie alone.

    Raises
    ------
    SignedOutError
        Where the answer is of an account that is not signed in, and must wait for it.
    """
    key = None if name is None else read_name(name)
    if key is None or key == asking.key:
        return asking
    named = volunteer_with(key=key)
    person = asking if named is None else canonical(named)
    if person == asking:
        return asking
    if person.user_id is not None:
        if _has_given(person, uuid):
            return person
        raise SignedOutError("the answer is of an account that is not signed in")
    # What others are merged into was an account's, which is deleted: it is nobody's for ever.
    if not is_signed_in or person.merged.exists():
        return person
    return _joined(person, asking)


def _has_given(person: Volunteer, uuid: UUID) -> bool:
    found = classification_with(uuid=uuid)
    return found is not None and found.volunteer_id in identities(person)


def _joined(anonymous: Volunteer, account: Volunteer) -> Volunteer:
    try:
        return merge_volunteers(anonymous=anonymous, into=account)
    except AlreadyMergedError as error:
        raise SignedOutError("the answer has just become another account's") from error
