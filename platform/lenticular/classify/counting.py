"""Counts of tables that grow for ever, at a price that does not grow with them.

The log only grows, so what was counted once stays counted: the cache keeps the count up to
an id, and each look adds the rows after it. That id follows the newest of the whole table,
also where only some of its rows are counted, so that a look reads few rows however much the
others grow. It stays `MARGIN` ids behind: a transaction that is late with a low id is still
among the rows that are counted anew. Tallies and retirements may lose a row where two people
turn out to be one; the whole table is therefore counted again once a day, by one process,
while the others go on with the count that they have. Only that count, and the first after
the cache was emptied, cost a scan of an index (about a minute for 10^9 rows on PostgreSQL);
the first too is made by one process, for which the others wait.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from django.core.cache import cache
from django.db.models import QuerySet

MARGIN = 10_000
RECOUNT_SECONDS = 24 * 3600
_LOCK_SECONDS = 120
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Mark:
    """How many rows there are up to an id, and when all of them were counted."""

    upto: int
    count: int
    counted_at: float


def count_growing(name: str, rows: QuerySet[Any]) -> int:
    """Return how many rows there are; `name` tells this count from others."""
    key = f"classify:count:{name}"
    mark = _mark(key, rows)
    newest = _newest(rows)
    if newest - mark.upto > 2 * MARGIN:
        mark = _keep(key, _advanced(mark, rows, newest))
    return mark.count + rows.filter(pk__gt=mark.upto).count()


def _mark(key: str, rows: QuerySet[Any]) -> Mark:
    """Return the mark that is kept, made anew by one process where it is old or not there."""
    mark: Mark | None = cache.get(key)
    while mark is None or _is_old(mark):
        if cache.add(f"{key}:counting", 1, _LOCK_SECONDS):
            return _recounted(key, rows)
        if mark is not None:
            break
        time.sleep(_LOOK_SECONDS)
        mark = cache.get(key)
    return mark


def _is_old(mark: Mark) -> bool:
    return time.time() - mark.counted_at > RECOUNT_SECONDS


def _recounted(key: str, rows: QuerySet[Any]) -> Mark:
    """Count all rows, unless another process did between the look and the lock; let go of it."""
    try:
        mark: Mark | None = cache.get(key)
        if mark is None or _is_old(mark):
            mark = _keep(key, _advanced(Mark(0, 0, time.time()), rows, _newest(rows)))
        return mark
    finally:
        cache.delete(f"{key}:counting")


def _newest(rows: QuerySet[Any]) -> int:
    """Return the highest id of the whole table, whichever of its rows are counted."""
    table: QuerySet[Any] = QuerySet(rows.model)
    return table.order_by("-pk").values_list("pk", flat=True).first() or 0


def _advanced(mark: Mark, rows: QuerySet[Any], newest: int) -> Mark:
    """Return the mark moved on, to `MARGIN` ids behind the newest row."""
    upto = max(mark.upto, newest - MARGIN)
    more = rows.filter(pk__gt=mark.upto, pk__lte=upto).count()
    return replace(mark, upto=upto, count=mark.count + more)


def _keep(key: str, mark: Mark) -> Mark:
    cache.set(key, mark, timeout=None)
    return mark
