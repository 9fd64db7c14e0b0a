"""Freed memory that is kept while a computation will want it again.

The C library gives large blocks back to the system as soon as they are free, and the system
clears every page before it hands it out again. A training step on a processor takes and frees
hundreds of MiB, and spent a quarter of its time on that.
"""

from __future__ import annotations

import ctypes
import platform
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# Names of mallopt(3).
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
# The most that glibc allows: larger blocks always go back. It comes to this by itself.
_LARGEST_BLOCK: Final = 32 * 2**20
_NEVER: Final = 2**31 - 1


@contextmanager
def keeping_freed_memory() -> Iterator[None]:
    """Keep what is freed within the block for use again, and give it back at the end.

    Only time changes. Where the C library is not glibc, nothing does. Of two blocks that
    overlap, the first to end ends it for both.
    """
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK)
    library.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        library.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_BLOCK)
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
