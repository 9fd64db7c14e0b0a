"""The classify app."""

from __future__ import annotations

from django.apps import AppConfig

from lenticular.accounts.personal import PersonalSection, register_section


class ClassifyConfig(AppConfig):
    name = "lenticular.classify"

    def ready(self) -> None:
        """Let people take along which galaxies they were given."""
        from lenticular.classify.selectors import served_to  # noqa: PLC0415  (needs the models)

        register_section(PersonalSection("served", served_to))
