"""``manage.py create_account NAME --role ROLE``: make an account, or give one a role."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from lenticular.accounts.models import Role, User
from lenticular.accounts.services import create_user, give_role
from lenticular.common.errors import LenticularError

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = (
        "Make an account. Its password comes from the environment variable that "
        "--password-from names; without it one is made at random and printed once. "
        "An account that exists is given the role and keeps its password."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--role", choices=Role.values, default=Role.VOLUNTEER)
        parser.add_argument("--email", default="")
        parser.add_argument("--password-from", metavar="VARIABLE")

    def handle(self, *_args: Any, **options: Any) -> None:
        username, role = options["username"], options["role"]
        existing = User.objects.filter(username=username).first()
        try:
            if existing is not None:
                give_role(user=existing, role=role)
                self.stdout.write(f"{username} is {role} now")
            else:
                self._create(username, role, options)
        except LenticularError as error:
            raise CommandError(error.message) from error

    def _create(self, username: str, role: str, options: dict[str, Any]) -> None:
        password, made = _password(options["password_from"])
        create_user(username=username, password=password, role=role, email=options["email"])
        self.stdout.write(f"{username} is {role}")
        if made:
            self.stdout.write(f"password: {password}")


def _password(variable: str | None) -> tuple[str, bool]:
    """Return the password, and whether it was made here."""
    if variable is None:
        return secrets.token_urlsafe(12), True
    password = os.environ.get(variable)
    if not password:
        raise CommandError(f"--password-from must name a variable that is set, {variable} is not")
    return password, False
