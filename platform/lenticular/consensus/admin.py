"""Tallies, retirements and weights in the admin site: to read, since the log alone decides."""

from __future__ import annotations

from django.contrib import admin

from lenticular.common.admin import ReadOnlyAdmin
from lenticular.consensus.models import Retirement, Tally, VolunteerWeight


@admin.register(Tally)
class TallyAdmin(ReadOnlyAdmin[Tally]):
    """Votes by subject."""

    list_display = ("subject", "version", "classifications")
    list_select_related = ("subject", "version__workflow")
    show_full_result_count = False


@admin.register(Retirement)
class RetirementAdmin(ReadOnlyAdmin[Retirement]):
    """Retired subjects and why."""

    list_display = ("subject", "workflow", "reason", "votes", "retired_at")
    list_select_related = ("subject", "workflow")
    list_filter = ("reason", "workflow")
    show_full_result_count = False


@admin.register(VolunteerWeight)
class VolunteerWeightAdmin(ReadOnlyAdmin[VolunteerWeight]):
    """How far volunteers agree with the others."""

    list_display = ("volunteer", "workflow", "weight", "agreement", "votes", "is_careless")
    list_select_related = ("volunteer__user", "workflow")
    list_filter = ("is_careless", "workflow")
