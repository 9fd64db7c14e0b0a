"""Files are whole or absent."""

import math
import os
import subprocess

import pytest

from mlcore.errors import ArtefactError
from mlcore.files import read_json, replacing, sweep_partials, write_json


def test_a_document_survives(tmp_path):
    write_json(tmp_path / "a.json", {"name": "螺旋", "counts": [1, 2.5, None]})
    assert read_json(tmp_path / "a.json") == {"name": "螺旋", "counts": [1, 2.5, None]}


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    write_json(tmp_path / "a.json", {"version": 1})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "a.json", {"version": math.nan})
    assert read_json(tmp_path / "a.json") == {"version": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_the_file_appears_only_when_it_is_whole(tmp_path):
    with replacing(tmp_path / "a.txt") as partial:
        partial.write_text("half")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "half"


@pytest.fixture
def write_half(tmp_path):
    """Return a function that leaves a half-written file, as a killed process would."""

    def leave(pid, folder="stage"):
        partial = tmp_path / folder / f".votes.parquet.{pid}.partial"
        partial.parent.mkdir(exist_ok=True)
        partial.write_text("half")
        return partial

    return leave


class TestSweeping:
    def test_what_a_killed_process_left_goes(self, tmp_path, write_half):
        killed = subprocess.Popen(["true"])
        killed.wait()
        left = [write_half(killed.pid), write_half(os.getpid(), "shared")]
        sweep_partials(tmp_path)
        assert not any(path.exists() for path in left)

    def test_what_a_living_process_writes_stays(self, tmp_path, write_half):
        being_written = write_half(os.getppid())
        sweep_partials(tmp_path)
        assert being_written.exists()

    def test_a_process_of_another_user_lives_too(self, tmp_path, write_half, monkeypatch):
        def refuse(_pid, _signal):
            raise PermissionError

        monkeypatch.setattr(os, "kill", refuse)
        being_written = write_half(os.getpid() + 1)
        sweep_partials(tmp_path)
        assert being_written.exists()

    def test_other_files_stay(self, tmp_path):
        for name in ("images.u8.partial", ".notes.partial", "votes.parquet"):
            (tmp_path / name).write_text("whole")
        sweep_partials(tmp_path)
        assert len(list(tmp_path.iterdir())) == 3

    def test_a_folder_that_is_not_there_is_none_to_sweep(self, tmp_path):
        sweep_partials(tmp_path / "absent")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "must be a JSON file, is not"),
        ("{", "must be a JSON file, is not"),
        ("[1]", "must hold a JSON object, holds list"),
    ],
)
def test_what_is_no_json_object_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.json").write_text(content)
    with pytest.raises(ArtefactError, match=message):
        read_json(tmp_path / "a.json")
