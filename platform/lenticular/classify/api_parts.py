"""How the classify API reads requests, entry by entry."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework import serializers

from lenticular.classify.services import NewClassification
from lenticular.common.errors import InvalidInputError

MAX_STEPS = 100
MAX_SKEW_SECONDS = 60
"""How far a client's clock may be off before we note it."""


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
    volunteer = serializers.CharField(required=False, allow_null=True, max_length=200)


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
    text = _text(raw, "uuid")
    try:
        return None if text is None else str(UUID(text))
    except ValueError:
        return None


def named_volunteer(raw: object) -> str | None:
    """Return the signed name that an entry bears, which `read_entry` has let pass; else None."""
    return _text(raw, "volunteer")


def _text(raw: object, field: str) -> str | None:
    text = raw.get(field) if isinstance(raw, dict) else None
    return text if isinstance(text, str) else None
