"""Users, their roles, and volunteers."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class Role(models.TextChoices):
    """What a user may do beyond classifying; an admin may do everything."""

    VOLUNTEER = "volunteer"
    EXPERT = "expert"
    ASTRONOMER = "astronomer"
    ADMIN = "admin"


class User(AbstractUser):
    """A person with an account."""

    role = models.CharField(max_length=12, choices=Role, default=Role.VOLUNTEER)

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
        return self.user.username if self.user else f"anonymous-{str(self.key)[:8]}"
