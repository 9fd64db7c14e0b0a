"""Verdicts on flagged galaxies, and the drawing of spot checks among the others."""

from __future__ import annotations

from django.db import models

from lenticular.accounts.models import User
from lenticular.classifications.models import Classification
from lenticular.rounds.models import FlagState, MislabelFlag, Round


class FlagVerdict(models.Model):
    """An expert's verdict on a flag; what the expert saw is an expert classification.

    A flag that an expert was unsure of may get another verdict, which is the one that counts;
    the first stays.
    """

    flag = models.ForeignKey(MislabelFlag, on_delete=models.PROTECT, related_name="verdicts")
    expert = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=12, choices=FlagState)
    classification = models.ForeignKey(
        Classification, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.flag_id}: {self.state}"


class SpotChecks(models.Model):
    """The drawing of spot checks of a round, and the judged galaxies as they were then.

    Every judged galaxy without a flag in the round is counted once: `earlier_wrong` and
    `earlier_right` had a settled verdict on their question in an earlier round, `undecided`
    are as suspect as the flagged but an expert was unsure before, and of `next_galaxies` and
    `rest_galaxies`, the most suspect of the others and those after them, some were drawn.
    """

    round = models.OneToOneField(Round, on_delete=models.CASCADE, related_name="spot_checks")
    expert = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    next_galaxies = models.PositiveBigIntegerField()
    rest_galaxies = models.PositiveBigIntegerField()
    earlier_wrong = models.PositiveIntegerField()
    earlier_right = models.PositiveIntegerField()
    undecided = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "spot checks"

    def __str__(self) -> str:
        return f"spot checks of {self.round}"
