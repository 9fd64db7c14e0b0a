"""The log in the admin site: to read."""

from __future__ import annotations

from django.contrib import admin

from lenticular.classifications.models import Classification
from lenticular.common.admin import ReadOnlyAdmin


@admin.register(Classification)
class ClassificationAdmin(ReadOnlyAdmin[Classification]):
    """Classifications, the latest first."""

    list_display = ("id", "workflow", "subject", "volunteer", "kind", "arm", "created_at")
    list_select_related = ("workflow", "subject", "volunteer__user")
    list_filter = ("kind", "arm", "workflow")
    ordering = ("-id",)
    show_full_result_count = False
