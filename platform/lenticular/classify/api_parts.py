"""How the classify API reads requests: bounded bodies, cookies with CSRF, entry by entry."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import serializers, status
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

from lenticular.accounts.web import COOKIE
from lenticular.classify.services import NewClassification
from lenticular.common.errors import InvalidInputError, LenticularError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.contrib.auth.models import AbstractBaseUser
    from drf_spectacular.openapi import AutoSchema
    from rest_framework.request import Request

MAX_BODY_BYTES = 1024 * 1024
MAX_STEPS = 100
MAX_SKEW_SECONDS = 60
"""How far a client's clock may be off before we note it."""
ACCOUNT_HEADER = "X-Account"
"""Names the account that a page was made for, so that nothing is recorded for another."""


class BodyTooLargeError(APIException):
    """The body has more bytes than we read."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"The body must have at most {MAX_BODY_BYTES} bytes, has more."
    default_code = "body-too-large"


class BoundedJSONParser(BaseParser):
    """Reads JSON of at most `MAX_BODY_BYTES`, whatever length the header claims."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the parsed body; raises ParseError for what is not JSON in UTF-8."""
        del media_type, parser_context
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLargeError
        try:
            return json.loads(body.decode(), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body must be JSON in UTF-8: {error}") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


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


class CountSerializer(serializers.Serializer[Any]):
    """How many subjects are asked for; those in hand come first."""

    count = serializers.IntegerField(min_value=1, max_value=50, default=1)


class StepField(serializers.ListField):
    """One [question, answer] pair."""

    child = serializers.CharField(max_length=64)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_length=2, max_length=2, **kwargs)


class EntrySerializer(serializers.Serializer[Any]):
    """One classification, as a client sends it."""

    uuid = serializers.UUIDField()
    version = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    subject = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    annotations = serializers.ListField(child=StepField(), min_length=1, max_length=MAX_STEPS)
    started_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    metadata = serializers.DictField(required=False, default=dict)


class BatchSerializer(serializers.Serializer[Any]):
    """A batch of classifications."""

    classifications = serializers.ListField(child=EntrySerializer(), max_length=100)
    sent_at = serializers.DateTimeField(required=False, allow_null=True)


def clock_skew(body: object) -> int | None:
    """Return by how many seconds the client's clock is ahead; None where it is right or unknown."""
    text = body.get("sent_at") if isinstance(body, dict) else None
    try:
        sent_at = parse_datetime(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if sent_at is None or sent_at.tzinfo is None:
        return None
    skew = round((sent_at - timezone.now()).total_seconds())
    return skew if abs(skew) > MAX_SKEW_SECONDS else None


class SignedOutError(LenticularError):
    """The page is of an account that is not signed in any more."""

    status = status.HTTP_401_UNAUTHORIZED
    kind = "signed-out"
    title = "Sign in again"


class BadEntryError(InvalidInputError):
    """One entry of a batch is not a classification."""

    kind = "bad-entry"


def read_entry(raw: object, *, clock_skew: int | None = None) -> NewClassification:
    """Return one entry of a batch; a clock that is off is noted in its metadata, in seconds.

    Raises
    ------
    BadEntryError
        For an entry with a missing or malformed field; the message names the fields.
    """
    entry = EntrySerializer(data=raw)
    if not entry.is_valid():
        fields = ", ".join(sorted(entry.errors))
        raise BadEntryError(f"the entry breaks a rule in: {fields}", errors=entry.errors)
    found = entry.validated_data
    noted = {} if clock_skew is None else {"clock_skew": clock_skew}
    return NewClassification(
        uuid=found["uuid"],
        version_id=found["version"],
        subject_id=found["subject"],
        annotations=[(question, answer) for question, answer in found["annotations"]],
        started_at=found["started_at"],
        metadata={**found["metadata"], **noted},
    )


def named_uuid(raw: object) -> str | None:
    """Return the UUID that an entry names, so that a client can match the refusal; else None."""
    text = raw.get("uuid") if isinstance(raw, dict) else None
    try:
        return str(UUID(text)) if isinstance(text, str) else None
    except ValueError:
        return None
