"""Who is asking: an account, or a browser known by its signed cookie."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.utils.translation import gettext_noop

from lenticular.accounts.models import User, Volunteer
from lenticular.accounts.selectors import canonical, volunteer_with
from lenticular.accounts.services import create_anonymous_volunteer, volunteer_of
from lenticular.common.errors import LenticularError

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

COOKIE = "volunteer"
COOKIE_SALT = "lenticular.volunteer"
COOKIE_SECONDS = 365 * 24 * 3600
NAME_SALT = "lenticular.volunteer.name"
SIGNED_IN = "signed_in"
"""The cookie by which a browser knows that it was signed in, once its session has ended."""


class SignedOutError(LenticularError):
    """The session has ended by itself; what the account did waits until it signs in again."""

    status = 401
    kind = "signed-out"
    title = gettext_noop("This browser was signed out")


def known_volunteer(request: HttpRequest) -> Volunteer | None:
    """Return who is asking, or None for a browser that has not classified yet."""
    if isinstance(request.user, User):
        return volunteer_of(user=request.user)
    found = cookie_volunteer(request)
    return canonical(found) if found else None


def volunteer_for_request(request: HttpRequest) -> Volunteer:
    """Return who is asking; a new browser becomes a volunteer (see `remember_volunteer`).

    Raises
    ------
    SignedOutError
        For a browser whose session has ended by itself: as somebody new it would lose the
        answers that it has not sent yet.
    """
    known = known_volunteer(request)
    if known is None and was_signed_out(request):
        raise SignedOutError("this browser was signed out; sign in again, or sign out for good")
    return known or create_anonymous_volunteer()


def was_signed_out(request: HttpRequest) -> bool:
    """Tell whether a session has ended here without anybody having signed out."""
    return bool(request.COOKIES.get(SIGNED_IN)) and not isinstance(request.user, User)


def remember_signing_in(request: HttpRequest, response: HttpResponseBase) -> None:
    """Have the browser know that it is signed in, for longer than the session lasts."""
    ends_with_browser = request.session.get_expire_at_browser_close()
    response.set_cookie(
        SIGNED_IN,
        "yes",
        max_age=None if ends_with_browser else COOKIE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def forget_signing_in(response: HttpResponseBase) -> None:
    """Have the browser be anyone's again, after somebody has signed out.

    An answer that was on its way while somebody signed in may have put the cookie back that
    is merged into the account: whoever comes next would act and read as the account.
    """
    response.delete_cookie(SIGNED_IN, samesite="Lax")
    forget_volunteer(response)


def cookie_volunteer(request: HttpRequest) -> Volunteer | None:
    """Return the volunteer that the cookie names, merged or not; None for no or a bad cookie."""
    value = request.get_signed_cookie(
        COOKIE, default=None, salt=COOKIE_SALT, max_age=COOKIE_SECONDS
    )
    if value is None:
        return None
    return volunteer_with(key=UUID(value))


def remember_volunteer(
    request: HttpRequest, response: HttpResponseBase, volunteer: Volunteer
) -> None:
    """Have an anonymous browser keep who it is for a year; accounts need no cookie."""
    if isinstance(request.user, User):
        return
    response.set_signed_cookie(
        COOKIE,
        str(volunteer.key),
        salt=COOKIE_SALT,
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def forget_volunteer(response: HttpResponseBase) -> None:
    """Have the browser drop its cookie, once an account has taken over."""
    response.delete_cookie(COOKIE, samesite="Lax")


def signed_name(volunteer: Volunteer) -> str | None:
    """Return what a page keeps with its answers to say whose they are, for a year.

    None for an account's volunteer: a name that scripts can read must open no account.
    """
    if volunteer.user_id is not None:
        return None
    return TimestampSigner(salt=NAME_SALT).sign(str(volunteer.key))


def read_name(text: str) -> UUID | None:
    """Return the key of the volunteer that a signed name is of; None for a forged or old one."""
    try:
        return UUID(TimestampSigner(salt=NAME_SALT).unsign(text, max_age=COOKIE_SECONDS))
    except BadSignature:
        return None


def client_address(request: HttpRequest) -> str:
    """Return the address of whoever asks, as the nearest proxy that we trust wrote it down.

    Each of the LENTICULAR_PROXY_COUNT trusted proxies appends the address that it saw to
    X-Forwarded-For; what stands before those is the client's own word and is not read. A
    request that came by fewer proxies, or whose entry is no address, is its peer's.
    """
    peer = str(request.META.get("REMOTE_ADDR", ""))
    trusted: int = settings.LENTICULAR_PROXY_COUNT
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    if not 0 < trusted <= len(forwarded):
        return peer
    try:
        return str(ip_address(forwarded[-trusted].strip()))
    except ValueError:
        return peer
