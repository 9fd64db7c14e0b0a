"""The classifications app."""

from __future__ import annotations

from django.apps import AppConfig

from lenticular.accounts.personal import PersonalSection, register_section


class ClassificationsConfig(AppConfig):
    name = "lenticular.classifications"

    def ready(self) -> None:
        """Let people take along what they have classified."""
        from lenticular.classifications.selectors import records_of  # noqa: PLC0415  (needs the models)

        register_section(PersonalSection("classifications", records_of))
