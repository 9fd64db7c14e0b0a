"""Freed memory, kept for a while."""

import resource
from pathlib import Path

import numpy as np
import pytest

from mlcore import memory
from mlcore.memory import keeping_freed_memory

needs_glibc = pytest.mark.skipif(memory._glibc() is None, reason="another C library")
BLOCK = 24 * 2**20


def _pages_cleared(times):
    """Return how many pages the system had to find while blocks were taken and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        np.full(BLOCK, 1, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def _own_memory():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@needs_glibc
def test_a_block_that_is_taken_again_costs_no_new_pages():
    with keeping_freed_memory():
        _pages_cleared(times=2)
        assert _pages_cleared(times=20) < BLOCK / resource.getpagesize()


@needs_glibc
def test_what_was_kept_is_given_back_at_the_end():
    with keeping_freed_memory():
        blocks = [np.full(BLOCK, 1, np.uint8) for _ in range(8)]
        del blocks
        kept = _own_memory()
    assert _own_memory() < kept - 4 * BLOCK


def test_gives_back_after_an_error_too():
    with pytest.raises(RuntimeError, match="as it was raised"), keeping_freed_memory():
        raise RuntimeError("as it was raised")


def test_does_nothing_with_another_c_library(monkeypatch):
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    with keeping_freed_memory():
        assert np.ones(3).sum() == 3
