from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.catalogue import TrainingCatalogue, hash_split
from mlcore.errors import CatalogueError, InvalidInputError
from mlcore.tree import DecisionTree

TREE = DecisionTree.from_file(Path(__file__).parents[2] / "fixtures" / "trees" / "yes-no.json")
COLS = ("ring_yes", "ring_no")


def catalogue(ids=("007", "b,c"), votes=((1, 0), (0, 3)), **changes):
    fields = {
        "id_str": tuple(ids),
        "file_loc": tuple(f"images/{name}.jpg" for name in ids),
        "counts": np.reshape(votes, (len(ids), 2)),
        "label_cols": COLS,
    }
    return TrainingCatalogue(**(fields | changes))


class TestFiles:
    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    @pytest.mark.parametrize("ids", [("007", "b,c"), (), ('say "hi"', "星系", "a\nb")])
    def test_a_catalogue_survives_the_round_trip(self, tmp_path, suffix, ids):
        written = catalogue(ids, np.arange(2 * len(ids)))
        path = tmp_path / f"catalogue.{suffix}"
        getattr(written, f"write_{suffix}")(path)
        read = TrainingCatalogue.read(path, TREE)
        assert read.id_str == written.id_str
        assert read.file_loc == written.file_loc
        assert np.array_equal(read.counts, written.counts)
        assert read.checksum == written.checksum
        assert [p.name for p in tmp_path.iterdir()] == [path.name]

    def test_many_rows_are_written_in_several_batches(self, tmp_path):
        ids = [f"{n}" for n in range(25_001)]
        written = catalogue(ids, np.arange(2 * len(ids)))
        written.write_parquet(tmp_path / "c.parquet")
        written.write_csv(tmp_path / "c.csv")
        for name in ("c.parquet", "c.csv"):
            assert np.array_equal(
                TrainingCatalogue.read(tmp_path / name, TREE).counts, written.counts
            )

    def test_the_csv_is_zoobots_and_zeros_are_written(self, tmp_path):
        catalogue().write_csv(tmp_path / "c.csv")
        assert (tmp_path / "c.csv").read_text() == (
            'id_str,file_loc,ring_yes,ring_no\n007,images/007.jpg,1,0\n"b,c","images/b,c.jpg",0,3\n'
        )

    def test_columns_may_be_in_any_order_with_others_between(self, tmp_path):
        (tmp_path / "c.csv").write_text("ring_no,z,file_loc,ring_yes,id_str\n4.0,?,f,2,a\n")
        read = TrainingCatalogue.read_csv(tmp_path / "c.csv", TREE)
        assert read.counts.tolist() == [[2, 4]]
        assert read.id_str == ("a",)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "must have the column 'id_str' once, has it 0 times"),
            ("id_str,file_loc,ring_yes\n", "'ring_no' once, has it 0 times"),
            ("id_str,file_loc,ring_yes,ring_no,ring_no\n", "'ring_no' once, has it 2 times"),
            ("id_str,file_loc,ring_yes,ring_no\na,f,1,\n", "votes of 'a' must be numbers, is ''"),
            ("id_str,file_loc,ring_yes,ring_no\na,f,1,x\n", "votes of 'a' must be numbers, is 'x'"),
            ("id_str,file_loc,ring_yes,ring_no\na,f,1,nan\n", "ring_no of 'a' must be a whole"),
            ("id_str,file_loc,ring_yes,ring_no\na,f,1,-2\n", "ring_no of 'a' .* is -2"),
            ("id_str,file_loc,ring_yes,ring_no\na,f,1\n", "must have 4 cells, has 3"),
            ("id_str,file_loc,ring_yes,ring_no\n,f,1,2\n", "id_str of row 0 must be words"),
            ("id_str,file_loc,ring_yes,ring_no\na,,1,2\n", "file_loc of row 0 must be words"),
            ("id_str,file_loc,ring_yes,ring_no\na,f,1,2\na,g,1,2\n", "'a' must be there once"),
        ],
    )
    def test_a_broken_csv_is_refused_by_name(self, tmp_path, text, message):
        (tmp_path / "c.csv").write_text(text)
        with pytest.raises(CatalogueError, match=message):
            TrainingCatalogue.read(tmp_path / "c.csv", TREE)

    def test_a_blank_in_parquet_is_refused(self, tmp_path):
        frame = catalogue().to_frame().astype({"ring_no": "float"})
        frame.loc[1, "ring_no"] = None
        frame.to_parquet(tmp_path / "c.parquet")
        with pytest.raises(CatalogueError, match="ring_no of 'b,c'"):
            TrainingCatalogue.read(tmp_path / "c.parquet", TREE)

    def test_words_for_counts_in_parquet_are_refused(self, tmp_path):
        catalogue().to_frame().astype({"ring_no": "string"}).to_parquet(tmp_path / "c.parquet")
        with pytest.raises(CatalogueError, match="counts must be numbers"):
            TrainingCatalogue.read(tmp_path / "c.parquet", TREE)

    def test_what_is_not_parquet_is_refused(self, tmp_path):
        (tmp_path / "c.parquet").write_text("id_str")
        with pytest.raises(CatalogueError, match="must be a Parquet file"):
            TrainingCatalogue.read(tmp_path / "c.parquet", TREE)

    def test_another_ending_is_refused(self):
        with pytest.raises(CatalogueError, match=r"must end in \.csv or \.parquet"):
            TrainingCatalogue.read("c.txt", TREE)


