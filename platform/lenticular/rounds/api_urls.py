"""The addresses of the rounds API."""

from __future__ import annotations

from django.urls import URLPattern, path

from lenticular.rounds import api

urlpatterns: list[URLPattern] = [
    path("workflows/<slug:slug>/rounds/", api.RoundsView.as_view(), name="api-rounds"),
    path("rounds/<int:round_id>/", api.RoundView.as_view(), name="api-round"),
    path("rounds/<int:round_id>/cancel/", api.CancelView.as_view(), name="api-round-cancel"),
    path("rounds/<int:round_id>/resume/", api.ResumeView.as_view(), name="api-round-resume"),
    path("rounds/<int:round_id>/override/", api.OverrideView.as_view(), name="api-round-override"),
]
