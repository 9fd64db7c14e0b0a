"""The accounts pages; what was done before signing in is kept."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, cast

from allauth.account import views as allauth
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from lenticular.accounts import forms
from lenticular.accounts.models import User
from lenticular.accounts.personal import export_document
from lenticular.accounts.selectors import mail_addresses
from lenticular.accounts.services import AlreadyMergedError, delete_account, volunteer_of
from lenticular.accounts.web import (
    cookie_volunteer,
    forget_signing_in,
    forget_volunteer,
    was_signed_out,
)
from lenticular.common.errors import LenticularError

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from lenticular.accounts.models import Volunteer


class Merge(Protocol):
    """Merges volunteers and what stands above accounts: votes, leases."""

    def __call__(self, *, anonymous: Volunteer, into: Volunteer) -> object:
        """Give what the anonymous volunteer did to the account's one."""


class KeepsWork:
    """For views that sign in: the browser's anonymous volunteer becomes the account's."""

    merge: Merge | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Sign in as allauth does, then keep the work."""
        anonymous = None if request.user.is_authenticated else cookie_volunteer(request)
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # a mixin
        if isinstance(request.user, User):
            keep_work(anonymous, request.user, self.merge, response)
        return response


def keep_work(
    anonymous: Volunteer | None, user: User, merge: Merge | None, response: HttpResponseBase
) -> None:
    """Merge the browser's volunteer, unless it belongs to someone; drop its cookie."""
    if anonymous is None:
        return
    if merge is not None and anonymous.user_id is None and anonymous.merged_into_id is None:
        # Another tab of this browser may have signed in as somebody else in between.
        with suppress(AlreadyMergedError):
            merge(anonymous=anonymous, into=volunteer_of(user=user))
    forget_volunteer(response)


class SignInView(KeepsWork, allauth.LoginView):  # type: ignore[misc]  # allauth is untyped
    """Signs in by user name or mail address."""

    template_name = "accounts/sign_in.html"
    form_class = forms.SignInForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add whether a session has ended by itself."""
        return {**super().get_context_data(**kwargs), "signed_out": was_signed_out(self.request)}


class SignUpView(KeepsWork, allauth.SignupView):  # type: ignore[misc]  # allauth is untyped
    """Makes a volunteer's account and signs in."""

    template_name = "accounts/sign_up.html"
    form_class = forms.SignUpForm

    def form_valid(self, form: forms.SignUpForm) -> HttpResponse:
        """Say it kindly where the name was taken while the form was sent."""
        try:
            return cast("HttpResponse", super().form_valid(form))
        except LenticularError as error:
            form.add_error(None, error.message)
            return cast("HttpResponse", self.form_invalid(form))


class SignOutView(allauth.LogoutView):  # type: ignore[misc]  # allauth is untyped
    """Asks, then signs out."""

    template_name = "accounts/sign_out.html"

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Leave nothing of the account in the browser."""
        response = cast("HttpResponse", super().post(*args, **kwargs))
        forget_signing_in(response)
        return response


class AskForResetView(allauth.PasswordResetView):  # type: ignore[misc]  # allauth is untyped
    """Sends a link for a new password, and never says whether the address has an account."""

    template_name = "accounts/reset.html"
    form_class = forms.AskForResetForm


class ResetSentView(allauth.PasswordResetDoneView):  # type: ignore[misc]  # allauth is untyped
    """Says what happens next."""

    template_name = "accounts/reset_sent.html"


class NewPasswordView(KeepsWork, allauth.PasswordResetFromKeyView):  # type: ignore[misc]  # allauth is untyped
    """Takes the new password of whoever has the link, and signs in."""

    template_name = "accounts/new_password.html"
    form_class = forms.NewPasswordForm
    success_url = reverse_lazy("account")


class ConfirmMailView(allauth.ConfirmEmailView):  # type: ignore[misc]  # allauth is untyped
    """Confirms an address by a press of a button, so that a mail scanner does not."""

    template_name = "accounts/confirm_mail.html"


class InactiveView(allauth.AccountInactiveView):  # type: ignore[misc]  # allauth is untyped
    """Says that an admin has closed the account."""

    template_name = "accounts/inactive.html"


class ChangePasswordView(allauth.PasswordChangeView):  # type: ignore[misc]  # allauth is untyped
    """Changes the password; other browsers are signed out."""

    template_name = "accounts/password.html"
    form_class = forms.ChangePasswordForm


class MailView(allauth.EmailView):  # type: ignore[misc]  # allauth is untyped
    """Adds, replaces, confirms or removes the one mail address."""

    template_name = "accounts/mail.html"
    form_class = forms.MailForm


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """Show the account; a post changes the display name."""
    user = cast("User", request.user)
    form = forms.DisplayNameForm(request.POST or None, user=user)
    if form.is_valid() and form.save():
        messages.success(request, _("Others see you as %(name)s now.") % {"name": user.shown_name})
        return redirect("account")
    context = {"form": form, "addresses": mail_addresses(user)}
    return render(request, "accounts/account.html", context)


@never_cache
@login_required
@require_safe
def export(request: HttpRequest) -> StreamingHttpResponse:
    """Stream all that the site keeps of the person."""
    document = export_document(user=cast("User", request.user))
    headers = {"Content-Disposition": 'attachment; filename="lenticular-my-data.json"'}
    return StreamingHttpResponse(document, content_type="application/json", headers=headers)


@sensitive_post_parameters("password")
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest) -> HttpResponse:
    """Delete the account after its password is given, and sign the browser out."""
    user = cast("User", request.user)
    form = forms.DeleteAccountForm(request.POST or None, user=user)
    if form.is_valid():
        try:
            delete_account(user=User.objects.get(pk=user.pk))
        except LenticularError as error:
            form.add_error(None, error.message)
        else:
            logout(request)
            messages.success(request, _("Your account is deleted. Thank you for every galaxy."))
            response = redirect("home")
            forget_signing_in(response)
            return response
    return render(request, "accounts/delete.html", {"form": form})


def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Lead the admin site's sign-in to ours; whoever is signed in and no admin is told so."""
    if request.user.is_authenticated:
        raise PermissionDenied(_("The admin site needs the role admin."))
    query = request.META.get("QUERY_STRING", "")
    return HttpResponseRedirect(f"{reverse('sign-in')}?{query}")
