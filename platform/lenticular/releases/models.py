"""Releases and their files."""

from __future__ import annotations

from django.db import models

from lenticular.accounts.models import User
from lenticular.rounds.models import Round
from lenticular.workflows.models import Workflow, WorkflowVersion


class Release(models.Model):
    """A consensus catalogue, made once and served for ever.

    `last_classification_id` is the end of the log that the release reflects.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="releases")
    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="+")
    round = models.ForeignKey(
        Round, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    made_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    last_classification_id = models.PositiveBigIntegerField()
    subjects = models.PositiveBigIntegerField()
    votes = models.PositiveBigIntegerField()
    provenance = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="one_release_per_number"),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} release {self.number}"

    @property
    def artefacts(self) -> str:
        """The folder of the release's files in the artefact store."""
        return f"releases/{self.workflow.slug}/{self.number:04d}"


class ReleaseFile(models.Model):
    """One file of a release."""

    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="files")
    name = models.CharField(max_length=120)
    bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    description = models.CharField(max_length=300)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["release", "name"], name="one_file_per_name"),
        ]

    def __str__(self) -> str:
        return self.name
