"""The addresses of the classify API."""

from __future__ import annotations

from django.urls import URLPattern, path

from lenticular.classify import api

urlpatterns: list[URLPattern] = [
    path("workflows/<slug:slug>/", api.WorkflowView.as_view(), name="api-workflow"),
    path("workflows/<slug:slug>/next/", api.NextView.as_view(), name="api-next"),
    path("classifications/", api.ClassificationsView.as_view(), name="api-classifications"),
]
