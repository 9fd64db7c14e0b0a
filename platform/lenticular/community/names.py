"""The name under which a person is shown to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from lenticular.accounts.models import User, Volunteer


def shown_name(user: User) -> str:
    """Return the account's name as others see it."""
    return user.shown_name


def name_of(volunteer: Volunteer | None) -> str:
    """Return a volunteer's name as others see it; without an account there is none."""
    if volunteer is None:
        return _("someone who has left")
    owner = volunteer.merged_into or volunteer
    return shown_name(owner.user) if owner.user else _("a volunteer without an account")
