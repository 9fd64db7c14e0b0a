"""Parquet shards of a survey's predictions."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from mlcore.cnn.predict import predict
from mlcore.cnn.shards import read_shards, write_shards
from mlcore.errors import ArtefactError, CancelledError, InvalidInputError
from mlcore.images import ImageCache


@pytest.fixture
def written(trained, cache, tmp_path):
    return write_shards(trained, cache, tmp_path, shard_size=16, source="first")


def test_read_back_what_predict_says(written, trained, cache, rows):
    shards = list(read_shards(written))
    assert [len(shard.ids) for shard in shards] == [16, 16, 8]
    assert sum((shard.ids for shard in shards), ()) == cache.ids
    assert all(list(shard.label_cols) == trained.tree.label_cols for shard in shards)
    expected = predict(trained, cache, rows)
    found = [shard.predictions for shard in shards]
    concentrations = np.concatenate([each.concentrations for each in found])
    representations = np.concatenate([each.representations for each in found])
    assert np.allclose(concentrations, expected.concentrations, atol=1e-3)
    assert np.allclose(representations, expected.representations, atol=1e-4)


def test_have_zoobots_column_names(written):
    table = pq.read_table(written / "shard-00000.parquet")
    assert table.column_names[:2] == ["id_str", "shape_round_concentration"]
    assert str(table.schema.field("representation").type) == "fixed_size_list<element: float>[136]"


def test_finished_shards_are_kept_after_a_stop(trained, cache, tmp_path, stop_after):
    with pytest.raises(CancelledError, match="predict was stopped"):
        write_shards(trained, cache, tmp_path, shard_size=16, source="a", should_stop=stop_after(2))
    first = (tmp_path / "shard-00000.parquet").stat().st_mtime_ns
    with pytest.raises(ArtefactError):
        list(read_shards(tmp_path))
    write_shards(trained, cache, tmp_path, shard_size=16, source="a")
    assert (tmp_path / "shard-00000.parquet").stat().st_mtime_ns == first
    assert len(list(read_shards(tmp_path))) == 3


def test_another_sources_shards_are_replaced(written, trained, cache):
    before = (written / "shard-00000.parquet").stat().st_mtime_ns
    write_shards(trained, cache, written, shard_size=16, source="second")
    assert (written / "shard-00000.parquet").stat().st_mtime_ns > before


def cut_short(content):
    return content[:-9]


def forget_all_but_the_footer(content):
    return b"PAR1" + b"\xff" * 800 + content[804:]


def flip_one_bit(content):
    place = len(content) // 3
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("damage", [cut_short, forget_all_but_the_footer, flip_one_bit])
def test_a_damaged_shard_is_written_again_and_the_others_stay(written, trained, cache, damage):
    paths = sorted(written.glob("*.parquet"))
    whole, first = paths[1].read_bytes(), paths[0].stat().st_mtime_ns
    paths[1].write_bytes(damage(whole))
    assert paths[1].read_bytes() != whole
    with pytest.raises(ArtefactError, match=r"shard-00001\.parquet must be a shard"):
        list(read_shards(written))
    write_shards(trained, cache, written, shard_size=16, source="first")
    assert paths[1].read_bytes() == whole
    assert paths[0].stat().st_mtime_ns == first


@pytest.mark.parametrize("content", [None, b"PAR1", b""])
def test_reading_a_damaged_shard_is_refused(written, content):
    path = written / "shard-00002.parquet"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"shard-00002\.parquet must be a shard"):
        list(read_shards(written))


def test_an_empty_survey_has_no_shards(trained, tmp_path):
    empty = ImageCache(np.empty((0, 24, 24, 3), np.uint8), (), 24, 1.0)
    write_shards(trained, empty, tmp_path, source="a")
    assert list(read_shards(tmp_path)) == []


def test_a_shard_of_nothing_is_refused(trained, cache, tmp_path):
    with pytest.raises(InvalidInputError, match="shard_size must be at least 1, is 0"):
        write_shards(trained, cache, tmp_path, shard_size=0, source="a")
