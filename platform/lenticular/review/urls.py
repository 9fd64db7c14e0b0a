"""The addresses of the review pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from lenticular.review import gold_views, views

urlpatterns: list[URLPattern] = [
    path("", views.light_table, name="review"),
    path("<int:flag_id>/", views.flag_page, name="review-flag"),
    path("<int:flag_id>/looked-at.png", views.flag_picture, name="review-flag-picture"),
    path("rounds/<int:round_id>/spot-checks/", views.draw_spot_checks, name="review-draw"),
    path("gold/<slug:slug>/", gold_views.gold_standards, name="review-gold"),
    path("gold/<slug:slug>/<int:subject_id>/", gold_views.make_gold, name="review-make-gold"),
    path(
        "gold-standards/<int:classification_id>/withdraw/",
        gold_views.withdraw_gold,
        name="review-withdraw-gold",
    ),
]
