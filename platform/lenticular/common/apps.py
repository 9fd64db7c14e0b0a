"""Registers the checks of the settings."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks

from lenticular.common.checks import check_settings


class CommonConfig(AppConfig):
    name = "lenticular.common"

    def ready(self) -> None:
        """Have Django run our checks before anything starts."""
        checks.register(check_settings)
