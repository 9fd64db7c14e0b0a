"""The addresses of the accounts pages."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, path

from lenticular.accounts.views import Merge, SignInView, SignUpView


def account_urls(*, merge: Merge) -> list[URLPattern]:
    """Return the addresses; `merge` comes from above, where votes and leases are known."""
    return [
        path("sign-in/", SignInView.as_view(merge=merge), name="sign-in"),
        path("sign-out/", LogoutView.as_view(), name="sign-out"),
        path("sign-up/", SignUpView.as_view(merge=merge), name="sign-up"),
    ]
