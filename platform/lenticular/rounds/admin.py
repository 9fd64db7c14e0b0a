"""Rounds in the admin site: to read, since services alone write them."""

from __future__ import annotations

from django.contrib import admin

from lenticular.common.admin import ReadOnlyAdmin
from lenticular.rounds.models import (
    MislabelFlag,
    RollBack,
    Round,
    RoundRule,
    RoundStage,
    TrainedModel,
)


class StageInline(admin.TabularInline[RoundStage, Round]):
    """The stages of a round."""

    model = RoundStage
    can_delete = False
    extra = 0


@admin.register(Round)
class RoundAdmin(ReadOnlyAdmin[Round]):
    """Rounds with their stages."""

    list_display = ("workflow", "number", "state", "verdict", "votes", "created_at")
    list_filter = ("state", "verdict", "workflow")
    list_select_related = ("workflow",)
    inlines = (StageInline,)


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnlyAdmin[TrainedModel]):
    """Models, of which one per workflow is current."""

    list_display = ("workflow", "round", "is_current", "created_at")
    list_select_related = ("workflow", "round__workflow")


@admin.register(RoundRule)
class RoundRuleAdmin(ReadOnlyAdmin[RoundRule]):
    """When the schedule starts rounds; changed on the rounds page."""

    list_display = ("workflow", "is_on", "new_votes", "hours_between", "changed_by", "changed_at")
    list_select_related = ("workflow", "changed_by")


@admin.register(RollBack)
class RollBackAdmin(ReadOnlyAdmin[RollBack]):
    """Models that were made current again, and why."""

    list_display = ("round", "replaced", "user", "reason", "created_at")
    list_select_related = ("round__workflow", "replaced__workflow", "user")


@admin.register(MislabelFlag)
class MislabelFlagAdmin(ReadOnlyAdmin[MislabelFlag]):
    """Flagged galaxies, and spot checks among the others."""

    list_display = (
        "round",
        "rank",
        "stratum",
        "subject",
        "question",
        "p_value",
        "q_value",
        "state",
    )
    list_filter = ("stratum", "state")
    list_select_related = ("round__workflow", "subject")
