"""The addresses of the volunteer's pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from lenticular.classify import learning_views, views
from lenticular.classify.consumers import HomeConsumer

urlpatterns: list[URLPattern] = [
    path("", views.home, name="home"),
    path("live/", views.live, name="home-live"),
    path("about/", views.about, name="about"),
    path("classify/<slug:slug>/", views.ClassifyView.as_view(), name="classify"),
    path("classify/<slug:slug>/guide/", learning_views.guide, name="guide"),
    path(
        "classify/<slug:slug>/guide/<slug:question>/",
        learning_views.guide_question,
        name="guide-question",
    ),
    path("classify/<slug:slug>/tutorial/", learning_views.tutorial, name="tutorial"),
    path("galaxies/<int:subject_id>/", views.galaxy, name="galaxy"),
]
websocket_urlpatterns: list[URLPattern] = [path("ws/home/", HomeConsumer.as_asgi())]
