"""The WSGI application: HTTP in real use."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lenticular.settings.dev")

application = get_wsgi_application()
