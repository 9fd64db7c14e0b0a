"""The accounts app."""

from __future__ import annotations

from django.apps import AppConfig

from lenticular.accounts.personal import PersonalSection, register_section


class AccountsConfig(AppConfig):
    name = "lenticular.accounts"

    def ready(self) -> None:
        """Put the profile first into what people may take along."""
        from lenticular.accounts.selectors import profile_of  # noqa: PLC0415  (needs the models)

        register_section(PersonalSection("profile", profile_of))
