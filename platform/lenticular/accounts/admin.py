"""Accounts in the admin site."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from lenticular.accounts.models import User, Volunteer
from lenticular.common.admin import ReadOnlyAdmin


@admin.register(User)
class AccountAdmin(UserAdmin[User]):
    """Django's own page with the role added."""

    list_display = ("username", "role", "is_active", "last_login")
    list_filter = ("role", "is_active")
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Lenticular", {"fields": ("role",)}))


@admin.register(Volunteer)
class VolunteerAdmin(ReadOnlyAdmin[Volunteer]):
    """Volunteers, merged ones too."""

    list_display = ("id", "user", "merged_into", "created_at")
    list_select_related = ("user", "merged_into__user")
    search_fields = ("user__username",)
