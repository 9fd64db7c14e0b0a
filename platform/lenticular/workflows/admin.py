"""Workflows in the admin site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from lenticular.common.admin import ReadOnlyAdmin
from lenticular.workflows.models import Guide, Tutorial, Workflow, WorkflowVersion

if TYPE_CHECKING:
    from django.http import HttpRequest


@admin.register(Workflow)
class WorkflowAdmin(admin.ModelAdmin[Workflow]):
    """Names, shares, and whether it is open; what retires a subject is not changed here."""

    list_display = ("slug", "name", "is_open", "current_version")
    list_select_related = ("current_version__workflow",)
    fields = (
        "slug",
        "name",
        "is_open",
        "control_share",
        "gold_share",
        "has_practice",
        "current_version",
    )
    readonly_fields = ("slug", "current_version")

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Refuse: a workflow comes with a tree."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Workflow | None = None) -> bool:
        """Refuse: its classifications are kept."""
        return False


@admin.register(WorkflowVersion)
class WorkflowVersionAdmin(ReadOnlyAdmin[WorkflowVersion]):
    """Trees as they were asked."""

    list_display = ("workflow", "number", "created_at", "checksum")
    list_select_related = ("workflow",)


@admin.register(Guide, Tutorial)
class TeachingAdmin(ReadOnlyAdmin[Guide | Tutorial]):
    """Guides and tutorials as they were published."""

    list_display = ("workflow", "number", "created_at")
    list_select_related = ("workflow",)
