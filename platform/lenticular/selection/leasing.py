"""Leases: a subject is promised to a volunteer, answered, or given back.

Whoever changes a lease and its queue entry changes the lease first (and the subject's tally
before either), and one pair per transaction, so that nobody waits in a circle.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import (
    Case,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    When,
    prefetch_related_objects,
)
from django.db.models.functions import Mod
from django.utils import timezone

from lenticular.accounts.selectors import canonical, identities
from lenticular.classifications.models import Arm, Classification
from lenticular.classifications.selectors import gold_standards
from lenticular.common.errors import ConflictError, InvalidInputError
from lenticular.consensus.models import Retirement
from lenticular.selection.drawing import PRACTISED, WINDOWS, Candidates, Draw, draws
from lenticular.selection.models import Lease, LeaseState, QueueEntry
from lenticular.selection.queue import ask_for_more

if TYPE_CHECKING:
    from collections.abc import Collection

    from lenticular.accounts.models import Volunteer
    from lenticular.workflows.models import Workflow

MAX_LEASES = 50
LAPSED_AT_ONCE = 50


class NotServedError(ConflictError):
    """The subject was never served to the volunteer."""

    kind = "not-served"


def lease_subjects(
    *,
    workflow: Workflow,
    volunteer: Volunteer,
    count: int = 1,
    rng: random.Random | None = None,
) -> list[Lease]:
    """Serve up to `count` subjects: those in hand first, then new ones by the draw rule.

    Never a subject that the volunteer, anonymous past included, has been served or has
    classified before, and no retired one. Leases that nobody answered in time are given
    back on the way.

    Parameters
    ----------
    workflow
        A closed one serves nothing.
    volunteer
        Whose leases these become; where it is merged, the account's.
    count
        From 1 to `MAX_LEASES`.
    rng
        Where chance comes from; the system's by default.

    Returns
    -------
    list
        Fewer than `count` where no more is left.

    Raises
    ------
    InvalidInputError
        For a count out of its range.
    """
    if not 1 <= count <= MAX_LEASES:
        raise InvalidInputError(f"count must be from 1 to {MAX_LEASES}, is {count}")
    if not workflow.is_open:
        return []
    now = timezone.now()
    lapse_leases(now=now, limit=LAPSED_AT_ONCE)
    volunteer_ids = identities(volunteer)
    leases = _in_hand(workflow, volunteer_ids, count, now)
    if len(leases) < count:
        lacking = count - len(leases)
        candidates = find_candidates(workflow, volunteer_ids, lacking)
        unseen = _unseen(workflow, volunteer_ids)
        if not candidates.active and ask_for_more(workflow=workflow, among=unseen):
            candidates = find_candidates(workflow, volunteer_ids, lacking)
        drawn = draws(
            candidates,
            gold_share=workflow.gold_share,
            control_share=workflow.control_share,
            served=_served(workflow, volunteer_ids),
            rng=rng or random.SystemRandom(),
        )
        for draw in drawn:
            lease = _grant(workflow, canonical(volunteer), draw, now)
            leases += [lease] if lease else []
            if len(leases) == count:
                break
    prefetch_related_objects(leases, "subject__images")
    return leases


def _served(workflow: Workflow, volunteer_ids: Collection[int]) -> int:
    """Count what the person was served and kept, as far as the share of practice asks."""
    leases = Lease.objects.filter(workflow=workflow, volunteer__in=volunteer_ids)
    return leases.exclude(state=LeaseState.LAPSED)[:PRACTISED].count()


def _expiry(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.LENTICULAR_LEASE_SECONDS)


def _in_hand(
    workflow: Workflow, volunteer_ids: Collection[int], count: int, now: datetime
) -> list[Lease]:
    """Return the leases still out, their time begun anew: a reload shows the same galaxy."""
    retired = QueueEntry.objects.filter(
        workflow=workflow, subject=OuterRef("subject"), is_retired=True
    )
    out = Lease.objects.filter(
        workflow=workflow, volunteer__in=volunteer_ids, state=LeaseState.OUT
    ).exclude(Exists(_log(workflow, volunteer_ids)))
    asked = out.filter(~Exists(retired) | Q(arm__in=(Arm.GOLD, Arm.PRACTICE))).order_by("id")
    # Two volunteers just merged may hold one subject twice.
    once = {lease.subject_id: lease for lease in asked.select_related("subject")}
    in_hand = list(once.values())[:count]
    renewed = Lease.objects.filter(pk__in=[lease.pk for lease in in_hand], state=LeaseState.OUT)
    if in_hand:
        renewed.update(expires_at=_expiry(now))
    for lease in in_hand:
        lease.expires_at = _expiry(now)
    return in_hand


def find_candidates(workflow: Workflow, volunteer_ids: Collection[int], count: int) -> Candidates:
    """Return what the volunteer may be served: each arm's window, and `count` beyond it."""
    unseen = _unseen(workflow, volunteer_ids)
    is_open = unseen.filter(is_retired=False, room__gt=0)

    def ids(entries: QuerySet[QueueEntry], arm: Arm) -> list[int]:
        return list(entries.values_list("subject_id", flat=True)[: WINDOWS[arm] + count])

    practice, gold = _gold(workflow, unseen)
    return Candidates(
        practice=ids(practice, Arm.PRACTICE),
        gold=ids(gold, Arm.GOLD),
        control=ids(is_open.filter(in_panel=True).order_by("shuffle", "id"), Arm.CONTROL),
        active=ids(is_open.filter(in_panel=False).order_by("-priority", "id"), Arm.ACTIVE),
    )


