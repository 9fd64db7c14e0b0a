"""The addresses of the favourites API."""

from __future__ import annotations

from django.urls import URLPattern, path

from lenticular.community import api

urlpatterns: list[URLPattern] = [
    path("subjects/<int:subject_id>/favourite/", api.FavouriteView.as_view(), name="api-favourite"),
]
