"""The embedded default: SQLite, no broker to install, one machine."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from lenticular.settings import environment
from lenticular.settings.base import *  # noqa: F403
from lenticular.settings.base import HOME, SECRET_KEY

if TYPE_CHECKING:
    from pathlib import Path


def _kept_secret(path: Path) -> str:
    """Return the secret in `path`, made at random the first time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text()


DEBUG = environment.flag("LENTICULAR_DEBUG", default=False)
SECRET_KEY = SECRET_KEY or _kept_secret(HOME / "secret-key")
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
# One process serves the pictures too; real deployments leave that to the proxy.
LENTICULAR_SERVE_MEDIA = True
