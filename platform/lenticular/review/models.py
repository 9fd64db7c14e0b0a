"""Verdicts on flagged galaxies."""

from __future__ import annotations

from django.db import models

from lenticular.accounts.models import User
from lenticular.classifications.models import Classification
from lenticular.rounds.models import FlagState, MislabelFlag


class FlagVerdict(models.Model):
    """An expert's verdict on a flag; what the expert saw is an expert classification."""

    flag = models.OneToOneField(MislabelFlag, on_delete=models.PROTECT, related_name="verdict")
    expert = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=12, choices=FlagState)
    classification = models.ForeignKey(
        Classification, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.flag_id}: {self.state}"
