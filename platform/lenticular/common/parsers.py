"""How the API reads bodies: JSON, bounded."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY_BYTES = 1024 * 1024


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
