"""Where django-allauth asks us: names, words, the client's address, mails that can not go."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from allauth.account.adapter import DefaultAccountAdapter
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from lenticular.accounts.services import check_username, create_user
from lenticular.accounts.web import client_address
from lenticular.common.errors import LenticularError

if TYPE_CHECKING:
    from allauth.account.models import EmailAddress
    from django.forms import Form
    from django.http import HttpRequest

    from lenticular.accounts.models import User

logger = logging.getLogger(__name__)

NOT_RIGHT = _("The name or the password is not right. In passwords, capital letters matter.")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """Our services and our voice for allauth's flows."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": NOT_RIGHT,
        "username_password_mismatch": NOT_RIGHT,
        "enter_current_password": _("This is not the password that you have now."),
        "incorrect_password": _("This is not the password of this account."),
        "duplicate_email": _("This is the address that the account has."),
        "too_many_login_attempts": _(
            "There were too many wrong passwords, so we wait for a while before we look at "
            "another one, even at the right one. Nothing is lost; please try again later, or "
            "ask for a new password by mail."
        ),
        "username_taken": _("Somebody is called that. Please choose another name."),
    }

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """Refuse a user name that others may not be shown."""
        cleaned = str(super().clean_username(username, shallow))
        try:
            check_username(username=cleaned)
        except LenticularError as error:
            raise ValidationError(error.message) from error
        return cleaned

    def save_user(
        self, _request: HttpRequest, _user: User, form: Form, _commit: bool = True
    ) -> User:
        """Make the account by our service; its role is never asked."""
        return create_user(
            username=form.cleaned_data["username"],
            password=form.cleaned_data["password1"],
            email=form.cleaned_data.get("email", ""),
        )

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail; a mail server that is away is ours to mend, and stops nobody."""
        try:
            super().send_mail(template_prefix, email, context)
        except OSError:
            logger.exception("a mail was not sent: %s", template_prefix)

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that limits count by."""
        return client_address(request)

    def is_ajax(self, _request: HttpRequest) -> bool:
        """Answer with pages only; the API is elsewhere."""
        return False

    def get_password_change_redirect_url(self, _request: HttpRequest) -> str:
        """Go back to the account page."""
        return reverse("account")

    def get_email_verification_redirect_url(self, _email_address: EmailAddress) -> str:
        """Go to the account page, which asks whoever is not signed in to do so."""
        return reverse("account")
