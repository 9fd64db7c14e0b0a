"""The addresses of the rounds API."""

from __future__ import annotations

from django.urls import URLPattern, path

from lenticular.rounds import api, operator_api

urlpatterns: list[URLPattern] = [
    path("workflows/<slug:slug>/rounds/", api.RoundsView.as_view(), name="api-rounds"),
    path(
        "workflows/<slug:slug>/rounds/rule/", operator_api.RuleView.as_view(), name="api-round-rule"
    ),
    path(
        "workflows/<slug:slug>/rounds/dry-run/",
        operator_api.DryRunView.as_view(),
        name="api-rounds-dry-run",
    ),
    path(
        "workflows/<slug:slug>/rounds/checks/",
        operator_api.ChecksView.as_view(),
        name="api-rounds-checks",
    ),
    path(
        "workflows/<slug:slug>/rounds/compare/",
        operator_api.CompareView.as_view(),
        name="api-rounds-compare",
    ),
    path(
        "workflows/<slug:slug>/rounds/disk/",
        operator_api.DiskView.as_view(),
        name="api-rounds-disk",
    ),
    path(
        "workflows/<slug:slug>/rounds/set-aside/",
        operator_api.SetAsideView.as_view(),
        name="api-rounds-set-aside",
    ),
    path(
        "rounds/<int:round_id>/roll-back/",
        operator_api.RollBackView.as_view(),
        name="api-round-roll-back",
    ),
    path("rounds/<int:round_id>/", api.RoundView.as_view(), name="api-round"),
    path("rounds/<int:round_id>/cancel/", api.CancelView.as_view(), name="api-round-cancel"),
    path("rounds/<int:round_id>/resume/", api.ResumeView.as_view(), name="api-round-resume"),
    path("rounds/<int:round_id>/override/", api.OverrideView.as_view(), name="api-round-override"),
]
