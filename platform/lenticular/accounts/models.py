"""Users, their roles, and volunteers."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

from lenticular.accounts.names import LONGEST, name_key

if TYPE_CHECKING:
    from django.contrib.sessions.backends.db import SessionStore


class Role(models.TextChoices):
    """What a user may do beyond classifying; an admin may do everything."""

    VOLUNTEER = "volunteer"
    EXPERT = "expert"
    ASTRONOMER = "astronomer"
    ADMIN = "admin"


class User(AbstractUser):
    """A person with an account.

    The keys tell names that look alike (see `lenticular.accounts.names`): a display name
    has its own, and nobody else's.
    """

    role = models.CharField(max_length=12, choices=Role, default=Role.VOLUNTEER)
    display_name = models.CharField(max_length=LONGEST, blank=True)
    display_key = models.CharField(max_length=255, unique=True, null=True, editable=False)  # noqa: DJ001  (no name, no key)
    username_key = models.CharField(max_length=255, db_index=True, default="", editable=False)

    def __str__(self) -> str:
        return self.shown_name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the keys up with the names."""
        self.username_key = name_key(self.username)
        self.display_key = name_key(self.display_name) or None
        super().save(*args, **kwargs)

    @property
    def shown_name(self) -> str:
        """What others see."""
        return self.display_name or self.username

    def has_role(self, *roles: Role) -> bool:
        """Tell whether the user has one of `roles`, or may do everything."""
        return self.is_active and (self.is_superuser or self.role in {*roles, Role.ADMIN})

    @property
    def may_review(self) -> bool:
        """Whether the user gives verdicts on flagged galaxies."""
        return self.has_role(Role.EXPERT)

    @property
    def may_release(self) -> bool:
        """Whether the user makes releases."""
        return self.has_role(Role.ASTRONOMER)

    @property
    def may_run_rounds(self) -> bool:
        """Whether the user starts, cancels and overrides rounds."""
        return self.has_role(Role.ADMIN)


class Volunteer(models.Model):
    """Whoever classifies: an account, or an anonymous browser known by a signed cookie.

    A volunteer who signs in mid-way keeps what was done before: the anonymous one is
    then `merged_into` the account's, for ever, and classifies no more. Deleting the
    account leaves the volunteer, unlinked, so that no vote is lost.
    """

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.OneToOneField(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="volunteer"
    )
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="merged"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.user.shown_name if self.user else f"anonymous-{str(self.key)[:8]}"


class Session(AbstractBaseSession):
    """A session that knows its account, so that it goes when the account does."""

    account = models.BigIntegerField(null=True, db_index=True)

    @classmethod
    def get_session_store_class(cls) -> type[SessionStore]:
        """Return the store that keeps these."""
        from lenticular.accounts.sessions import SessionStore  # noqa: PLC0415  (as Django's own)

        return SessionStore
