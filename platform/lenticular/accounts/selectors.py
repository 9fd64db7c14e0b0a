"""Reads of volunteers."""

from __future__ import annotations

from lenticular.accounts.models import Volunteer


def canonical(volunteer: Volunteer) -> Volunteer:
    """Return the volunteer whom this one's votes belong to: itself, unless merged."""
    return volunteer.merged_into or volunteer


def identities(volunteer: Volunteer) -> list[int]:
    """Return the ids of every volunteer that is the same person, the canonical one first."""
    root = volunteer.merged_into_id or volunteer.pk
    merged = Volunteer.objects.filter(merged_into=root).order_by("pk")
    return [root, *merged.values_list("pk", flat=True)]
