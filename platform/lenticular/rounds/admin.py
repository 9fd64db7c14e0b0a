"""Rounds in the admin site: to read, since services alone write them."""

from __future__ import annotations

from django.contrib import admin

from lenticular.common.admin import ReadOnlyAdmin
from lenticular.rounds.models import MislabelFlag, Round, RoundStage, TrainedModel


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


@admin.register(MislabelFlag)
class MislabelFlagAdmin(ReadOnlyAdmin[MislabelFlag]):
    """Flagged galaxies."""

    list_display = ("round", "rank", "subject", "question", "p_value", "q_value", "state")
    list_filter = ("state",)
    list_select_related = ("round__workflow", "subject")
