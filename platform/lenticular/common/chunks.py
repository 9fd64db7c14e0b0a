"""Long streams of rows, some at a time."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


def in_chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the rows in order, `size` at a time and the last ones fewer; none of none.

    No row is read before its chunk is asked for.
    """
    remaining = iter(rows)
    while chunk := list(islice(remaining, size)):
        yield chunk
