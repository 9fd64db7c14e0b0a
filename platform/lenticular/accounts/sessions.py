"""Sessions in the database, each with the account that it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

if TYPE_CHECKING:
    from lenticular.accounts.models import Session


class SessionStore(DatabaseStore):
    """Django's store, which also writes down whose the session is."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        """Return our model."""
        from lenticular.accounts.models import Session  # noqa: PLC0415  (as Django's own)

        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        """Add the account; none for a browser that is not signed in."""
        session = cast("Session", super().create_model_instance(data))
        account = data.get(SESSION_KEY)
        session.account = int(account) if account else None
        return session
