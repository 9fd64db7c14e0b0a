"""The addresses of the community's pages."""

from __future__ import annotations

from django.urls import URLPattern, path, register_converter

from lenticular.community import collection_views, comment_views, moderation_views, views
from lenticular.community.models import TOKEN_LENGTH


class TokenConverter:
    """Finds a collection's token in an address."""

    regex = f"[A-Za-z0-9_-]{{{TOKEN_LENGTH}}}"

    def to_python(self, value: str) -> str:
        """Return the token as it stands."""
        return value

    def to_url(self, value: str) -> str:
        """Return the token as it stands."""
        return value


register_converter(TokenConverter, "token")

COLLECTION = "collections/<token:token>/"
GALAXY = "galaxies/<int:subject_id>/"
COMMENT = "comments/<int:comment_id>/"

urlpatterns: list[URLPattern] = [
    path("history/", views.history_page, name="history"),
    path("favourites/", views.favourites_page, name="favourites"),
    path(f"{GALAXY}favourite/", views.favourite, name="favourite"),
    path("collections/", collection_views.collections_page, name="collections"),
    path(COLLECTION, collection_views.collection_page, name="collection"),
    path(f"{COLLECTION}change/", collection_views.change_collection, name="change-collection"),
    path(f"{COLLECTION}delete/", collection_views.delete_collection, name="delete-collection"),
    path(
        f"{COLLECTION}remove/<int:subject_id>/",
        collection_views.remove_member,
        name="remove-member",
    ),
    path(f"{GALAXY}collect/", collection_views.collect, name="collect"),
    path(f"{GALAXY}comments/", comment_views.post_comment, name="post-comment"),
    path(f"{COMMENT}change/", comment_views.change_comment, name="change-comment"),
    path(f"{COMMENT}remove/", comment_views.remove_comment, name="remove-comment"),
    path(f"{COMMENT}report/", comment_views.report_comment, name="report-comment"),
    path("moderation/", moderation_views.moderation_page, name="moderation"),
    path("moderation/record/", moderation_views.moderation_record, name="moderation-record"),
    path("moderation/comments/<int:comment_id>/", moderation_views.moderate, name="moderate"),
    path("moderation/people/<int:volunteer_id>/", moderation_views.suspend, name="suspend"),
]
