"""The volunteer's writes: the one place that calls log, tally, lease and retirement in turn.

Whoever changes a tally and then the queue changes the tally first, so that nobody waits in
a circle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction

from lenticular.accounts.selectors import identities
from lenticular.accounts.services import lock_volunteer
from lenticular.accounts.services import merge_volunteers as merge_accounts
from lenticular.classifications.models import Arm, Kind
from lenticular.classifications.selectors import classification_with, has_classified
from lenticular.classifications.services import (
    AlreadyClassifiedError,
    UuidReusedError,
    append_classification,
)
from lenticular.common.errors import InvalidInputError, LenticularError
from lenticular.consensus.selectors import retirement_of
from lenticular.consensus.services import (
    count_classification,
    retire_if_due,
    uncount_duplicates,
)
from lenticular.selection.services import (
    NotServedError,
    Served,
    answer_lease,
    ask_again_if_outdated,
    find_served,
    give_back_twice_leased,
    retire_entry,
    take_back_vote,
)
from lenticular.subjects.selectors import get_subject
from lenticular.workflows.selectors import get_version
from mlcore.errors import AnnotationError

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from lenticular.accounts.models import Volunteer
    from lenticular.classifications.models import Classification
    from lenticular.consensus.models import Tally
    from lenticular.workflows.models import WorkflowVersion

MAX_BATCH = 100

Annotations = Mapping[str, str] | Sequence[tuple[str, str]]


class BadAnnotationsError(InvalidInputError):
    """The answers are not one complete path through the tree."""

    kind = "bad-annotations"


@dataclass(frozen=True)
class NewClassification:
    """One classification as a client sends it.

    Attributes
    ----------
    uuid
        Made by the client, once.
    version_id, subject_id
        Primary keys of what was asked, of which galaxy.
    annotations
        Question to answer, or (question, answer) pairs, in any order.
    started_at
        When the volunteer first saw the galaxy; aware.
    metadata
        What the client tells of itself, as JSON values.
    """

    uuid: UUID
    version_id: int
    subject_id: int
    annotations: Annotations
    started_at: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recorded:
    """A classification in the log.

    `created` by this call; `retired` whether its subject is. `tally` is the subject's with
    this vote, None where nothing was counted.
    """

    classification: Classification
    created: bool
    retired: bool
    tally: Tally | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one entry of a batch: `recorded`, or the `error` that refused it."""

    uuid: UUID
    recorded: Recorded | None = None
    error: LenticularError | None = None


