"""Accounts in the admin site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.core.exceptions import ValidationError

from lenticular.accounts.models import Role, User, Volunteer
from lenticular.accounts.selectors import is_last_admin
from lenticular.accounts.services import (
    LastAdminError,
    change_display_name,
    check_not_only_admin,
    delete_account,
    give_role,
)
from lenticular.common.admin import ReadOnlyAdmin
from lenticular.common.errors import LenticularError

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.forms import ModelForm
    from django.http import HttpRequest


class AccountForm(UserChangeForm[User]):
    """Django's own form, which leaves one admin and shows who may do everything as one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.is_superuser:
            self.initial["role"] = Role.ADMIN

    def clean(self) -> dict[str, Any]:
        """Refuse to demote or to close the only admin."""
        found = super().clean() or self.cleaned_data
        if found.get("role") != Role.ADMIN or not found.get("is_active"):
            try:
                check_not_only_admin(user=self.instance)
            except LastAdminError as error:
                raise ValidationError(error.message) from error
        return found


@admin.register(User)
class AccountAdmin(UserAdmin[User]):
    """Django's own page with the role added, which alone says what the account may do."""

    form = AccountForm
    list_display = ("username", "display_name", "role", "is_superuser", "is_active", "last_login")
    list_filter = ("role", "is_superuser", "is_active")
    search_fields = ("username", "display_name", "email")
    readonly_fields = ("display_name", "is_staff", "is_superuser")
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Lenticular", {"fields": ("role", "display_name")}))
    actions = ("take_display_names_away",)

    @admin.action(description="Take the display name away", permissions=["change"])
    def take_display_names_away(self, _request: HttpRequest, users: QuerySet[User]) -> None:
        """Show the user name again, where a display name offends."""
        for user in users:
            change_display_name(user=user, display_name="")

    def save_model(
        self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool
    ) -> None:
        """Save the account, and give it the role that the page shows with all its powers."""
        if change:
            give_role(user=obj, role=obj.role)
        super().save_model(request, obj, form, change)

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
