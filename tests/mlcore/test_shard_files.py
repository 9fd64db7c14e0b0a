"""Parquet files that know whether they are whole."""

import errno

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlcore.errors import ArtefactError, UnreadableError
from mlcore.shard_files import is_whole, read_checked, write_checked

ROWS = 500


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "some.parquet"
    table = pa.table({"id_str": [f"g{n}" for n in range(ROWS)], "x": [n / 7 for n in range(ROWS)]})
    write_checked(table, path, source="first")
    return path


def test_what_is_written_is_read_and_whole(path):
    assert read_checked(path)["x"].to_pylist() == [n / 7 for n in range(ROWS)]
    assert read_checked(path, columns=["x"]).column_names == ["x"]
    assert is_whole(path, source="first", length=ROWS)


def test_another_source_or_length_is_not_what_was_asked_for(path):
    assert not is_whole(path, source="second", length=ROWS)
    assert not is_whole(path, source="first", length=ROWS - 1)


def test_no_bit_of_the_pages_is_lost_unseen(path):
    content = path.read_bytes()
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for place in range(4, end, 97):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert not is_whole(path, source="first", length=ROWS) or read_checked(path).equals(
            pq.read_table(pa.BufferReader(content))
        )


@pytest.mark.parametrize("content", [b"", b"PAR1", b"cut short"])
def test_what_is_no_table_is_refused(path, content):
    path.write_bytes(content)
    assert not is_whole(path, source="first", length=ROWS)
    with pytest.raises(ArtefactError, match=r"^some\.parquet must be a Parquet file, is not"):
        read_checked(path)


def test_a_missing_column_is_named(path):
    with pytest.raises(ArtefactError, match=r"some\.parquet .* No match for FieldRef\.Name\(y\)"):
        read_checked(path, columns=["x", "y"])


def test_a_file_that_is_not_there_is_not_a_damaged_one(path):
    path.unlink()
    assert not is_whole(path, source="first", length=ROWS)
    with pytest.raises(UnreadableError, match=r"some\.parquet"):
        read_checked(path)


def test_nor_is_one_that_cannot_be_read_just_now(path, monkeypatch):
    def fail(*_given, **_named):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(pq, "read_table", fail)
    with pytest.raises(UnreadableError, match="Too many open files"):
        read_checked(path)
