"""What two people, or a person and the machine, do to rounds at the same moment."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from lenticular.rounds import pruning, rolling, selectors, services, workspace
from lenticular.rounds.errors import RoundActiveError
from lenticular.rounds.models import RollBack, Round

from .conftest import TINY

pytestmark = pytest.mark.django_db(transaction=True)
OPEN_SECONDS = 0.5


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as threads:
        yield threads


def on_its_own_connection(act):
    try:
        return act()
    finally:
        connection.close()


def while_open(pool, first, second):
    """Do `first`, and `second` while the transaction of the first is open; return both."""
    done = threading.Event()

    def slowly():
        with transaction.atomic():
            try:
                return first()
            finally:
                done.set()
                time.sleep(OPEN_SECONDS)

    def after():
        done.wait(20)
        return second()

    return [pool.submit(on_its_own_connection, act) for act in (slowly, after)]


def test_pruning_keeps_the_files_of_a_model_that_is_being_gone_back_to(pool, published_twice):
    first, _second = published_twice
    workflow = first.workflow
    tried = while_open(
        pool,
        lambda: rolling.roll_back(round=first, user=None, reason="odd"),
        lambda: pruning.prune_rounds(workflow=workflow, user=None, keep=1),
    )
    assert [each.round for each in tried[1].result().prunable] == []
    assert tried[0].result().round == first
    assert selectors.current_model(workflow).round == first
    assert workspace.find_damage(first, "train") is None


def test_a_double_click_goes_back_once(pool, published_twice):
    def go_back():
        return rolling.roll_back(round=published_twice[0], user=None, reason="odd")

    _done, again = while_open(pool, go_back, go_back)
    assert "is the current one" in str(again.exception())
    assert RollBack.objects.count() == 1


def test_a_round_is_not_resumed_while_another_starts(pool, pending):
    services.cancel_round(round=pending, user=None)
    started, resumed = while_open(
        pool,
        lambda: services.start_round(workflow=pending.workflow, user=None, config=TINY),
        lambda: services.resume_round(round=pending, user=None),
    )
    assert isinstance(resumed.exception(), RoundActiveError)
    assert started.result().number == 2
    assert [each.number for each in Round.objects.all() if each.is_active] == [2]
