"""Verdicts in the admin site, to look at."""

from __future__ import annotations

from django.contrib import admin

from lenticular.common.admin import ReadOnlyAdmin
from lenticular.review.models import FlagVerdict


@admin.register(FlagVerdict)
class FlagVerdictAdmin(ReadOnlyAdmin[FlagVerdict]):
    """Verdicts."""

    list_display = ("flag", "state", "expert", "created_at")
    list_filter = ("state",)
    list_select_related = ("flag", "expert")
