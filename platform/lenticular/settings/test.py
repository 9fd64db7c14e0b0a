"""Settings for the tests: fast hashes, everything under a temporary folder."""

from __future__ import annotations

import tempfile
from pathlib import Path

from lenticular.settings.base import *  # noqa: F403
from lenticular.settings.base import DATABASES, REST_FRAMEWORK, STORAGES

SECRET_KEY = "only-for-tests"  # noqa: S105  (never served)
HOME = Path(tempfile.mkdtemp(prefix="lenticular-test-"))
MEDIA_ROOT = HOME / "media"
ARTEFACTS_ROOT = HOME / "artefacts"
STORAGES["artefacts"]["OPTIONS"] = {"location": ARTEFACTS_ROOT, "base_url": None}
STATIC_ROOT = HOME / "static"
STATIC_ROOT.mkdir()
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["TEST"] = {"NAME": str(HOME / "test.sqlite3")}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
ALLOWED_HOSTS = ["*"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
LENTICULAR_SERVE_MEDIA = True
REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] = {"anon": None, "user": None}
# Every test comes from one address; the tests of the limits turn them on.
ACCOUNT_RATE_LIMITS = False  # type: ignore[assignment]  # allauth's word for none
