"""Problem documents (RFC 9457): the one HTTP form of our errors."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from lenticular.common.errors import LenticularError

CONTENT_TYPE = "application/problem+json"


def problem_document(error: LenticularError) -> dict[str, Any]:
    """Return the members of the problem document for `error`."""
    return {
        **error.extra,
        "type": f"urn:lenticular:problem:{error.kind}",
        "title": error.title,
        "status": error.status,
        "detail": error.message,
    }


def problem_response(error: LenticularError) -> JsonResponse:
    """Return `error` as a response, for views outside the REST framework."""
    return JsonResponse(problem_document(error), status=error.status, content_type=CONTENT_TYPE)


def exception_handler(exc: Exception, _context: dict[str, Any]) -> Response | None:
    """Turn an exception in an API view into a problem document.

    Returns None for what is not expected, so that it surfaces as a server error.
    """
    if isinstance(exc, LenticularError):
        document = problem_document(exc)
    elif (known := _as_api_exception(exc)) is not None:
        document = _api_problem(known)
    else:
        return None
    set_rollback()
    headers = _headers(exc)
    return Response(document, status=document["status"], headers=headers, content_type=CONTENT_TYPE)


def _as_api_exception(exc: Exception) -> exceptions.APIException | None:
    if isinstance(exc, Http404):
        return exceptions.NotFound()
    if isinstance(exc, PermissionDenied):
        return exceptions.PermissionDenied()
    return exc if isinstance(exc, exceptions.APIException) else None


def _api_problem(exc: exceptions.APIException) -> dict[str, Any]:
    status = exc.status_code
    document: dict[str, Any] = {
        "type": f"urn:lenticular:problem:{exc.default_code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
    }
    if isinstance(exc, exceptions.ValidationError):
        return {**document, "detail": "The body breaks a rule; see errors.", "errors": exc.detail}
    return {**document, "detail": str(exc.detail)}


def _headers(exc: Exception) -> dict[str, str]:
    wait = getattr(exc, "wait", None)
    challenge = getattr(exc, "auth_header", None)
    headers = {"Retry-After": str(int(wait))} if wait is not None else {}
    return {**headers, "WWW-Authenticate": challenge} if challenge else headers
