"""The addresses of the releases pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from lenticular.releases import views

urlpatterns: list[URLPattern] = [
    path("", views.releases_page, name="releases"),
    path("make/", views.release_make, name="release-make"),
    path("<slug:slug>/<int:number>/", views.release_page, name="release"),
    path("<slug:slug>/<int:number>/<str:name>", views.release_file, name="release-file"),
]
