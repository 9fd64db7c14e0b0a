"""The queue and its leases."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from lenticular.accounts.models import Volunteer
from lenticular.classifications.models import Arm
from lenticular.subjects.models import Subject
from lenticular.workflows.models import Workflow


class QueueEntry(models.Model):
    """One subject that a workflow may serve.

    `shuffle` in [0, 1) is drawn once, from a hash, and orders the control panel.
    `in_panel` puts the subject in the control panel for ever. `room` is how many more
    people may be asked now. The invariant, which `rebuild_consensus --check` verifies:
    ``room = wanted - votes tallied (over all versions) - leases out``, leases for practice
    left out: their answers are no votes. It falls by one
    when a lease is granted and rises by one when a lease lapses unanswered, so that a
    popular subject is never handed to more people than needed.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="+")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="+")
    shuffle = models.FloatField()
    in_panel = models.BooleanField()
    priority = models.FloatField(default=0.0)
    wanted = models.PositiveIntegerField()
    room = models.IntegerField()
    is_retired = models.BooleanField(default=False)
    generation = models.PositiveIntegerField(default=0)
    top_answer = models.CharField(max_length=130, blank=True)

    class Meta:
        verbose_name_plural = "queue entries"
        constraints = [
            models.UniqueConstraint(fields=["workflow", "subject"], name="queued_once"),
        ]
        indexes = [
            models.Index(
                fields=["workflow", "-priority", "id"],
                name="active_queue",
                condition=Q(in_panel=False, is_retired=False, room__gt=0),
            ),
            models.Index(
                fields=["workflow", "shuffle", "id"],
                name="control_queue",
                condition=Q(in_panel=True, is_retired=False, room__gt=0),
            ),
            models.Index(
                fields=["workflow", "wanted", "shuffle", "id"],
                name="unfinished_queue",
                condition=Q(in_panel=False, is_retired=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workflow_id}/{self.subject_id}"


class StagedQueue(models.Model):
    """A round's order of the queue, written down and not in place yet."""

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="+")
    staged_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.workflow_id} at {self.staged_at}"


class StagedEntry(models.Model):
    """What a queue entry is to become.

    `is_hot` tells that volunteers may ask for the subject at this moment, or hold it: it is
    put in place last. The reference to the entry is no constraint of the database, whose
    check would lock the entry.
    """

    queue = models.ForeignKey(StagedQueue, on_delete=models.CASCADE, related_name="entries")
    entry = models.ForeignKey(
        QueueEntry,
        on_delete=models.CASCADE,
        related_name="staged",
        db_constraint=False,
        db_index=False,
    )
    priority = models.FloatField()
    top_answer = models.CharField(max_length=130, blank=True)
    votes = models.PositiveIntegerField(null=True)
    votes_wanted = models.PositiveIntegerField()
    is_hot = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "staged entries"

    def __str__(self) -> str:
        return f"{self.queue_id}/{self.entry_id}"


class LeaseState(models.TextChoices):
    """What became of a served subject."""

    OUT = "out"
    ANSWERED = "answered"
    LAPSED = "lapsed"


class Lease(models.Model):
    """A subject served to a volunteer, with the arm and probability that chose it.

    A lapsed lease can still be answered: people come back late, and no click is lost.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="+")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="+")
    volunteer = models.ForeignKey(Volunteer, on_delete=models.PROTECT, related_name="+")
    arm = models.CharField(max_length=8, choices=Arm)
    selection_probability = models.FloatField()
    state = models.CharField(max_length=8, choices=LeaseState, default=LeaseState.OUT)
    granted_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workflow", "subject", "volunteer"], name="one_lease_per_volunteer"
            ),
        ]
        indexes = [
            models.Index("expires_at", name="leases_to_lapse", condition=Q(state="out")),
            models.Index("workflow", "volunteer", name="leases_in_hand", condition=Q(state="out")),
        ]

    def __str__(self) -> str:
        return f"{self.volunteer_id} has {self.subject_id}"
