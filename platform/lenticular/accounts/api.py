"""What every API that volunteers use shares: who is asking, and how that is proved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from lenticular.accounts.web import (
    COOKIE,
    SignedOutError,
    remember_volunteer,
    volunteer_for_request,
)
from lenticular.common.parsers import BoundedJSONParser

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser
    from django.http import HttpRequest
    from drf_spectacular.openapi import AutoSchema
    from rest_framework.request import Request

    from lenticular.accounts.models import Volunteer

ACCOUNT_HEADER = "X-Account"
"""Names the account that a page was made for, so that nothing is recorded for another."""


class VolunteerCookieAuthentication(SessionAuthentication):
    """As for sessions, a browser known by its volunteer cookie must send the CSRF token."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, None] | None:
        """Return the signed-in user, if any; refuse a cookie without the token."""
        found: tuple[AbstractBaseUser, None] | None = super().authenticate(request)
        if found is None and COOKIE in request.COOKIES:
            self.enforce_csrf(request)
        return found


class VolunteerCookieScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tells the OpenAPI schema of the volunteer's cookie."""

    target_class = VolunteerCookieAuthentication
    name = "volunteerCookie"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """Return the scheme: a signed cookie, with the CSRF token beside it."""
        del auto_schema
        return {"type": "apiKey", "in": "cookie", "name": COOKIE}


class VolunteersView(APIView):
    """Open to programs with a token, to accounts, and to anonymous browsers."""

    authentication_classes = (TokenAuthentication, VolunteerCookieAuthentication)
    parser_classes = (BoundedJSONParser,)
    permission_classes = (AllowAny,)

    def volunteer(self, request: Request) -> Volunteer:
        """Return who is asking; a new browser becomes a volunteer.

        Raises
        ------
        SignedOutError
            Where the page was made for an account that is not signed in any more.
        """
        account = request.headers.get(ACCOUNT_HEADER)
        if account is not None and account != str(request.user.pk):
            raise SignedOutError("the page is of an account that is not signed in any more")
        return volunteer_for_request(cast("HttpRequest", request))

    def respond(self, request: Request, volunteer: Volunteer, body: Any, code: int) -> Response:
        """Respond, and have an anonymous browser keep who it is."""
        response = Response(body, status=code)
        remember_volunteer(cast("HttpRequest", request), response, volunteer)
        return response
