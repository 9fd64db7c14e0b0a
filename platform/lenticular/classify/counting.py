"""Counts of tables that grow for ever, at a price that does not grow with them.

The log only grows, so what was counted once stays counted: the cache keeps the count up to
an id, and each look adds the few rows after it. That id stays `MARGIN` ids behind the
newest: a transaction that is late with a low id is still among the rows that are counted
anew. Tallies and retirements may lose a row where two people turn out to be one; the whole
table is therefore counted again once a day, by one process, while the others go on with
the count that they have. Only that count, and the first after the cache was emptied, cost
a scan of an index (about a minute for 10^9 rows on PostgreSQL).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.core.cache import cache

if TYPE_CHECKING:
    from django.db.models import QuerySet

MARGIN = 10_000
RECOUNT_SECONDS = 24 * 3600
_LOCK_SECONDS = 3600


@dataclass(frozen=True)
class Mark:
    """How many rows there are up to an id, and when all of them were counted."""

    upto: int
    count: int
    counted_at: float


def count_growing(name: str, rows: QuerySet[Any]) -> int:
    """Return how many rows there are; `name` tells this count from others."""
    key = f"classify:count:{name}"
    mark = _recounted(key, rows, cache.get(key))
    tail = rows.filter(pk__gt=mark.upto).count()
    if tail > 2 * MARGIN:
        _keep(key, _advanced(mark, rows))
    return mark.count + tail


def _recounted(key: str, rows: QuerySet[Any], mark: Mark | None) -> Mark:
    """Return the mark, made anew where there is none or where it is old and nobody else does."""
    now = time.time()
    if mark is not None:
        is_old = now - mark.counted_at > RECOUNT_SECONDS
        if not (is_old and cache.add(f"{key}:counting", 1, _LOCK_SECONDS)):
            return mark
    return _keep(key, _advanced(Mark(0, 0, now), rows))


def _advanced(mark: Mark, rows: QuerySet[Any]) -> Mark:
    """Return the mark moved on, to `MARGIN` ids behind the newest row."""
    newest = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
    upto = max(mark.upto, newest - MARGIN)
    more = rows.filter(pk__gt=mark.upto, pk__lte=upto).count()
    return replace(mark, upto=upto, count=mark.count + more)


def _keep(key: str, mark: Mark) -> Mark:
    cache.set(key, mark, timeout=None)
    return mark
