"""System checks: a bad setting stops the start, with a hint that mends it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error


def check_settings(**_kwargs: Any) -> list[CheckMessage]:
    """Report what was wrong with the environment when the settings were read."""
    return [
        Error(message, hint=hint, id="lenticular.E001")
        for message, hint in settings.LENTICULAR_SETTING_PROBLEMS
    ]