class TestContent:
    def test_the_checksum_does_not_see_the_order_of_rows(self):
        assert catalogue().checksum == catalogue().take([1, 0]).checksum

    @pytest.mark.parametrize(
        "other",
        [
            catalogue(("008", "b,c")),
            catalogue(votes=((1, 0), (0, 4))),
            catalogue(file_loc=("x", "y")),
            catalogue(label_cols=("ring_yes", "ring_maybe")),
            catalogue().take([0]),
        ],
    )
    def test_the_checksum_sees_any_other_change(self, other):
        assert other.checksum != catalogue().checksum

    def test_rows_are_taken_by_mask_or_index(self):
        assert catalogue().take([False, True]).id_str == catalogue().take([1]).id_str == ("b,c",)
        assert len(catalogue().take([])) == 0

    def test_the_frame_is_zoobots(self):
        expected = {
            "id_str": ["007"],
            "file_loc": ["images/007.jpg"],
            "ring_yes": [1],
            "ring_no": 0,
        }
        pd.testing.assert_frame_equal(catalogue().take([0]).to_frame(), pd.DataFrame(expected))

    def test_counts_cannot_be_changed(self):
        with pytest.raises(ValueError, match="read-only"):
            catalogue().counts[0, 0] = 5

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"counts": np.array([[1, 0]])}, "counts must have the shape"),
            ({"counts": np.array([[1, 0], [0, 0.5]])}, "ring_no of 'b,c' .* is 0.5"),
            ({"counts": np.array([[1, 0], [0, np.inf]])}, "ring_no of 'b,c' .* is inf"),
            ({"file_loc": ("one",)}, "file_loc must have 2 rows, has 1"),
            ({"label_cols": ("ring_no", "ring_no")}, "label_cols 'ring_no' must be there once"),
            ({"id_str": (7, "a")}, "id_str of row 0 must be words, is 7"),
        ],
    )
    def test_impossible_content_is_refused_by_name(self, changes, message):
        with pytest.raises(CatalogueError, match=message):
            catalogue(**changes)


class TestHashSplit:
    SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}

    def test_the_parts_are_as_large_as_their_shares(self):
        parts = hash_split([f"g{n}" for n in range(20_000)], self.SHARES, "salt")
        for name, share in self.SHARES.items():
            assert (parts == name).mean() == pytest.approx(share, abs=0.015)

    @given(st.lists(st.text(min_size=1), unique=True), st.randoms())
    def test_a_galaxys_part_depends_on_nothing_but_its_id(self, ids, random):
        parts = dict(zip(ids, hash_split(ids, self.SHARES, "s"), strict=True))
        random.shuffle(ids)
        half = ids[: len(ids) // 2]
        assert [parts[name] for name in half] == list(hash_split(half, self.SHARES, "s"))

    def test_it_is_the_same_on_every_machine(self):
        assert hash_split(["a", "b", "c", "g"], self.SHARES, "s").tolist() == EXPECTED

    def test_another_salt_splits_anew(self):
        ids = [f"g{n}" for n in range(200)]
        assert (hash_split(ids, self.SHARES, "x") != hash_split(ids, self.SHARES, "y")).any()

    def test_a_part_may_be_empty(self):
        assert set(hash_split(["a", "b"], {"none": 0, "all": 1}, "s")) == {"all"}

    @pytest.mark.parametrize("shares", [{}, {"a": -1, "b": 2}, {"a": 0.5}, {"a": np.nan}])
    def test_impossible_shares_are_refused(self, shares):
        with pytest.raises(InvalidInputError, match="shares must"):
            hash_split(["a"], shares, "s")


# sha256 of "s\n<id>" begins with 009f, cd85, a953 and bc28: 0.00, 0.80, 0.66 and 0.73.
EXPECTED = ["train", "test", "train", "validation"]
