"""Accounts: who signs in how, for how long, how often; and mail."""

from __future__ import annotations

from django.contrib.messages import constants as messages

from lenticular.settings import environment

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
PASSWORD_RESET_TIMEOUT = 24 * 3600
MESSAGE_TAGS = {messages.SUCCESS: "good", messages.WARNING: "warn", messages.ERROR: "bad"}

# Sixty days after the last visit, see accounts.middleware.
SESSION_ENGINE = "lenticular.accounts.sessions"
SESSION_COOKIE_AGE = 60 * 24 * 3600

ACCOUNT_ADAPTER = "lenticular.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
# An address that has an account signs up like any other, so that nobody learns of it; mails
# and sign-in go to whoever has confirmed it first.
ACCOUNT_PREVENT_ENUMERATION = "strict"

# Proxies before us that we trust to write down the address they saw.
LENTICULAR_PROXY_COUNT = environment.number("LENTICULAR_PROXY_COUNT", 0)
_ATTEMPTS = environment.number("LENTICULAR_LOCK_OUT_ATTEMPTS", 5, at_least=1)
_SECONDS = environment.number("LENTICULAR_LOCK_OUT_SECONDS", 900, at_least=1)
_SIGN_UPS = environment.number("LENTICULAR_SIGN_UPS_PER_HOUR", 100, at_least=1)
# A class behind one address must get through; one name's password must not be guessed.
ACCOUNT_RATE_LIMITS = {
    "login": "60/m/ip",
    "login_failed": f"30/m/ip,{_ATTEMPTS}/{_SECONDS}s/key",
    "signup": f"{_SIGN_UPS}/h/ip",
    "reset_password": "30/h/ip,5/h/key",
    "reset_password_from_key": "20/m/ip",
    "change_password": "5/m/user",
    "manage_email": "10/m/user",
    "confirm_email": "1/180s/key",
}

_MAIL = environment.mail_server("LENTICULAR_EMAIL_URL", "console:")
EMAIL_BACKEND = _MAIL.backend
EMAIL_HOST = _MAIL.host
EMAIL_PORT = _MAIL.port
EMAIL_HOST_USER = _MAIL.user
EMAIL_HOST_PASSWORD = _MAIL.password
EMAIL_USE_TLS = _MAIL.starttls
EMAIL_USE_SSL = _MAIL.tls
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = environment.sender(
    "LENTICULAR_EMAIL_FROM", "Lenticular <lenticular@localhost>"
)
