"""Accounts in the admin site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from lenticular.accounts.models import User, Volunteer
from lenticular.accounts.services import change_display_name
from lenticular.common.admin import ReadOnlyAdmin

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


@admin.register(User)
class AccountAdmin(UserAdmin[User]):
    """Django's own page with the role added."""

    list_display = ("username", "display_name", "role", "is_active", "last_login")
    list_filter = ("role", "is_active")
    search_fields = ("username", "display_name", "email")
    readonly_fields = ("display_name",)
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Lenticular", {"fields": ("role", "display_name")}))
    actions = ("take_display_names_away",)

    @admin.action(description="Take the display name away", permissions=["change"])
    def take_display_names_away(self, _request: HttpRequest, users: QuerySet[User]) -> None:
        """Show the user name again, where a display name offends."""
        for user in users:
            change_display_name(user=user, display_name="")


@admin.register(Volunteer)
class VolunteerAdmin(ReadOnlyAdmin[Volunteer]):
    """Volunteers, merged ones too."""

    list_display = ("id", "user", "merged_into", "created_at")
    list_select_related = ("user", "merged_into__user")
    search_fields = ("user__username",)
