"""The append-only classification log."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models
from django.db.models import Case, When

from lenticular.accounts.models import User, Volunteer
from lenticular.classifications.querysets import AppendOnlyQuerySet
from lenticular.common.errors import ConflictError
from lenticular.subjects.models import Subject
from lenticular.workflows.models import Workflow, WorkflowVersion


class Arm(models.TextChoices):
    """Which rule chose the subject for the volunteer."""

    ACTIVE = "active"
    CONTROL = "control"
    GOLD = "gold"
    PRACTICE = "practice"


class Kind(models.TextChoices):
    """What a classification is for: only votes are tallied."""

    VOTE = "vote"
    EXPERT = "expert"
    PRACTICE = "practice"


class Classification(models.Model):
    """One volunteer's walk of the tree for one subject; written once, never changed.

    `annotations` is the path as a list of [question, answer] pairs in walk order.
    `selection_probability` is the probability with which this subject was drawn when it
    was served, over all arms; null for expert verdicts, which nobody drew.

    A volunteer has one of each kind for a subject, whatever the version: nobody is asked
    about a galaxy twice. An expert has one per version: another tree asks for other answers.
    """

    uuid = models.UUIDField(unique=True)
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="+")
    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="+")
    volunteer = models.ForeignKey(Volunteer, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.VOTE)
    annotations = models.JSONField()
    arm = models.CharField(max_length=8, choices=Arm, blank=True)
    selection_probability = models.FloatField(null=True, blank=True)
    gold_standard = models.BooleanField(default=False)
    started_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    metadata = models.JSONField(default=dict, blank=True)

    objects = models.Manager.from_queryset(AppendOnlyQuerySet)()

    class Meta:
        constraints = [
            # One index for all kinds, because serving looks for what a volunteer has seen by it.
            models.UniqueConstraint(
                "workflow",
                "subject",
                "volunteer",
                "kind",
                Case(
                    When(kind=Kind.EXPERT, then="version"),
                    default=0,
                    output_field=models.BigIntegerField(),
                ),
                name="one_vote_per_volunteer",
            ),
        ]
        indexes = [
            models.Index(fields=["workflow", "subject"], name="log_by_subject"),
            models.Index(fields=["volunteer", "-id"], name="log_by_volunteer"),
            models.Index(
                fields=["version", "subject"],
                name="gold_standards",
                condition=models.Q(gold_standard=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.uuid}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Append to the log; refuse to change what is in it."""
        if not self._state.adding:
            raise ConflictError(f"the classification log is append-only, {self.uuid} is in it")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: the log is append-only."""
        raise ConflictError(f"the classification log is append-only, {self.uuid} is in it")


class GoldWithdrawal(models.Model):
    """An expert's word that a gold standard is none any more; its classification stays."""

    classification = models.OneToOneField(
        Classification, on_delete=models.PROTECT, related_name="withdrawal"
    )
    expert = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=500)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.classification_id}: {self.reason}"
