"""Writes of the log: appending, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from lenticular.classifications.models import Classification, GoldWithdrawal, Kind
from lenticular.common.errors import ConflictError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from lenticular.accounts.models import User, Volunteer
    from lenticular.subjects.models import Subject
    from lenticular.workflows.models import WorkflowVersion

MAX_METADATA_CHARACTERS = 10_000
MAX_REASON_CHARACTERS = 500


class UuidReusedError(ConflictError):
    """The UUID names another classification."""

    kind = "uuid-reused"


class AlreadyClassifiedError(ConflictError):
    """The volunteer has classified this subject before."""

    kind = "already-classified"


def append_classification(
    *,
    uuid: UUID,
    version: WorkflowVersion,
    subject: Subject,
    volunteer: Volunteer,
    path: Sequence[tuple[str, str]],
    kind: Kind = Kind.VOTE,
    arm: str = "",
    selection_probability: float | None = None,
    started_at: datetime | None = None,
    metadata: Mapping[str, Any] | None = None,
    gold_standard: bool = False,
) -> tuple[Classification, bool]:
    """Append one classification to the log; the same one again answers as the first did.

    Parameters
    ----------
    uuid
        Made by the client, once per classification.
    version, subject, volunteer
        What was asked, of which galaxy, of whom.
    path
        As `DecisionTree.validate` gives it: checked, in walk order.
    kind, gold_standard
        Only votes are tallied; an expert's gold standard checks volunteers.
    arm, selection_probability
        Which rule drew the subject and with which probability, in (0, 1]; blank and None
        for what nobody drew.
    started_at
        When the volunteer first saw the subject; aware.
    metadata
        What the client tells of itself, as JSON values.

    Returns
    -------
    tuple
        The classification in the log, and whether this call put it there.

    Raises
    ------
    UuidReusedError
        Where the UUID names a classification with other content.
    AlreadyClassifiedError
        Where the volunteer has one of this kind for the subject; an expert, for the subject
        under this version.
    InvalidInputError
        For metadata that is not JSON or too long, or a naive `started_at`.
    """
    new = Classification(
        uuid=uuid,
        workflow=version.workflow,
        version=version,
        subject=subject,
        volunteer=volunteer,
        kind=kind,
        annotations=[list(step) for step in path],
        arm=arm,
        selection_probability=selection_probability,
        gold_standard=gold_standard,
        started_at=_aware(started_at),
        metadata=_checked(metadata or {}),
    )
    try:
        with transaction.atomic():
            new.save(force_insert=True)
    except IntegrityError as error:
        return _first(new, error), False
    return new, True


@transaction.atomic
def withdraw_gold_standard(
    *, classification: Classification, expert: User, reason: str
) -> GoldWithdrawal:
    """Check and teach nobody by this gold standard any more; who may do so, the caller knows.

    Raises
    ------
    InvalidInputError
        For a classification that is no gold standard, or a reason that is empty or too long.
    ConflictError
        Where it is withdrawn already.
    """
    if not classification.gold_standard:
        raise InvalidInputError(f"classification must be a gold standard, {classification} is not")
    if not 0 < len(reason) <= MAX_REASON_CHARACTERS:
        rule = f"reason must have 1 to {MAX_REASON_CHARACTERS} characters"
        raise InvalidInputError(f"{rule}, has {len(reason)}")
    withdrawal, created = GoldWithdrawal.objects.get_or_create(
        classification=classification, defaults={"expert": expert, "reason": reason}
    )
    if not created:
        raise ConflictError(f"gold standard {classification} is withdrawn already")
    return withdrawal


def _first(new: Classification, error: IntegrityError) -> Classification:
    found = Classification.objects.filter(uuid=new.uuid).first()
    if found is not None:
        return same_or_refuse(found=found, new=new)
    again = Classification.objects.filter(
        workflow=new.workflow_id, subject=new.subject_id, volunteer=new.volunteer_id, kind=new.kind
    )
    if new.kind == Kind.EXPERT:
        again = again.filter(version=new.version_id)
    if again.exists():
        raise AlreadyClassifiedError(f"subject {new.subject_id} is classified already") from error
    raise error


def same_or_refuse(*, found: Classification, new: Classification) -> Classification:
    """Return `found` where `new` says the same; raises UuidReusedError where it does not."""
    for name in ("version_id", "subject_id", "volunteer_id", "kind", "annotations"):
        if getattr(found, name) != getattr(new, name):
            raise UuidReusedError(f"uuid {new.uuid} names another classification already")
    return found


def _aware(started_at: datetime | None) -> datetime | None:
    if started_at is not None and started_at.tzinfo is None:
        raise InvalidInputError(f"started_at must have a time zone, is {started_at.isoformat()}")
    return started_at


def _checked(metadata: Mapping[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(dict(metadata), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"metadata must be a JSON object: {error}") from error
    if len(text) > MAX_METADATA_CHARACTERS:
        rule = f"metadata must have at most {MAX_METADATA_CHARACTERS} characters"
        raise InvalidInputError(f"{rule}, has {len(text)}")
    if "\\u0000" in text:
        raise InvalidInputError("metadata must hold no NUL character, holds one")
    return dict(metadata)
