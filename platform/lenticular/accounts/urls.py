"""The addresses of the accounts pages.

The names that begin with ``account_`` are those by which allauth finds its pages; there
are no others of allauth's, so that none is reachable that is not ours.
"""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from lenticular.accounts import views


def account_urls(*, merge: views.Merge) -> list[URLPattern]:
    """Return the addresses; `merge` comes from above, where votes and leases are known."""
    sign_in = views.SignInView.as_view(merge=merge)
    sign_up = views.SignUpView.as_view(merge=merge)
    return [
        path("sign-in/", sign_in, name="sign-in"),
        path("sign-in/", sign_in, name="account_login"),
        path("sign-up/", sign_up, name="sign-up"),
        path("sign-up/", sign_up, name="account_signup"),
        path("sign-out/", views.SignOutView.as_view(), name="sign-out"),
        path("inactive/", views.InactiveView.as_view(), name="account_inactive"),
        path("", views.account, name="account"),
        path("mail/", views.MailView.as_view(), name="account_email"),
        path("password/", views.ChangePasswordView.as_view(), name="account_change_password"),
        path("export/", views.export, name="account-export"),
        path("delete/", views.delete, name="account-delete"),
        path("reset/", views.AskForResetView.as_view(), name="account_reset_password"),
        path("reset/sent/", views.ResetSentView.as_view(), name="account_reset_password_done"),
        re_path(
            r"^reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
            views.NewPasswordView.as_view(merge=merge),
            name="account_reset_password_from_key",
        ),
        re_path(
            r"^mail/(?P<key>[-:\w]+)/$",
            views.ConfirmMailView.as_view(),
            name="account_confirm_email",
        ),
    ]
