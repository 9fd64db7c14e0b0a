"""A worker whose connections to the database are lost, and its round."""

import time
from sqlite3 import DatabaseError

import pytest
from django.db import OperationalError, connection
from django.db.backends.sqlite3.base import DatabaseWrapper as SqliteWrapper

from lenticular.rounds import lost_connections, pipeline, services, tasks
from lenticular.rounds.lost_connections import outlast
from lenticular.rounds.models import Round, RoundState

from .conftest import WORKER

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quiet_logs")]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(lost_connections, "PAUSES", (0.0, 0.0))
    yield
    connection.close()


@pytest.fixture(autouse=True)
def sqlite_may_lose_connections_too(monkeypatch):
    """Django takes SQLite's to be usable for ever; ask them."""

    def is_usable(wrapper):
        try:
            wrapper.connection.execute("SELECT 1")
        except DatabaseError:
            return False
        return True

    if connection.vendor == "sqlite":
        monkeypatch.setattr(SqliteWrapper, "is_usable", is_usable)


def lose_connection():
    """Close this thread's connection behind Django's back, as a restart of the database does."""
    connection.ensure_connection()
    connection.connection.close()


class TestOutlast:
    def count(self, broken):
        """Count rounds, after `broken` was called; keep the number of tries."""
        self.tries = 0

        def write():
            self.tries += 1
            broken(self.tries)
            return Round.objects.count()

        return outlast(write)

    def test_what_goes_well_is_done_once(self):
        assert (self.count(lambda _tries: None), self.tries) == (0, 1)

    def test_a_lost_connection_is_replaced(self):
        assert self.count(lambda tries: tries == 1 and lose_connection()) == 0
        assert self.tries == 2

    def test_a_database_that_stays_away_is_given_up(self):
        with pytest.raises(Exception, match="closed"):
            self.count(lambda _tries: lose_connection())
        assert self.tries == 3

    def test_what_the_database_refuses_is_no_lost_connection(self):
        def refuse(_tries):
            raise OperationalError("database or disk is full")

        connection.ensure_connection()
        with pytest.raises(OperationalError, match="disk is full"):
            self.count(refuse)
        assert self.tries == 1


def run_losing_connections(round_, monkeypatch, then):
    """Run a round that loses its connection in training, and again before `then`."""

    def run_round(*_args, on_progress, **_given):
        on_progress("train", 0.5, "half of it")
        lose_connection()
        on_progress("train", 1.0, "all of it")
        lose_connection()
        then()

    monkeypatch.setattr(pipeline, "run_round", run_round)
    tasks.run_round(round_.pk)
    round_.refresh_from_db()
    assert round_.stages.get(name="train").progress == 1.0


def fail():
    raise RuntimeError("out of luck")


def test_a_round_goes_on_and_is_published(pending, monkeypatch, write_stages):
    write_stages(pending)
    run_losing_connections(pending, monkeypatch, lambda: None)
    assert (pending.state, pending.error) == (RoundState.SUCCEEDED, "")


def test_a_round_that_fails_then_is_told_to_have_failed(pending, monkeypatch):
    run_losing_connections(pending, monkeypatch, fail)
    assert (pending.state, pending.error) == (
        RoundState.FAILED,
        "train: RuntimeError: out of luck",
    )


def test_the_heart_goes_on_beating(running, settings, monkeypatch):
    settings.LENTICULAR_ROUND_STALL_SECONDS = 0.1
    beat, beats = services.beat_heart, []

    def lose_then_beat(**given):
        beats.append(time.monotonic())
        if len(beats) == 1:
            lose_connection()
        return beat(**given)

    monkeypatch.setattr(services, "beat_heart", lose_then_beat)
    heard = running.heartbeat_at
    with pipeline._Heart(running.pk, WORKER):
        end = time.monotonic() + 20
        while Round.objects.get(pk=running.pk).heartbeat_at == heard and time.monotonic() < end:
            time.sleep(0.05)
    assert Round.objects.get(pk=running.pk).heartbeat_at > heard
    assert len(beats) > 1
