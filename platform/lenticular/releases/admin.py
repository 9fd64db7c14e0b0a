"""Releases in the admin site, to look at: they never change."""

from __future__ import annotations

from django.contrib import admin

from lenticular.common.admin import ReadOnlyAdmin
from lenticular.releases.models import Release, ReleaseFile


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin[Release]):
    """Releases."""

    list_display = ("workflow", "number", "title", "subjects", "votes", "created_at")
    list_select_related = ("workflow",)
    list_filter = ("workflow",)


@admin.register(ReleaseFile)
class ReleaseFileAdmin(ReadOnlyAdmin[ReleaseFile]):
    """Files of releases."""

    list_display = ("release", "name", "bytes", "sha256")
    list_select_related = ("release__workflow",)
