"""The addresses of the releases API."""

from __future__ import annotations

from django.urls import URLPattern, path

from lenticular.releases import api

urlpatterns: list[URLPattern] = [
    path("releases/", api.ReleasesView.as_view(), name="api-releases"),
    path("releases/<slug:slug>/<int:number>/", api.ReleaseView.as_view(), name="api-release"),
]
