"""Workflows and their versions."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, NoReturn

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from lenticular.common.errors import ConflictError
from lenticular.subjects.models import SubjectSet
from mlcore.tree import DecisionTree

SHARE = [MinValueValidator(0.0), MaxValueValidator(1.0)]


class Workflow(models.Model):
    """One decision tree asked of some subject sets, and the rules of asking.

    `control_panel` is the share of subjects drawn at random, once, into the control
    panel: they are served by the control arm alone and models are judged on them alone.
    `control_share` is the share of servings given to that arm, `gold_share` the share
    given to gold-standard subjects. With `has_practice` volunteers also practise on
    gold-standard subjects and read afterwards what the expert saw; that is no vote. A
    subject retires after `retirement_votes` votes, or once `artifact_votes` volunteers
    have called it an artifact.
    """

    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    subject_sets = models.ManyToManyField(SubjectSet, related_name="workflows", blank=True)
    is_open = models.BooleanField(default=True)
    control_panel = models.FloatField(default=0.1, validators=SHARE)
    control_share = models.FloatField(default=0.2, validators=SHARE)
    gold_share = models.FloatField(default=0.0, validators=SHARE)
    has_practice = models.BooleanField(default=True)
    retirement_votes = models.PositiveSmallIntegerField(
        default=40, validators=[MinValueValidator(1)]
    )
    artifact_votes = models.PositiveSmallIntegerField(default=5, validators=[MinValueValidator(1)])
    current_version = models.ForeignKey(
        "WorkflowVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.slug


class WorkflowVersion(models.Model):
    """A decision tree as it was asked; never changed once made."""

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    tree_json = models.JSONField()
    checksum = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="one_version_per_number"),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} version {self.number}"

    @cached_property
    def tree(self) -> DecisionTree:
        """The decision tree, parsed once per process and version."""
        return _parse(self.checksum, _Raw(self.tree_json))

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store a new version; refuse to change one that is stored."""
        if not self._state.adding:
            raise ConflictError(f"workflow versions are immutable, {self} is stored already")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: classifications name their version for ever."""
        raise ConflictError(f"workflow versions are never deleted, {self} is stored")


class TeachingMaterial(models.Model):
    """What an operator teaches volunteers with; the highest number is in force.

    `document` is as `lenticular.workflows.teaching` reads it, its images stored.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="%(class)ss")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["workflow", "number"], name="one_%(class)s_of_each_number"
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.number} of {self.workflow}"


class Guide(TeachingMaterial):
    """A workflow's own field guide."""


class Tutorial(TeachingMaterial):
    """A workflow's own tutorial."""


class _Raw:
    """Carries a tree's JSON past lru_cache, equal to every other: the checksum is the key."""

    def __init__(self, tree_json: dict[str, Any]) -> None:
        self.tree_json = tree_json

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Raw)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=64)
def _parse(_checksum: str, raw: _Raw) -> DecisionTree:
    return DecisionTree.from_dict(raw.tree_json)
