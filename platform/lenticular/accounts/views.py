"""Sign in, sign out and sign up; what was done before signing in is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from django.contrib.auth import login
from django.contrib.auth.views import LoginView, RedirectURLMixin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.generic import FormView

from lenticular.accounts.forms import SignUpForm
from lenticular.accounts.services import create_user, volunteer_of
from lenticular.accounts.web import cookie_volunteer, forget_volunteer

if TYPE_CHECKING:
    from django.contrib.auth.forms import AuthenticationForm
    from django.http.response import HttpResponseBase

    from lenticular.accounts.models import User, Volunteer


class Merge(Protocol):
    """Merges volunteers and what stands above accounts: votes, leases."""

    def __call__(self, *, anonymous: Volunteer, into: Volunteer) -> object:
        """Give what the anonymous volunteer did to the account's one."""


class SignInView(LoginView):
    """Signs in, and merges the browser's anonymous volunteer into the account's."""

    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True
    merge: Merge | None = None

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Merge, then sign in."""
        anonymous = cookie_volunteer(self.request)
        response = super().form_valid(form)
        keep_work(anonymous, form.get_user(), self.merge, response)
        return response


class SignUpView(RedirectURLMixin, FormView[SignUpForm]):
    """Makes a volunteer's account and signs in."""

    template_name = "accounts/sign_up.html"
    form_class = SignUpForm
    merge: Merge | None = None

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        """Send home whoever is signed in already."""
        if request.user.is_authenticated:
            return HttpResponseRedirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)

    def get_default_redirect_url(self) -> str:
        """Return where LoginView goes too."""
        return LoginView().get_default_redirect_url()

    def form_valid(self, form: SignUpForm) -> HttpResponse:
        """Create the account, sign in, merge."""
        anonymous = cookie_volunteer(self.request)
        user = create_user(
            username=form.cleaned_data["username"], password=form.cleaned_data["password1"]
        )
        login(self.request, user, backend="django.contrib.auth.backends.ModelBackend")
        response = HttpResponseRedirect(self.get_success_url())
        keep_work(anonymous, user, self.merge, response)
        return response


def keep_work(
    anonymous: Volunteer | None, user: User, merge: Merge | None, response: HttpResponse
) -> None:
    """Merge the browser's volunteer, unless it belongs to someone; drop its cookie."""
    if anonymous is None:
        return
    if merge is not None and anonymous.user_id is None and anonymous.merged_into_id is None:
        merge(anonymous=anonymous, into=volunteer_of(user=user))
    forget_volunteer(response)
