"""Accounts in the admin site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin

from lenticular.accounts.models import User, Volunteer
from lenticular.accounts.selectors import is_last_admin
from lenticular.accounts.services import change_display_name, delete_account
from lenticular.common.admin import ReadOnlyAdmin
from lenticular.common.errors import LenticularError

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

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse to delete the last admin."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not is_last_admin(user=obj))

    def delete_model(self, _request: HttpRequest, obj: User) -> None:
        """Delete as the account page does: all that names the person, and no vote."""
        delete_account(user=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Delete one by one; say which could not be."""
        for user in queryset:
            try:
                delete_account(user=user)
            except LenticularError as error:
                self.message_user(request, f"{user}: {error.message}", messages.ERROR)


@admin.register(Volunteer)
class VolunteerAdmin(ReadOnlyAdmin[Volunteer]):
    """Volunteers, merged ones too."""

    list_display = ("id", "user", "merged_into", "created_at")
    list_select_related = ("user", "merged_into__user")
    search_fields = ("user__username",)
