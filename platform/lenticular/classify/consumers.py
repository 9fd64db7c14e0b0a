"""The socket of the home page: the snapshot, whenever it has changed, once a second at most.

Anybody may watch. However many do, each process reads the snapshot once a second for all of
them, and reads nothing while nobody watches.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from lenticular.classify.home import home_snapshot

LOOK_SECONDS = 1.0
logger = logging.getLogger(__name__)


class SharedSnapshot:
    """The latest snapshot, read at most once a second for all who await it."""

    def __init__(self) -> None:
        self._latest: dict[str, Any] = {}
        self._read_at = -LOOK_SECONDS
        self._reading: asyncio.Task[None] | None = None

    async def latest(self) -> dict[str, Any]:
        """Return the snapshot, waiting for the one read that is under way where it is old."""
        if time.monotonic() - self._read_at >= LOOK_SECONDS:
            if self._reading is None or self._reading.done() or not _is_ours(self._reading):
                self._reading = asyncio.create_task(self._read())
            # A page that is closed meanwhile must not take the reading from the others.
            await asyncio.shield(self._reading)
        return self._latest

    async def _read(self) -> None:
        try:
            self._latest = await database_sync_to_async(home_snapshot)()
        except Exception as error:  # noqa: BLE001  (whatever the database raises, pages stay open)
            logger.warning("no new snapshot of the home page: %s", error)
        self._read_at = time.monotonic()


def _is_ours(task: asyncio.Task[None]) -> bool:
    return task.get_loop() is asyncio.get_running_loop()


shared = SharedSnapshot()


class HomeConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # channels is untyped
    """Sends the snapshot on connecting and after changes."""

    async def connect(self) -> None:
        """Let everybody in."""
        self.shown: dict[str, Any] = {}
        await self.accept()
        self.watch = asyncio.create_task(self._watch())

    async def disconnect(self, code: int) -> None:
        """Stop looking."""
        del code
        self.watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.watch

    async def _watch(self) -> None:
        while True:
            found = await shared.latest()
            if found is not self.shown and found != self.shown:
                await self.send_json(found)
            self.shown = found
            await asyncio.sleep(LOOK_SECONDS)
