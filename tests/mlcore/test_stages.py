"""A stage is finished or has not happened; only who makes it removes what is damaged."""

from pathlib import Path

import pytest

from mlcore.errors import ArtefactError, UnreadableError
from mlcore.stages import MARK, StageFolder


@pytest.fixture
def finished(tmp_path):
    """A finished stage that wrote one file."""
    folder = StageFolder(tmp_path / "acquire")
    folder.begin({"plan": "old"})
    (folder.path / "queue.txt").write_text("3 2 1")
    folder.finish({"plan": "old"}, {"batch": 3})
    return folder


def names(folder):
    return sorted(path.name for path in folder.path.iterdir())


@pytest.fixture
def out_of_descriptors(finished, monkeypatch):
    """The same while no file can be opened, as in a busy process."""

    def refuse(path, *_args, **_given):
        raise OSError(24, "Too many open files", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "read_text", refuse)
    return finished


class TestReading:
    def test_tells_what_was_found_out(self, finished):
        assert finished.record() == finished.verified()
        assert finished.record().result == {"batch": 3}

    def test_an_unfinished_stage_has_no_record(self, tmp_path):
        assert StageFolder(tmp_path / "absent").record() is None
        assert StageFolder(tmp_path / "absent").verified() is None

    @pytest.mark.parametrize("content", ["{", "[]", '{"name": "acquire"}'])
    def test_a_damaged_mark_is_an_error_and_stays(self, finished, content):
        (finished.path / MARK).write_text(content)
        with pytest.raises(ArtefactError, match=r"acquire/stage\.json is damaged"):
            finished.record()
        assert (finished.path / MARK).read_text() == content

    @pytest.mark.parametrize("read", [StageFolder.record, StageFolder.verified])
    def test_what_cannot_be_read_just_now_stays(self, out_of_descriptors, read):
        with pytest.raises(UnreadableError, match="Too many open files"):
            read(out_of_descriptors)
        assert names(out_of_descriptors) == ["begun.json", "queue.txt", MARK]


class TestBeginning:
    def test_what_was_made_from_the_same_inputs_stays(self, finished):
        finished.unmark()
        finished.begin({"plan": "old"})
        assert names(finished) == ["begun.json", "queue.txt"]

    def test_what_was_made_from_others_goes(self, finished):
        finished.begin({"plan": "new"})
        assert names(finished) == ["begun.json"]

    @pytest.mark.parametrize("plan", ["old", "new"])
    def test_a_kill_among_the_removals_leaves_nothing_to_go_on_from(
        self, finished, plan, monkeypatch
    ):
        def kill(path):
            raise KeyboardInterrupt(str(path))

        monkeypatch.setattr("mlcore.stages.shutil.rmtree", kill)
        with pytest.raises(KeyboardInterrupt):
            finished.begin({"plan": "new"})
        monkeypatch.undo()
        assert finished.verified() is None
        finished.begin({"plan": plan})
        assert names(finished) == ["begun.json"]


class TestVerifying:
    def test_a_damaged_mark_goes_so_that_the_stage_is_made_again(self, finished):
        (finished.path / MARK).write_text("{")
        with pytest.raises(ArtefactError, match="is damaged"):
            finished.verified()
        assert names(finished) == ["begun.json", "queue.txt"]

    def test_a_changed_file_goes_with_the_mark(self, finished):
        (finished.path / "queue.txt").write_text("tampered")
        with pytest.raises(ArtefactError, match=r"acquire/queue\.txt must have checksum"):
            finished.verified()
        assert names(finished) == ["begun.json"]

    def test_a_file_that_cannot_be_read_just_now_stays(self, finished, monkeypatch):
        opened = Path.open

        def broken(path, *given, **more):
            if path.name == "queue.txt":
                raise OSError(5, "Input/output error", str(path))
            return opened(path, *given, **more)

        monkeypatch.setattr(Path, "open", broken)
        with pytest.raises(UnreadableError, match="Input/output error"):
            finished.verified()
        assert names(finished) == ["begun.json", "queue.txt", MARK]
