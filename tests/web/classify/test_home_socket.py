"""The socket of the home page: everybody may watch, and a thousand cost as much as one."""

import asyncio
import json

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.db import DatabaseError

from lenticular.classify import consumers
from lenticular.classify.consumers import SharedSnapshot
from lenticular.urls import websocket_urlpatterns
from tests.universe import classify

pytestmark = pytest.mark.django_db(transaction=True)
application = URLRouter(websocket_urlpatterns)


class Socket(ApplicationCommunicator):
    """A browser's end of the socket."""

    def __init__(self):
        scope = {"type": "websocket", "path": "/ws/home/", "user": AnonymousUser()}
        super().__init__(application, scope)

    async def connect(self):
        await self.send_input({"type": "websocket.connect"})
        assert (await self.receive_output())["type"] == "websocket.accept"

    async def receive_json(self):
        return json.loads((await self.receive_output(timeout=5))["text"])

    async def disconnect(self):
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Look often, and through no cache, so that the tests need not wait for seconds."""
    monkeypatch.setattr(consumers, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(consumers, "shared", SharedSnapshot())
    monkeypatch.setattr("lenticular.classify.home.SNAPSHOT_SECONDS", 0)


@pytest.fixture
def reads(monkeypatch):
    """Count how often the database is asked."""
    found, real = [], consumers.home_snapshot

    def counted():
        found.append(1)
        return real()

    monkeypatch.setattr(consumers, "home_snapshot", counted)
    return found


@database_sync_to_async
def vote(universe):
    classify(universe, universe.other_anonymous)
    cache.delete("classify:home")


async def test_shows_the_page_on_connecting_and_after_a_vote(universe):
    socket = Socket()
    await socket.connect()
    assert (await socket.receive_json())["counts"]["classifications"] == 7
    await vote(universe)
    assert (await socket.receive_json())["counts"]["classifications"] == 8
    await socket.disconnect()


async def test_what_has_not_changed_is_not_sent_again(universe):
    socket = Socket()
    await socket.connect()
    await socket.receive_json()
    assert await socket.receive_nothing(timeout=0.3)
    await socket.disconnect()


async def test_many_watchers_share_one_reading(universe, reads, monkeypatch):
    monkeypatch.setattr(consumers, "LOOK_SECONDS", 60)
    monkeypatch.setattr(consumers, "shared", SharedSnapshot())
    sockets = [Socket() for _ in range(30)]
    for socket in sockets:
        await socket.connect()
    for socket in sockets:
        assert (await socket.receive_json())["counts"]["classifications"] == 7
    assert len(reads) == 1
    for socket in sockets:
        await socket.disconnect()


async def test_nobody_watching_reads_nothing(universe, reads):
    socket = Socket()
    await socket.connect()
    await socket.receive_json()
    await socket.disconnect()
    before = len(reads)
    await asyncio.sleep(0.3)
    assert len(reads) == before


async def test_a_database_out_of_reach_keeps_the_page_open(universe, monkeypatch, caplog):
    socket = Socket()
    await socket.connect()
    await socket.receive_json()
    real = consumers.home_snapshot
    monkeypatch.setattr(consumers, "home_snapshot", _out_of_reach)
    for _ in range(500):
        if "no new snapshot" in caplog.text:
            break
        await asyncio.sleep(0.02)
    assert "no new snapshot" in caplog.text
    monkeypatch.setattr(consumers, "home_snapshot", real)
    await vote(universe)
    assert (await socket.receive_json())["counts"]["classifications"] == 8
    await socket.disconnect()


def _out_of_reach():
    raise DatabaseError("connection refused")
