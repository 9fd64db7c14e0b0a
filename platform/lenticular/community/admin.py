"""What people share, in the admin site: to read, since services alone write it."""

from __future__ import annotations

from django.contrib import admin

from lenticular.common.admin import ReadOnlyAdmin
from lenticular.community.models import (
    Collection,
    Comment,
    CommentReport,
    Favourite,
    ModerationAct,
    Suspension,
)


@admin.register(Favourite)
class FavouriteAdmin(ReadOnlyAdmin[Favourite]):
    """Favourites."""

    list_display = ("volunteer", "subject", "created_at")
    list_select_related = ("volunteer__user", "subject")
    show_full_result_count = False


@admin.register(Collection)
class CollectionAdmin(ReadOnlyAdmin[Collection]):
    """Collections; their members are too many to list, their tokens open them."""

    list_display = ("name", "owner", "is_listed", "changed_at")
    list_select_related = ("owner__user",)
    list_filter = ("is_listed",)
    search_fields = ("name",)
    exclude = ("token",)


@admin.register(Comment)
class CommentAdmin(ReadOnlyAdmin[Comment]):
    """Comments; moderation has a page of its own."""

    list_display = ("subject", "author", "state", "created_at")
    list_select_related = ("subject", "author__user")
    list_filter = ("state",)
    show_full_result_count = False


@admin.register(CommentReport)
class CommentReportAdmin(ReadOnlyAdmin[CommentReport]):
    """Reports."""

    list_display = ("comment", "reporter", "reason", "is_open", "created_at")
    list_select_related = ("comment", "reporter__user")
    list_filter = ("is_open", "reason")


@admin.register(Suspension)
class SuspensionAdmin(ReadOnlyAdmin[Suspension]):
    """Accounts that may not comment."""

    list_display = ("volunteer", "reason", "created_at")
    list_select_related = ("volunteer__user",)


@admin.register(ModerationAct)
class ModerationActAdmin(ReadOnlyAdmin[ModerationAct]):
    """What moderators did, when and why."""

    list_display = ("act", "moderator", "comment", "volunteer", "reason", "created_at")
    list_select_related = ("moderator", "comment", "volunteer__user")
    list_filter = ("act",)
