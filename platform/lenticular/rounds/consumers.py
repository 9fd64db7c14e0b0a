"""The socket of a round's page: the round as the database has it, whenever it changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from lenticular.common.errors import NotFoundError
from lenticular.rounds.live import group_name
from lenticular.rounds.selectors import get_round, round_snapshot

POLL_SECONDS = 1.0
FORBIDDEN, NOT_FOUND = 4403, 4404
logger = logging.getLogger(__name__)


class RoundConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # channels is untyped
    """Sends a round's snapshot on connecting and after every change.

    A nudge from the worker makes it look at once. It looks every second anyhow, so that
    a page is live where no channel layer joins worker and web.
    """

    async def connect(self) -> None:
        """Let admins in, and show them the round."""
        self.round_id = int(self.scope["url_route"]["kwargs"]["round_id"])
        self.shown: dict[str, Any] = {}
        self.watch: asyncio.Task[None] | None = None
        await self.accept()
        if not await database_sync_to_async(_may_watch)(self.scope["user"]):
            await self.close(FORBIDDEN)
            return
        try:
            await self.show()
        except NotFoundError:
            await self.close(NOT_FOUND)
            return
        await self._join()
        self.watch = asyncio.create_task(self._poll())

    async def disconnect(self, code: int) -> None:
        """Stop looking."""
        del code
        if self.watch is not None:
            self.watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.watch
        await self._leave()

    async def round_changed(self, _event: dict[str, Any]) -> None:
        """Look at the database now: a worker says that something changed."""
        await self.show()

    async def show(self) -> None:
        """Send the round as it is, where it is not what was sent last."""
        found = await database_sync_to_async(_read)(self.round_id)
        if found != self.shown:
            self.shown = found
            await self.send_json(found)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self.show()

    async def _join(self) -> None:
        try:
            await self.channel_layer.group_add(group_name(self.round_id), self.channel_name)
        except Exception as error:  # noqa: BLE001  (whatever the broker's client raises, we poll)
            logger.warning("no nudges for round %s: %s", self.round_id, error)

    async def _leave(self) -> None:
        try:
            await self.channel_layer.group_discard(group_name(self.round_id), self.channel_name)
        except Exception as error:  # noqa: BLE001  (as in _join)
            logger.warning("no farewell for round %s: %s", self.round_id, error)


def _may_watch(user: Any) -> bool:
    return bool(user.is_authenticated and user.may_run_rounds)


def _read(round_id: int) -> dict[str, Any]:
    return round_snapshot(get_round(round_id=round_id))