def _unseen(workflow: Workflow, volunteer_ids: Collection[int]) -> QuerySet[QueueEntry]:
    """Return the entries that the person has neither been served nor classified."""
    entries = QueueEntry.objects.filter(workflow=workflow)
    not_served = entries.exclude(Exists(_leases(workflow, volunteer_ids)))
    return not_served.exclude(Exists(_log(workflow, volunteer_ids)))


def _gold(
    workflow: Workflow, entries: QuerySet[QueueEntry]
) -> tuple[QuerySet[QueueEntry], QuerySet[QueueEntry]]:
    """Return gold-standard entries for practice and for the gold arm, retired ones too.

    The panel keeps to its own arm. Where the workflow has both, every other subject is for
    practice: who was told the answer can not be measured by it.
    """
    gold = gold_standards(version_id=workflow.current_version_id).values("subject")
    known = entries.filter(subject__in=gold, in_panel=False).order_by("subject_id")
    if not workflow.has_practice:
        return known.none(), known if workflow.gold_share else known.none()
    if not workflow.gold_share:
        return known, known.none()
    dealt = known.annotate(remainder=Mod("subject_id", 2))
    return dealt.filter(remainder=0), dealt.filter(remainder=1)


def _leases(workflow: Workflow, volunteer_ids: Collection[int]) -> QuerySet[Lease]:
    return Lease.objects.filter(
        workflow=workflow, volunteer__in=volunteer_ids, subject=OuterRef("subject")
    )


def _log(workflow: Workflow, volunteer_ids: Collection[int]) -> QuerySet[Classification]:
    return Classification.objects.filter(
        workflow=workflow, volunteer__in=volunteer_ids, subject=OuterRef("subject")
    )


class _NoRoomError(Exception):
    """Somebody else took the last room between the look and the claim."""


def _grant(workflow: Workflow, volunteer: Volunteer, draw: Draw, now: datetime) -> Lease | None:
    try:
        with transaction.atomic():
            lease = Lease.objects.create(
                workflow=workflow,
                subject_id=draw.subject_id,
                volunteer=volunteer,
                arm=draw.arm,
                selection_probability=draw.probability,
                expires_at=_expiry(now),
            )
            _claim_room(workflow, draw)
    except (IntegrityError, _NoRoomError):
        return None
    return lease


def _claim_room(workflow: Workflow, draw: Draw) -> None:
    """Take one room, where there is some; gold subjects are asked about without limit.

    Practice takes none: its answer is no vote.
    """
    if draw.arm == Arm.PRACTICE:
        return
    entries = QueueEntry.objects.filter(workflow=workflow, subject=draw.subject_id)
    if draw.arm != Arm.GOLD:
        entries = entries.filter(room__gt=0, is_retired=False)
    if not entries.update(room=F("room") - 1):
        raise _NoRoomError


