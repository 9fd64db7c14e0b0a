"""Verdicts and drawings of spot checks in the admin site, to look at."""

from __future__ import annotations

from django.contrib import admin

from lenticular.common.admin import ReadOnlyAdmin
from lenticular.review.models import FlagVerdict, SpotChecks


@admin.register(FlagVerdict)
class FlagVerdictAdmin(ReadOnlyAdmin[FlagVerdict]):
    """Verdicts."""

    list_display = ("flag", "state", "expert", "created_at")
    list_filter = ("flag__stratum", "state")
    list_select_related = ("flag", "expert")


@admin.register(SpotChecks)
class SpotChecksAdmin(ReadOnlyAdmin[SpotChecks]):
    """Drawings of spot checks."""

    list_display = ("round", "next_galaxies", "rest_galaxies", "expert", "created_at")
    list_select_related = ("round__workflow", "expert")
