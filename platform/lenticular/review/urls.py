"""The addresses of the review pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from lenticular.review import views

urlpatterns: list[URLPattern] = [
    path("", views.light_table, name="review"),
    path("<int:flag_id>/", views.flag_page, name="review-flag"),
]
