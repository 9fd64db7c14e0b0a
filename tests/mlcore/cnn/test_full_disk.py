"""Where nothing more can be written, work stops, and goes on once there is room."""

import resource
from contextlib import contextmanager
from dataclasses import replace

import pytest
from safetensors import SafetensorError

from mlcore.cnn.model import CnnModel
from mlcore.cnn.pretrain import pretrain
from mlcore.cnn.shards import read_shards, write_shards
from mlcore.cnn.train import train
from mlcore.cnn.weights import file_sha256


@contextmanager
def full_disk(room=20_000):
    """Let no file grow beyond `room` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def no_file_is_half_there(directory):
    return not [path for path in directory.rglob("*") if "partial" in path.name]


def test_a_model_is_written_whole_or_not_at_all(trained, tmp_path):
    with full_disk(), pytest.raises((OSError, SafetensorError)):
        trained.save(tmp_path)
    assert not (tmp_path / "model.json").exists()
    assert no_file_is_half_there(tmp_path)
    trained.save(tmp_path)
    CnnModel.load(tmp_path)


def test_training_goes_on_and_the_model_before_stays(
    *, cache, rows, counts, handed_tree, config, tmp_path, trained
):
    trained.save(tmp_path / "published")
    before = file_sha256(tmp_path / "published" / "weights.safetensors")
    given = (cache, rows, counts, handed_tree, replace(config, epochs=1))
    with full_disk(), pytest.raises(OSError, match="File too large"):
        train(*given, directory=tmp_path / "next", seed=1)
    assert file_sha256(tmp_path / "published" / "weights.safetensors") == before
    CnnModel.load(tmp_path / "published")
    assert train(*given, directory=tmp_path / "next", seed=1).history


def test_pretraining_says_that_the_file_is_too_large(cache, config, tmp_path, monkeypatch):
    monkeypatch.setattr("mlcore.cnn.pretrain._CHECKPOINT_STEPS", 2)
    with full_disk(), pytest.raises(OSError, match="File too large"):
        pretrain(cache, config, directory=tmp_path, seed=1)
    assert no_file_is_half_there(tmp_path)
    assert pretrain(cache, config, directory=tmp_path, seed=1).is_file()


def test_whole_shards_stay(trained, cache, tmp_path):
    write_shards(trained, cache, tmp_path, shard_size=4, source="a")
    first = (tmp_path / "shard-00000.parquet").stat().st_mtime_ns
    (tmp_path / "shard-00001.parquet").unlink()
    with full_disk(500), pytest.raises(OSError, match="File too large"):
        write_shards(trained, cache, tmp_path, shard_size=4, source="a")
    assert no_file_is_half_there(tmp_path)
    write_shards(trained, cache, tmp_path, shard_size=4, source="a")
    assert (tmp_path / "shard-00000.parquet").stat().st_mtime_ns == first
    assert sum(len(shard.ids) for shard in read_shards(tmp_path)) == 40