def _change_room(lease: Lease, *, by: int) -> None:
    """Add `by` to the room of the lease's entry; practice neither takes nor gives any."""
    if lease.arm == Arm.PRACTICE:
        return
    entries = QueueEntry.objects.filter(workflow=lease.workflow_id, subject=lease.subject_id)
    entries.update(room=F("room") + by)


@dataclass(frozen=True)
class Served:
    """A lease, whether its person has classified the subject, and whether that is retired."""

    lease: Lease
    is_classified: bool
    is_retired: bool


def find_served(
    *, workflow: Workflow, subject_id: int, volunteer_ids: Collection[int]
) -> Served | None:
    """Return how one person was served the subject, a lease still out first; None for not.

    Parameters
    ----------
    workflow, subject_id
        What was served.
    volunteer_ids
        The person, as `identities` gives it.
    """
    leases = Lease.objects.filter(
        workflow=workflow, subject=subject_id, volunteer__in=volunteer_ids
    )
    retirements = Retirement.objects.filter(workflow=workflow, subject=OuterRef("subject"))
    known = leases.annotate(
        is_classified=Exists(_log(workflow, volunteer_ids)), is_retired=Exists(retirements)
    )
    out_first = Case(When(state=LeaseState.OUT, then=0), default=1)
    found = known.select_related("subject").order_by(out_first, "id").first()
    return Served(found, found.is_classified, found.is_retired) if found else None


def find_lease(*, workflow: Workflow, subject_id: int, volunteer: Volunteer) -> Lease:
    """Return the lease under which the person was served the subject, one still out first.

    Raises
    ------
    NotServedError
        Where there is none.
    """
    found = find_served(
        workflow=workflow, subject_id=subject_id, volunteer_ids=identities(volunteer)
    )
    if found is None:
        raise NotServedError(f"subject {subject_id} was not served to this volunteer")
    return found.lease


@transaction.atomic(savepoint=False)
def answer_lease(*, lease: Lease) -> Lease:
    """Mark the lease answered, its vote being tallied in the same transaction; idempotent.

    ``room`` keeps its invariant: a lease out becomes a vote received and room stays; one
    that lapsed had given its room back, and takes it again.
    """
    own = Lease.objects.filter(pk=lease.pk)
    if own.filter(state=LeaseState.OUT).update(state=LeaseState.ANSWERED):
        return lease
    if own.filter(state=LeaseState.LAPSED).update(state=LeaseState.ANSWERED):
        _change_room(lease, by=-1)
    return lease


def lapse_leases(*, now: datetime, limit: int) -> int:
    """Give back the room of up to `limit` leases whose time is over, the oldest first."""
    over = Lease.objects.filter(state=LeaseState.OUT, expires_at__lt=now).order_by("expires_at")
    return sum(_give_back(lease) for lease in over[:limit])


def give_back_twice_leased(*, volunteer: Volunteer) -> int:
    """Give back what one person holds twice, as an account and as who was merged into it.

    Returns
    -------
    int
        The leases given back; an answered one is always kept.
    """
    volunteer_ids = identities(volunteer)
    of_person = Lease.objects.filter(volunteer__in=volunteer_ids)
    kept = of_person.filter(workflow=OuterRef("workflow"), subject=OuterRef("subject"))
    earlier_or_answered = kept.filter(Q(state=LeaseState.ANSWERED) | Q(pk__lt=OuterRef("pk")))
    earlier_or_answered = earlier_or_answered.exclude(state=LeaseState.LAPSED)
    twice = of_person.filter(Exists(earlier_or_answered), state=LeaseState.OUT)
    return sum(_give_back(lease) for lease in twice.order_by("id"))


@transaction.atomic
def _give_back(lease: Lease) -> int:
    out = Lease.objects.filter(pk=lease.pk, state=LeaseState.OUT)
    lapsed = out.update(state=LeaseState.LAPSED)
    if lapsed:
        _change_room(lease, by=1)
    return lapsed
