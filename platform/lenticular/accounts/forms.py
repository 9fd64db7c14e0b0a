"""Forms of the accounts pages."""

from __future__ import annotations

from django.contrib.auth.forms import UserCreationForm

from lenticular.accounts.models import User


class SignUpForm(UserCreationForm[User]):
    """A name and a password; the role is never asked."""

    class Meta:  # noqa: D106  (Django's own pattern)
        model = User
        fields = ("username",)
