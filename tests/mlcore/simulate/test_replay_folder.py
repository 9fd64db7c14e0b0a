"""Reading a folder of real galaxies: what is kept, what is left out, and why."""

import pytest

from mlcore.errors import CancelledError, CatalogueError
from mlcore.simulate.replay_folder import read_labelled_folder, slug_of
from tests.mlcore.simulate.replay_galaxies import HEADING, draw_folder, write_labels


class TestGoodRows:
    def test_are_read_in_order_whatever_the_columns_are_called(self, tmp_path):
        found = read_labelled_folder(draw_folder(tmp_path / "My Galaxies", 4))
        assert [each.id_str for each in found.galaxies] == ["g0", "g1", "g2", "g3"]
        assert [each.class_slug for each in found.galaxies] == ["round", "bar", "round", "bar"]
        assert found.galaxies[2].image == tmp_path / "My Galaxies" / "images" / "2.png"
        assert found.name == "My Galaxies"
        assert found.class_column == "Shape"
        assert found.classes == ("bar", "round")
        assert found.rejected == ()

    def test_further_columns_and_blank_lines_are_ignored(self, tmp_path):
        draw_folder(tmp_path, 2)
        text = "id,class,file,ra\ng0,a,images/0.png,12\n\n g1 , b ,images/1.png\n"
        (tmp_path / "labels.csv").write_text("\ufeff" + text, encoding="utf-8")
        found = read_labelled_folder(tmp_path)
        assert [each.id_str for each in found.galaxies] == ["g0", "g1"]
        assert found.classes == ("a", "b")

    def test_progress_ends_at_one(self, tmp_path):
        said = []
        read_labelled_folder(
            draw_folder(tmp_path / "f", 3), on_progress=lambda *given: said.append(given)
        )
        assert said[-1][1:] == (1.0, "3 of 3 images read")


class TestRejectedRows:
    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            (["", "Bar", "images/0.png"], "id must not be empty"),
            (["g0", "Bar", "images/1.png"], "id must be unique"),
            (["new", "??", "images/0.png"], "class must have a letter from a to z or a digit"),
            (["new", "Bar"], "at least 3 columns, has 2"),
            (["new", "Bar", "../secret.png"], "must be inside the folder"),
            (["new", "Bar", "images/none.png"], "missing: "),
            (["new", "Bar", "images"], "missing: "),
            (["new", "Bar", "nowhere/none.png"], "missing: "),
            (["new", "Bar", "labels.csv"], "not-an-image: "),
            (["new", "Bar", "images/cut.png"], "truncated: "),
        ],
    )
    def test_are_reported_with_line_and_reason_and_the_others_kept(self, row, reason, tmp_path):
        folder = draw_folder(tmp_path / "f", 3, [row])
        whole = (folder / "images" / "0.png").read_bytes()
        (folder / "images" / "cut.png").write_bytes(whole[: len(whole) // 2])
        found = read_labelled_folder(folder)
        assert len(found.galaxies) == 3
        (rejected,) = found.rejected
        assert (rejected.line, rejected.id_str) == (5, row[0])
        assert reason in rejected.reason

    def test_are_in_the_files_order(self, tmp_path):
        rows = [["a", "Bar", "images/none.png"], ["", "Bar", "x"], ["b", "Bar", "none"]]
        found = read_labelled_folder(draw_folder(tmp_path / "f", 2, rows))
        assert [row.line for row in found.rejected] == [4, 5, 6]


class TestUnusableFolder:
    def test_no_file(self, tmp_path):
        with pytest.raises(CatalogueError, match=r"labels\.csv must be a CSV file"):
            read_labelled_folder(tmp_path)

    @pytest.mark.parametrize("text", ["", "id,class\n1,a\n"])
    def test_too_few_columns(self, text, tmp_path):
        (tmp_path / "labels.csv").write_text(text)
        with pytest.raises(CatalogueError, match="at least 3 columns"):
            read_labelled_folder(tmp_path)

    @pytest.mark.parametrize("content", [b"a,b,c\n\xff\xfe,1,2\n", b'a,b,c\n"open,1,2\n'])
    def test_not_csv_in_utf8(self, content, tmp_path):
        (tmp_path / "labels.csv").write_bytes(content)
        with pytest.raises(CatalogueError, match="must be a CSV file in UTF-8"):
            read_labelled_folder(tmp_path)

    def test_classes_that_would_become_one(self, tmp_path):
        draw_folder(tmp_path / "f", 2)
        rows = [["g0", "1", "images/0.png"], ["g1", "-1", "images/1.png"]]
        write_labels(tmp_path / "f", [HEADING, *rows])
        with pytest.raises(CatalogueError, match="'1' and '-1' do not"):
            read_labelled_folder(tmp_path / "f")

    def test_a_stop(self, tmp_path):
        with pytest.raises(CancelledError):
            read_labelled_folder(draw_folder(tmp_path / "f", 2), should_stop=lambda: True)


@pytest.mark.parametrize(
    ("text", "slug"), [("Edge On", "edge-on"), ("don't know", "don-t-know"), ("?!", ""), ("1", "1")]
)
def test_slugs(text, slug):
    assert slug_of(text) == slug
