"""Settings that serve static files as production does, hashed and compressed, on SQLite."""

from lenticular.settings.dev import *  # noqa: F403
from lenticular.settings.dev import STORAGES

STORAGES["staticfiles"] = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
WHITENOISE_USE_FINDERS = False
WHITENOISE_AUTOREFRESH = False
