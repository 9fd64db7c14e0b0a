"""The addresses of the rounds pages and of their socket."""

from __future__ import annotations

from django.urls import URLPattern, path

from lenticular.rounds import evaluation_views, operator_views, views
from lenticular.rounds.consumers import RoundConsumer

urlpatterns: list[URLPattern] = [
    path("", views.rounds_page, name="rounds"),
    path("<slug:slug>/", operator_views.workflow_page, name="workflow-rounds"),
    path("<slug:slug>/start/", operator_views.start, name="round-start"),
    path("<slug:slug>/dry-run/", operator_views.dry_run, name="round-dry-run"),
    path("<slug:slug>/rule/", operator_views.change_rule, name="round-rule"),
    path("<slug:slug>/set-aside/", operator_views.set_aside, name="round-set-aside"),
    path("<slug:slug>/prune/", operator_views.prune, name="rounds-prune"),
    path("<slug:slug>/compare/", operator_views.compare, name="rounds-compare"),
    path("<slug:slug>/<int:number>/roll-back/", operator_views.roll_back, name="round-roll-back"),
    path("<slug:slug>/<int:number>/", views.round_page, name="round"),
    path(
        "<slug:slug>/<int:number>/evaluation/",
        evaluation_views.evaluation_page,
        name="round-evaluation",
    ),
    path(
        "<slug:slug>/<int:number>/evaluation.json",
        evaluation_views.evaluation_file,
        name="round-evaluation-file",
    ),
    path(
        "<slug:slug>/<int:number>/evaluation/<slug:question>.csv",
        evaluation_views.question_file,
        name="round-evaluation-question",
    ),
    path("<slug:slug>/<int:number>/cancel/", views.cancel, name="round-cancel"),
    path("<slug:slug>/<int:number>/resume/", views.resume, name="round-resume"),
    path("<slug:slug>/<int:number>/override/", views.override, name="round-override"),
]
websocket_urlpatterns: list[URLPattern] = [
    path("ws/rounds/<int:round_id>/", RoundConsumer.as_asgi()),
]
