"""The community app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import AppConfig

from lenticular.accounts.personal import PersonalSection, register_section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lenticular.accounts.models import User


class CommunityConfig(AppConfig):
    name = "lenticular.community"

    def ready(self) -> None:
        """Let people take along what they made here, and have it go with the account."""
        register_section(PersonalSection("community", _records_of, _erase))


def _records_of(user: User) -> Iterator[dict[str, Any]]:
    """Yield the one record of favourites, collections, comments and reports."""
    from lenticular.community.services import export_person  # noqa: PLC0415  (needs the models)

    if hasattr(user, "volunteer"):
        yield export_person(user.volunteer)


def _erase(user: User) -> None:
    from lenticular.community.services import forget_person  # noqa: PLC0415  (needs the models)

    if hasattr(user, "volunteer"):
        forget_person(user.volunteer)
