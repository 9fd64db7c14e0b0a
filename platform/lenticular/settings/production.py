"""Settings for real use: PostgreSQL, Redis, HTTPS behind a proxy."""

from __future__ import annotations

from lenticular.settings import environment
from lenticular.settings.base import *  # noqa: F403
from lenticular.settings.base import DATABASES, REDIS_URL, SECRET_KEY, STORAGES

if not SECRET_KEY:
    environment.PROBLEMS.append(
        (
            "LENTICULAR_SECRET_KEY must be set in production",
            "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'",
        )
    )
    SECRET_KEY = "unset"  # noqa: S105  (the check above refuses to start)
if not REDIS_URL:
    environment.PROBLEMS.append(
        ("LENTICULAR_REDIS_URL must be set in production", "Set it to redis://HOST:6379/0.")
    )
if "postgresql" not in DATABASES["default"]["ENGINE"]:
    environment.PROBLEMS.append(
        (
            "LENTICULAR_DATABASE_URL must name a PostgreSQL database in production",
            "Set it to postgres://USER:PASSWORD@HOST:5432/NAME.",
        )
    )
for name, example in (
    ("LENTICULAR_EMAIL_URL", "smtp+tls://USER:PASSWORD@HOST:587, or to console: to log mails"),
    ("LENTICULAR_EMAIL_FROM", "Lenticular <mail@example.org>"),
):
    if not environment.text(name):
        environment.PROBLEMS.append((f"{name} must be set in production", f"Set it to {example}."))

STORAGES["staticfiles"] = {
    "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage",
}
HTTPS = environment.flag("LENTICULAR_HTTPS", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
LENTICULAR_SERVE_MEDIA = environment.flag("LENTICULAR_SERVE_MEDIA", default=False)
