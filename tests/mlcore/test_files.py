"""Files are whole or absent."""

import math

import pytest

from mlcore.errors import ArtefactError
from mlcore.files import read_json, replacing, write_json


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
