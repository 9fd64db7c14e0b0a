"""Rounds in the admin site: to read, since services alone write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from lenticular.rounds.models import MislabelFlag, Round, RoundStage, TrainedModel

if TYPE_CHECKING:
    from django.http import HttpRequest


class ReadOnly(admin.ModelAdmin[Any]):
    """Shows what services have written, and changes nothing."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        del request
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        del request, obj
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        del request, obj
        return False


class StageInline(admin.TabularInline[RoundStage, Round]):
    """The stages of a round."""

    model = RoundStage
    can_delete = False
    extra = 0


@admin.register(Round)
class RoundAdmin(ReadOnly):
    """Rounds with their stages."""

    list_display = ("workflow", "number", "state", "verdict", "votes", "created_at")
    list_filter = ("state", "verdict", "workflow")
    list_select_related = ("workflow",)
    inlines = (StageInline,)


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnly):
    """Models, of which one per workflow is current."""

    list_display = ("workflow", "round", "is_current", "created_at")
    list_select_related = ("workflow", "round__workflow")


@admin.register(MislabelFlag)
class MislabelFlagAdmin(ReadOnly):
    """Flagged galaxies."""

    list_display = ("round", "rank", "subject", "question", "p_value", "q_value", "state")
    list_filter = ("state",)
    list_select_related = ("round__workflow", "subject")
