"""The socket of a round's page; the database is the truth, nudges are a courtesy."""

import json

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser

from lenticular.rounds import consumers
from lenticular.rounds.live import group_name, nudge
from lenticular.rounds.models import RoundStage
from lenticular.rounds.urls import websocket_urlpatterns

pytestmark = pytest.mark.django_db(transaction=True)
application = URLRouter(websocket_urlpatterns)


class BrokenLayer:
    """A channel layer whose broker is out of reach."""

    async def group_add(self, _group, _channel):
        raise ConnectionError("connection refused")

    group_discard = group_send = group_add

    async def new_channel(self):
        return "channel"

    async def receive(self, _channel):
        import asyncio

        await asyncio.Event().wait()


class Socket(ApplicationCommunicator):
    """A browser's end of the socket (that of channels.testing needs a server of its own)."""

    def __init__(self, round_id, user):
        path = f"/ws/rounds/{round_id}/"
        super().__init__(application, {"type": "websocket", "path": path, "user": user})

    async def connect(self):
        await self.send_input({"type": "websocket.connect"})
        assert (await self.receive_output())["type"] == "websocket.accept"

    async def receive_json(self):
        return json.loads((await self.receive_output())["text"])

    async def disconnect(self):
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait()


@pytest.fixture
def slow_poll(monkeypatch):
    monkeypatch.setattr(consumers, "POLL_SECONDS", 60)


@pytest.fixture
def quick_poll(monkeypatch):
    monkeypatch.setattr(consumers, "POLL_SECONDS", 0.05)


@database_sync_to_async
def progress(round_, fraction):
    RoundStage.objects.filter(round=round_, name="train").update(progress=fraction)


def train_progress(snapshot):
    return next(stage["progress"] for stage in snapshot["stages"] if stage["name"] == "train")


async def test_shows_the_round_on_connecting(pending, admin, slow_poll):
    socket = Socket(pending.pk, admin)
    await socket.connect()
    shown = await socket.receive_json()
    assert (shown["number"], shown["state"]) == (1, "pending")
    await socket.disconnect()


@pytest.mark.parametrize("who", ["anonymous", "expert"])
async def test_only_admins_are_let_in(pending, expert, who):
    socket = Socket(pending.pk, expert if who == "expert" else AnonymousUser())
    await socket.connect()
    assert (await socket.receive_output())["code"] == consumers.FORBIDDEN


async def test_an_unknown_round_is_not_found(admin):
    socket = Socket(99, admin)
    await socket.connect()
    assert (await socket.receive_output())["code"] == consumers.NOT_FOUND


async def test_a_nudge_shows_a_change_at_once(pending, admin, slow_poll):
    socket = Socket(pending.pk, admin)
    await socket.connect()
    await socket.receive_json()
    await progress(pending, 0.5)
    await get_channel_layer().group_send(group_name(pending.pk), {"type": "round.changed"})
    assert train_progress(await socket.receive_json()) == 0.5
    await socket.disconnect()


async def test_without_nudges_the_database_is_looked_at(pending, admin, quick_poll):
    socket = Socket(pending.pk, admin)
    await socket.connect()
    await socket.receive_json()
    await progress(pending, 0.25)
    assert train_progress(await socket.receive_json()) == 0.25
    await socket.disconnect()


async def test_what_has_not_changed_is_not_sent_again(pending, admin, quick_poll):
    socket = Socket(pending.pk, admin)
    await socket.connect()
    await socket.receive_json()
    assert await socket.receive_nothing(timeout=0.3)
    await socket.disconnect()


async def test_a_broker_out_of_reach_changes_nothing(pending, admin, quick_poll, monkeypatch):
    monkeypatch.setattr("channels.consumer.get_channel_layer", lambda *_: BrokenLayer())
    socket = Socket(pending.pk, admin)
    await socket.connect()
    await socket.receive_json()
    await progress(pending, 0.75)
    assert train_progress(await socket.receive_json()) == 0.75
    await socket.disconnect()


def test_a_nudge_to_a_broken_broker_is_only_logged(pending, monkeypatch, caplog):
    monkeypatch.setattr("lenticular.rounds.live.get_channel_layer", BrokenLayer)
    nudge(pending.pk)
    assert "connection refused" in caplog.text
