"""The consensus app."""

from __future__ import annotations

from django.apps import AppConfig

from lenticular.accounts.personal import PersonalSection, register_section


class ConsensusConfig(AppConfig):
    name = "lenticular.consensus"

    def ready(self) -> None:
        """Let people take along what is thought of their votes."""
        from lenticular.consensus.selectors import weight_records_of  # noqa: PLC0415  (needs the models)

        register_section(PersonalSection("weights", weight_records_of))
