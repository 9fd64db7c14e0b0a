"""Forms of the accounts pages: allauth's, in our words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account import forms as allauth
from allauth.account.adapter import get_adapter
from django import forms
from django.utils.translation import gettext_lazy as _

from lenticular.accounts.services import change_display_name
from lenticular.common.errors import LenticularError

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from lenticular.accounts.models import User

A_GOOD_PASSWORD = _(
    "At least 10 characters. A few words that only you would put together are good."
)
AGAIN = _("The same once more")


def _describe(
    form: forms.BaseForm, name: str, label: _StrPromise, text: _StrPromise | str = "", **hints: str
) -> None:
    """Give a field our label, and help instead of words that vanish when one types."""
    field = form.fields[name]
    field.label, field.help_text = label, text
    field.widget.attrs.pop("placeholder", None)
    field.widget.attrs.update(hints)


class SignInForm(allauth.LoginForm):  # type: ignore[misc]  # allauth is untyped
    """A name or a mail address, a password, and whether to stay."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        hints = {"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        _describe(self, "login", _("Username or mail address"), **hints)
        _describe(self, "password", _("Password"))
        stay = _("For 60 days after your last visit. Not for a device that others use.")
        _describe(self, "remember", _("Keep me signed in"), stay)
        self.fields["remember"].initial = True

    def add_prefix(self, field_name: str) -> str:
        """Call the field what browsers and their password stores expect."""
        return str(super().add_prefix("username" if field_name == "login" else field_name))


class SignUpForm(allauth.SignupForm):  # type: ignore[misc]  # allauth is untyped
    """A name and a password; a mail address only from those who want to leave one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name = _("Letters, digits and . - _ only. Others may see it; a display name hides it.")
        _describe(self, "username", _("Username"), name, autocapitalize="none", spellcheck="false")
        mail = _("Only for a new password, should you forget yours. Nobody else sees it.")
        _describe(self, "email", _("Mail address (optional)"), mail)
        _describe(self, "password1", _("Password"), A_GOOD_PASSWORD)
        _describe(self, "password2", AGAIN)


class AskForResetForm(allauth.ResetPasswordForm):  # type: ignore[misc]  # allauth is untyped
    """The address to which a link goes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _describe(self, "email", _("Mail address"))


class NewPasswordForm(allauth.ResetPasswordKeyForm):  # type: ignore[misc]  # allauth is untyped
    """The new password, after a link."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _describe(self, "password1", _("New password"), A_GOOD_PASSWORD)
        _describe(self, "password2", AGAIN)


class ChangePasswordForm(allauth.ChangePasswordForm):  # type: ignore[misc]  # allauth is untyped
    """The old password and the new one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _describe(self, "oldpassword", _("Password that you have now"))
        _describe(self, "password1", _("New password"), A_GOOD_PASSWORD)
        _describe(self, "password2", AGAIN)


class _PasswordAsked(forms.Form):
    """Asks for the password before something that a found device should not be able to do."""

    user: User
    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def clean_password(self) -> str:
        """Check it; wrong ones count towards the lock-out."""
        password = str(self.cleaned_data["password"])
        if not get_adapter().reauthenticate(self.user, password):
            raise get_adapter().validation_error("incorrect_password")
        return password


class MailForm(_PasswordAsked, allauth.AddEmailForm):  # type: ignore[misc]  # allauth is untyped
    """Another mail address, used once it is confirmed."""

    field_order = ("email", "password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _describe(self, "email", _("New mail address"))


class DeleteAccountForm(_PasswordAsked):
    """The password, as the last question."""

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)


class DisplayNameForm(forms.Form):
    """What others see."""

    display_name = forms.CharField(
        label=_("Display name"),
        required=False,
        max_length=200,
        help_text=_(
            "What others see instead of your username: 2 to 40 characters, letters of any "
            "language. Leave it empty to show your username."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "nickname", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)
        self.initial = {"display_name": user.display_name}

    def save(self) -> bool:
        """Change the name; where it can not be, say why at the field and return False."""
        try:
            change_display_name(user=self.user, display_name=self.cleaned_data["display_name"])
        except LenticularError as error:
            self.add_error("display_name", error.message)
            return False
        return True
