"""The classify app."""

from __future__ import annotations

from django.apps import AppConfig


class ClassifyConfig(AppConfig):
    name = "lenticular.classify"
