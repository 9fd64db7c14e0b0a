"""Reads of users and volunteers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from django.db.models import Q, QuerySet

from lenticular.accounts.models import Role, User, Volunteer
from lenticular.accounts.names import name_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID


def canonical(volunteer: Volunteer) -> Volunteer:
    """Return the volunteer whom this one's votes belong to: itself, unless merged."""
    return volunteer.merged_into or volunteer


def volunteer_with(*, key: UUID) -> Volunteer | None:
    """Return the volunteer with this key, with whom it is merged into; None for nobody's."""
    return Volunteer.objects.filter(key=key).select_related("merged_into").first()


def identities(volunteer: Volunteer) -> list[int]:
    """Return the ids of every volunteer that is the same person, the canonical one first."""
    root = volunteer.merged_into_id or volunteer.pk
    merged = Volunteer.objects.filter(merged_into=root).order_by("pk")
    return [root, *merged.values_list("pk", flat=True)]


def identities_of(user: User) -> list[int]:
    """Return the ids of every volunteer that is this user; none before the first galaxy."""
    found = Volunteer.objects.filter(user=user).first()
    return identities(found) if found else []


def is_name_taken(*, name: str, by_another_than: User | None = None) -> bool:
    """Tell whether the name looks like somebody else's display name or user name."""
    key = name_key(name)
    alike = User.objects.filter(Q(display_key=key) | Q(username_key=key))
    if by_another_than is not None:
        alike = alike.exclude(pk=by_another_than.pk)
    return alike.exists()


def active_admins() -> QuerySet[User]:
    """Return who may do everything."""
    return User.objects.filter(Q(role=Role.ADMIN) | Q(is_superuser=True), is_active=True)


def is_last_admin(*, user: User) -> bool:
    """Tell whether nobody else may do everything."""
    return list(active_admins()[:2]) == [user]


def mail_addresses(user: User) -> list[tuple[str, bool]]:
    """Return the account's addresses, each with whether it is confirmed; the one in use first."""
    kept = EmailAddress.objects.filter(user=user).order_by("-primary", "-verified", "pk")
    found = {each.email: bool(each.verified) for each in kept}
    if user.email:
        found.setdefault(user.email.lower(), False)
    return list(found.items())


def profile_of(user: User) -> Iterator[dict[str, Any]]:
    """Yield the one record of what the account says of the person."""
    yield {
        "username": user.username,
        "display_name": user.display_name,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "mail_addresses": [
            {"address": address, "confirmed": confirmed}
            for address, confirmed in mail_addresses(user)
        ],
        "role": user.role,
        "joined_at": user.date_joined,
        "last_signed_in_at": user.last_login,
        "volunteers": identities_of(user),
    }
