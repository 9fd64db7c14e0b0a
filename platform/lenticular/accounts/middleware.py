"""Sign-in that lasts, what follows when it ends, and the way back to the page after it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from lenticular.accounts.web import SIGNED_IN, SignedOutError, remember_signing_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    Response = Callable[[HttpRequest], HttpResponseBase]

RENEWED = "renewed_at"
DAY = 24 * 3600


def keep_signed_in(get_response: Response) -> Response:
    """Start a lasting session's days anew, once a day: a write for each request would be dear."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        session = request.session
        if not session.accessed or SESSION_KEY not in session:
            return response
        lasts = not session.get_expire_at_browser_close()
        if lasts and session.get(RENEWED, 0) < time.time() - DAY:
            session[RENEWED] = int(time.time())
        if session.modified or SIGNED_IN not in request.COOKIES:
            remember_signing_in(request, response)
        return response

    return middleware


class SignInAgain:
    """Leads a page that an ended session can not open to sign-in and back."""

    def __init__(self, get_response: Response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Do nothing."""
        return self.get_response(request)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """Turn the error into the way; the API answers by itself."""
        if isinstance(exception, SignedOutError):
            return redirect_to_login(request.get_full_path())
        return None


def return_to_page(get_response: Response) -> Response:
    """Lead a form of a signed-out tab back to its page after signing in, not to its target."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        page = request.headers.get("Referer", "")
        if (
            request.method == "POST"
            and isinstance(response, HttpResponseRedirect)
            and _leads_to_sign_in(request, response)
            and url_has_allowed_host_and_scheme(page, {request.get_host()})
        ):
            return HttpResponseRedirect(_sign_in_and_back(page))
        return response

    return middleware


def _leads_to_sign_in(request: HttpRequest, response: HttpResponseRedirect) -> bool:
    place = urlsplit(response.url)
    return place.path == resolve_url(settings.LOGIN_URL) and f"next={request.path}" in place.query


def _sign_in_and_back(page: str) -> str:
    place = urlsplit(page)
    back = f"{place.path}?{place.query}" if place.query else place.path
    return f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': back})}"
