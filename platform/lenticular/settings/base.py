"""What every deployment shares. The environment is read here and nowhere else."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import dj_database_url
import django_stubs_ext
from csp.constants import NONCE, NONE, SELF

from lenticular.settings import environment
from lenticular.settings.accounts import *  # noqa: F403
from lenticular.settings.accounts import LENTICULAR_PROXY_COUNT

# Lets ModelAdmin[Model] and the like be written at run time as the type checker reads them.
django_stubs_ext.monkeypatch()

ROOT = Path(__file__).resolve().parents[3]
HOME = environment.folder("LENTICULAR_HOME", ROOT / "var")
REDIS_URL = environment.text("LENTICULAR_REDIS_URL")

DEBUG = False
SECRET_KEY = environment.text("LENTICULAR_SECRET_KEY")
ALLOWED_HOSTS = environment.words("LENTICULAR_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = environment.words("LENTICULAR_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    # Not "allauth" itself: its templates are not ours, and none shall be served.
    "allauth.account",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "channels",
    "lenticular.common",
    "lenticular.accounts",
    "lenticular.subjects",
    "lenticular.workflows",
    "lenticular.classifications",
    "lenticular.consensus",
    "lenticular.selection",
    "lenticular.rounds",
    "lenticular.community",
    "lenticular.classify",
    "lenticular.review",
    "lenticular.releases",
    "lenticular.operations",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "lenticular.accounts.middleware.keep_signed_in",
    "lenticular.accounts.middleware.return_to_page",
    "lenticular.accounts.middleware.SignInAgain",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "lenticular.urls"
ASGI_APPLICATION = "lenticular.asgi.application"
WSGI_APPLICATION = "lenticular.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "frontend" / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "loaders": [
                "django.template.loaders.filesystem.Loader",
                "django.template.loaders.app_directories.Loader",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    },
]

DATABASES = {
    "default": dj_database_url.parse(
        environment.text("LENTICULAR_DATABASE_URL", f"sqlite:///{HOME / 'lenticular.sqlite3'}"),
        conn_max_age=60,
        conn_health_checks=True,
    ),
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    environment.require_sqlite(sqlite3.sqlite_version_info)
    # One writer at a time, taken at BEGIN: a read that turns into a write can not deadlock.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;"
        ),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hant", "繁體中文"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [ROOT / "frontend" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = environment.folder("LENTICULAR_STATIC_ROOT", HOME / "static")
STATICFILES_DIRS = [ROOT / "frontend" / "static"]
MEDIA_URL = "/media/"
MEDIA_ROOT = HOME / "media"
ARTEFACTS_ROOT = HOME / "artefacts"
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "artefacts": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": ARTEFACTS_ROOT, "base_url": None},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
        },
    }
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    }
    CELERY_BROKER_URL = REDIS_URL
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CELERY_BROKER_URL = "filesystem://localhost//"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(HOME / "broker"),
        "data_folder_out": str(HOME / "broker"),
        "control_folder": str(HOME / "broker-control"),
        "processed_folder": str(HOME / "broker-processed"),
        "store_processed": False,
    }
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {"lenticular.rounds.tasks.run_round": {"queue": "gpu"}}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE = {
    "take-up-stalled-rounds": {
        "task": "lenticular.rounds.tasks.resume_stalled_rounds",
        "schedule": 60.0,
        # A look that was late has been followed by another.
        "options": {"expires": 55.0},
    },
    "start-due-rounds": {
        "task": "lenticular.rounds.tasks.start_due_rounds",
        "schedule": 300.0,
        "options": {"expires": 290.0},
    },
    "weigh-volunteers": {
        "task": "lenticular.rounds.tasks.weigh_volunteers",
        "schedule": 6 * 3600.0,
        "options": {"expires": 3600.0},
    },
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "rest_framework.authentication.TokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticatedOrReadOnly"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.CursorPagination",
    "PAGE_SIZE": 100,
    "EXCEPTION_HANDLER": "lenticular.common.problems.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.AnonRateThrottle",
        "rest_framework.throttling.UserRateThrottle",
    ],
    "NUM_PROXIES": LENTICULAR_PROXY_COUNT,
    "DEFAULT_THROTTLE_RATES": {
        "anon": environment.rate("LENTICULAR_THROTTLE_ANONYMOUS", "600/min"),
        "user": environment.rate("LENTICULAR_THROTTLE_USER", "1200/min"),
    },
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Lenticular",
    "DESCRIPTION": "Classifications, rounds and releases of galaxy morphology.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    },
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"

# Our own settings, each with its unit.
LENTICULAR_LEASE_SECONDS = environment.number("LENTICULAR_LEASE_SECONDS", 900, at_least=10)
LENTICULAR_ROUND_STALL_SECONDS = environment.number(
    "LENTICULAR_ROUND_STALL_SECONDS", 120, at_least=5
)
LENTICULAR_ROUND_DISK_BYTES = environment.number("LENTICULAR_ROUND_DISK_BYTES", 2**30)
LENTICULAR_ROUND_MAX_SECONDS = environment.number("LENTICULAR_ROUND_MAX_SECONDS", 0)
LENTICULAR_ROUND_THREADS = environment.number("LENTICULAR_ROUND_THREADS", 0)
LENTICULAR_MAX_IMAGE_BYTES = environment.number(
    "LENTICULAR_MAX_IMAGE_BYTES", 20 * 1024 * 1024, at_least=1024
)
LENTICULAR_MAX_IMAGE_PIXELS = environment.number(
    "LENTICULAR_MAX_IMAGE_PIXELS", 64_000_000, at_least=1024
)
LENTICULAR_SERVE_MEDIA = False
LENTICULAR_SETTING_PROBLEMS = environment.PROBLEMS

LOG_LEVEL = environment.text("LENTICULAR_LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    # The libraries say little unless something is wrong; we say what we do.
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {name: {"level": LOG_LEVEL} for name in ("lenticular", "mlcore", "celery")},
}
