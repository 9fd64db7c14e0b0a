"""Tallies, retirements and volunteer weights; all can be rebuilt from the log."""

from __future__ import annotations

from django.db import models

from lenticular.accounts.models import Volunteer
from lenticular.subjects.models import Subject
from lenticular.workflows.models import Workflow, WorkflowVersion


class Tally(models.Model):
    """Votes for one subject under one workflow version.

    `counts` maps each label column that has votes to its count; a column that is not
    there has none.
    """

    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="+")
    counts = models.JSONField(default=dict)
    classifications = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [
            models.UniqueConstraint(fields=["version", "subject"], name="one_tally_per_version"),
        ]

    def __str__(self) -> str:
        return f"{self.subject_id}: {self.classifications}"


class RetirementReason(models.TextChoices):
    """Why a subject is asked about no more."""

    VOTE_COUNT = "vote-count"
    ARTIFACT = "artifact"


class Retirement(models.Model):
    """A subject that a workflow asks about no more."""

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=16, choices=RetirementReason)
    votes = models.PositiveIntegerField()
    retired_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "subject"], name="retired_once"),
        ]

    def __str__(self) -> str:
        return f"{self.subject_id}: {self.reason}"


class VolunteerWeight(models.Model):
    """How far a volunteer's votes agree with the others', from the log."""

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="+")
    volunteer = models.ForeignKey(Volunteer, on_delete=models.PROTECT, related_name="+")
    weight = models.FloatField()
    agreement = models.FloatField(null=True)
    votes = models.PositiveIntegerField()
    is_careless = models.BooleanField(default=False)
    computed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workflow", "volunteer"], name="one_weight_per_volunteer"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.volunteer_id}: {self.weight:.3f}"