@transaction.atomic
def record_classification(
    *,
    volunteer: Volunteer,
    uuid: UUID,
    version_id: int,
    subject_id: int,
    annotations: Annotations,
    started_at: datetime | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Recorded:
    """Record one volunteer's answers about one subject: once, wholly, or not at all.

    A repeated UUID answers as the first did. A subject served before it was retired still
    takes the vote; an answer to one served for practice is kept, and is no vote. The log,
    the tally, the lease and the retirement change in one transaction, in which the
    volunteer is locked: one person's posts follow each other.

    Parameters
    ----------
    volunteer
        Whoever posts; the vote is the account's where the volunteer is merged.
    uuid, version_id, subject_id, annotations, started_at, metadata
        As in `NewClassification`.

    Raises
    ------
    NotFoundError
        For an unknown version or subject.
    BadAnnotationsError
        For answers that the tree does not allow.
    UuidReusedError
        Where the UUID names another classification.
    AlreadyClassifiedError
        Where the person has classified the subject before.
    NotServedError
        Where the subject was never served to the person.
    InvalidInputError
        For metadata or a time that breaks a rule.
    """
    person = lock_volunteer(volunteer=volunteer)
    version = get_version(version_id=version_id)
    path = _path(version, annotations)
    volunteer_ids = identities(person)
    if first := _first_answer(uuid, volunteer_ids, version, subject_id, path):
        return first
    served = _unanswered(version, subject_id, volunteer_ids)
    lease = served.lease
    classification, created = append_classification(
        uuid=uuid,
        version=version,
        subject=lease.subject,
        volunteer=person,
        path=path,
        kind=Kind.PRACTICE if lease.arm == Arm.PRACTICE else Kind.VOTE,
        arm=lease.arm,
        selection_probability=lease.selection_probability,
        started_at=started_at,
        metadata=metadata,
    )
    if not created:
        return Recorded(classification, created=False, retired=served.is_retired)
    return _count(classification, served)


def _path(version: WorkflowVersion, annotations: Annotations) -> tuple[tuple[str, str], ...]:
    try:
        return version.tree.validate(annotations)
    except AnnotationError as error:
        raise BadAnnotationsError(str(error)) from error


def _first_answer(
    uuid: UUID,
    volunteer_ids: Collection[int],
    version: WorkflowVersion,
    subject_id: int,
    path: Sequence[tuple[str, str]],
) -> Recorded | None:
    """Return what was recorded under this UUID, if anything was and it says the same."""
    found = classification_with(uuid=uuid)
    if found is None:
        return None
    same = (found.version_id, found.subject_id, found.annotations) == (
        version.pk,
        subject_id,
        [list(step) for step in path],
    )
    if not same or found.volunteer_id not in volunteer_ids:
        raise UuidReusedError(f"uuid {uuid} names another classification already")
    retirement = retirement_of(workflow=version.workflow, subject_id=subject_id)
    return Recorded(found, created=False, retired=retirement is not None)


def _unanswered(
    version: WorkflowVersion, subject_id: int, volunteer_ids: Collection[int]
) -> Served:
    """Return how the person was served the subject, which is not answered yet."""
    workflow = version.workflow
    served = find_served(workflow=workflow, subject_id=subject_id, volunteer_ids=volunteer_ids)
    if served is None:
        subject = get_subject(subject_id=subject_id)
        if not has_classified(
            workflow=workflow, subject_id=subject.pk, volunteer_ids=volunteer_ids
        ):
            raise NotServedError(f"subject {subject_id} was not served to this volunteer")
    if served is None or served.is_classified:
        raise AlreadyClassifiedError(f"subject {subject_id} is classified already")
    return served


def _count(classification: Classification, served: Served) -> Recorded:
    """Bring tally, lease and retirement up to the log, in this order; practice is no vote."""
    workflow, subject = classification.workflow, classification.subject
    if classification.kind != Kind.VOTE:
        answer_lease(lease=served.lease)
        return Recorded(classification, created=True, retired=served.is_retired)
    tally = count_classification(classification=classification)
    answer_lease(lease=served.lease)
    retirement = retire_if_due(workflow=workflow, subject=subject, tally=tally)
    if retirement:
        retire_entry(workflow=workflow, subject_id=subject.pk)
    ask_again_if_outdated(version=classification.version, subject_id=subject.pk)
    is_retired = served.is_retired or retirement is not None
    return Recorded(classification, created=True, retired=is_retired, tally=tally)


def record_classifications(
    *, volunteer: Volunteer, batch: Iterable[NewClassification]
) -> list[Outcome]:
    """Record a batch, each entry by itself: one that is refused does not lose the others.

    Raises
    ------
    InvalidInputError
        For more than `MAX_BATCH` entries; nothing is recorded then.
    """
    entries = list(batch)
    if len(entries) > MAX_BATCH:
        raise InvalidInputError(f"batch must have at most {MAX_BATCH} entries, has {len(entries)}")
    return [_record_one(volunteer, entry) for entry in entries]


def _record_one(volunteer: Volunteer, entry: NewClassification) -> Outcome:
    try:
        recorded = record_classification(
            volunteer=volunteer,
            uuid=entry.uuid,
            version_id=entry.version_id,
            subject_id=entry.subject_id,
            annotations=entry.annotations,
            started_at=entry.started_at,
            metadata=entry.metadata,
        )
    except LenticularError as error:
        return Outcome(entry.uuid, error=error)
    return Outcome(entry.uuid, recorded=recorded)


def merge_volunteers(*, anonymous: Volunteer, into: Volunteer) -> Volunteer:
    """Give the anonymous volunteer's work to the account's; idempotent.

    The log keeps every row as it is. Where both voted for a subject, the later vote is
    uncounted and the subject asked about once more. Afterwards the anonymous volunteer's
    posts are the account's.

    Raises
    ------
    InvalidInputError
        Where `anonymous` has an account, or `into` has none or is merged itself.
    AlreadyMergedError
        Where `anonymous` is merged into another.
    """
    with transaction.atomic():
        merged = lock_volunteer(volunteer=anonymous).pk == into.pk
        # First, as it refuses: votes of a volunteer who is another's already stay counted.
        merge_accounts(anonymous=anonymous, into=into)
        if not merged:
            for vote in uncount_duplicates(anonymous=anonymous, into=into):
                take_back_vote(
                    workflow_id=vote.workflow_id,
                    subject_id=vote.subject_id,
                    came_back=vote.came_back,
                )
    give_back_twice_leased(volunteer=into)
    return into
