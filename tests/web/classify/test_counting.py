"""Counts of growing tables: right at every step, and cheap once made."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lenticular.classifications.models import Classification, Kind
from lenticular.classify import counting
from lenticular.classify.counting import count_growing
from lenticular.consensus.models import Retirement
from lenticular.selection.models import QueueEntry
from lenticular.selection.services import fill_queue
from tests.universe import classify, give_gold


@pytest.fixture
def small_margin(monkeypatch):
    monkeypatch.setattr(counting, "MARGIN", 2)


def votes():
    return count_growing("votes", Classification.objects.filter(kind=Kind.VOTE))


def true_count():
    return Classification.objects.filter(kind=Kind.VOTE).count()


@pytest.mark.parametrize("margin", [0, 1, 3, 10_000])
def test_every_count_is_right(quiet_universe, monkeypatch, margin):
    monkeypatch.setattr(counting, "MARGIN", margin)
    universe = quiet_universe
    assert votes() == 0
    for volunteer in (universe.volunteer, universe.anonymous, universe.other_anonymous):
        for _ in range(4):
            classify(universe, volunteer)
            assert votes() == true_count()
    give_gold(universe, universe.subjects[0])
    assert votes() == true_count() == 12


def test_what_was_counted_is_not_counted_again(universe, small_margin, django_assert_num_queries):
    assert votes() == 7
    with django_assert_num_queries(2) as asked:
        assert votes() == 7
    mark = counting.cache.get("classify:count:votes")
    assert "LIMIT 1" in asked[0]["sql"]
    assert f'"id" > {mark.upto}' in asked[1]["sql"]
    assert mark.upto == Classification.objects.order_by("-id")[0].pk - 2


def test_the_mark_moves_on(universe, small_margin):
    votes()
    before = counting.cache.get("classify:count:votes").upto
    for _ in range(5):
        classify(universe, universe.other_anonymous)
        votes()
    after = counting.cache.get("classify:count:votes")
    assert after.upto > before
    assert votes() == 12


def test_the_mark_follows_the_table_where_only_other_rows_grow(universe, small_margin):
    half = {subject.pk for subject in universe.subjects[:6]}
    rows = QueueEntry.objects.filter(subject__in=half)
    assert count_growing("half", rows) == 6
    QueueEntry.objects.exclude(subject__in=half).delete()
    assert fill_queue(workflow=universe.workflow) == 6

    assert count_growing("half", rows) == 6
    newest = QueueEntry.objects.order_by("-id")[0].pk
    assert counting.cache.get("classify:count:half").upto == newest - 2


def test_rows_that_went_are_missed_until_the_day_is_over(universe, monkeypatch, small_margin):
    for subject in universe.subjects[:8]:
        Retirement.objects.create(
            workflow=universe.workflow, subject=subject, reason="vote-count", votes=3
        )
    rows = Retirement.objects.all()
    assert count_growing("retired", rows) == rows.count()
    Retirement.objects.order_by("pk").first().delete()
    assert count_growing("retired", rows) == rows.count() + 1
    now = time.time()
    monkeypatch.setattr(counting.time, "time", lambda: now + counting.RECOUNT_SECONDS + 1)
    assert count_growing("retired", rows) == rows.count()


def test_one_process_counts_anew_while_others_go_on(universe, monkeypatch, small_margin):
    votes()
    now = time.time()
    monkeypatch.setattr(counting.time, "time", lambda: now + counting.RECOUNT_SECONDS + 1)
    counting.cache.add("classify:count:votes:counting", 1, 60)
    assert votes() == 7
    assert counting.cache.get("classify:count:votes").counted_at <= now


class SlowRows:
    """Rows that take their time to be counted from the first on, and tell how often they were."""

    def __init__(self):
        self.whole_counts = 0

    def filter(self, *, pk__gt, pk__lte=None):
        if pk__lte is not None:
            self.whole_counts += pk__gt == 0
            time.sleep(0.3)
        return self

    def count(self):
        return 5


def test_the_first_count_is_made_by_one_process_for_all(monkeypatch):
    monkeypatch.setattr(counting, "_newest", lambda _rows: 10**6)
    rows = SlowRows()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: count_growing("slow", rows), range(8)))

    assert found == [10] * 8
    assert rows.whole_counts == 1


def test_a_count_that_breaks_down_keeps_nobody_waiting(monkeypatch):
    def break_down(_rows):
        raise RuntimeError("the database is gone")

    monkeypatch.setattr(counting, "_newest", break_down)
    with pytest.raises(RuntimeError):
        count_growing("slow", SlowRows())
    monkeypatch.setattr(counting, "_newest", lambda _rows: 10**6)
    assert count_growing("slow", SlowRows()) == 10
