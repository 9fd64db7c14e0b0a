"""Chunks of long streams."""

import pytest

from lenticular.common.chunks import in_chunks


@pytest.mark.parametrize(("n", "sizes"), [(0, []), (1, [1]), (3, [3]), (4, [3, 1]), (6, [3, 3])])
def test_every_row_is_in_one_chunk_and_in_order(n, sizes):
    found = list(in_chunks(range(n), 3))
    assert [len(chunk) for chunk in found] == sizes
    assert [row for chunk in found for row in chunk] == list(range(n))


def test_no_row_is_read_before_its_chunk():
    rows = iter(range(9))
    assert next(in_chunks(rows, 4)) == [0, 1, 2, 3]
    assert next(rows) == 4
