"""The classifications app."""

from __future__ import annotations

from django.apps import AppConfig


class ClassificationsConfig(AppConfig):
    name = "lenticular.classifications"
