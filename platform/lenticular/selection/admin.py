"""The queue in the admin site: to read."""

from __future__ import annotations

from django.contrib import admin

from lenticular.common.admin import ReadOnlyAdmin
from lenticular.selection.models import Lease, QueueEntry


@admin.register(QueueEntry)
class QueueEntryAdmin(ReadOnlyAdmin[QueueEntry]):
    """Queue entries."""

    list_display = ("subject", "workflow", "priority", "in_panel", "wanted", "room", "is_retired")
    list_select_related = ("subject", "workflow")
    list_filter = ("in_panel", "is_retired", "workflow")
    show_full_result_count = False


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin[Lease]):
    """Leases."""

    list_display = ("subject", "volunteer", "arm", "state", "granted_at", "expires_at")
    list_select_related = ("subject", "volunteer__user")
    list_filter = ("state", "arm", "workflow")
    show_full_result_count = False
