"""Old labels against another survey's predictions, from the command line."""

import csv
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import MaskedColumn, Table
from django.core.management import CommandError, call_command

from lenticular.operations.label_tables import LabelTable

ANSWERS = ("smooth", "disk")


@pytest.fixture
def tables(tmp_path):
    """Two hundred labels, of which two contradict the better images, and a tree."""
    answers = [{"slug": each, "text": {"en": each}} for each in ANSWERS]
    question = {"slug": "shape", "text": {"en": "Shape?"}, "answers": answers}
    tree = {"slug": "t", "name": "T", "start": "shape", "questions": [question]}
    (tmp_path / "tree.json").write_text(json.dumps(tree))
    rng, truth = np.random.default_rng(0), np.arange(200) % 2
    label = np.where(np.isin(np.arange(200), (10, 31)), 1 - truth, truth)
    ra = np.arange(200) * 0.01
    with (tmp_path / "labels.csv").open("w") as file:
        file.write("id,label,ra,dec\n")
        file.writelines(f"g{i},{ANSWERS[label[i]]},{ra[i]:.6f},2.0\n" for i in range(200))
    with (tmp_path / "new.csv").open("w") as file:
        file.write("id,ra,dec,shape_smooth,shape_disk\n")
        for i in rng.permutation(199):
            disk = 0.998 if truth[i] else 0.002
            file.write(f"g{i},{ra[i] + 1e-5:.6f},2.0,{1 - disk:.3f},{disk:.3f}\n")
    return tmp_path


def run(folder, *options, new="new.csv", labels="labels.csv"):
    call_command(
        "check_labels", folder / labels, folder / new,
        "--tree", folder / "tree.json", "--out", folder / "out.csv", *options,
    )  # fmt: skip
    with (folder / "out.csv").open() as file:
        return list(csv.DictReader(file))


def test_ids_of_18_digits_beside_a_blank_one_stay_as_they_are(tmp_path):
    whole, blank = 587722952767439451, ""
    labels = {"id": [whole, 3, None], "label": ["a", "b", None]}
    pq.write_table(pa.table(labels), tmp_path / "some.parquet")
    masked = MaskedColumn([whole, 3, 0], mask=[False, False, True])
    Table({"id": masked, "label": ["a", "b", ""]}).write(tmp_path / "some.fits")
    for name in ("some.parquet", "some.fits"):
        found = LabelTable.read(tmp_path / name, ["label"])
        assert found.ids == [str(whole), "3", blank]
        assert found.texts("label") == ["a", "b", blank]


@pytest.mark.parametrize("options", [(), ("--radius", "1.0")])
def test_lists_the_labels_to_doubt(tables, options, capsys):
    found = run(tables, *options)
    assert {row["id"] for row in found[:2]} == {"g10", "g31"}
    assert all(float(row["q_value"]) <= 0.1 for row in found)
    assert "volunteers said" in found[0]["reason"]
    assert f"199 of 200 matched, {len(found)} to doubt" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("labels.csv", "label", "class", "labels.csv must have the column 'label', has not"),
        ("labels.csv", "g3,disk", "g3,ring", "label must be one of smooth, disk, is 'ring'"),
        (
            "new.csv",
            "shape_disk",
            "disk",
            "a column for each answer .* .shape_smooth, shape_disk",
        ),
        ("new.csv", "id,", "name,", "new.csv must have the column 'id', has not"),
        ("new.csv", "0.998", "most", "shape_smooth, shape_disk of new.csv must hold numbers"),
        ("new.csv", "0.998", "1.998", "fractions from 0 to 1 .* are shape_.* 1.998"),
        ("new.csv", "0.998", "0.898", "that add up to 1"),
        ("new.csv", "0.998", "", "that add up to 1"),
        ("new.csv", "g5,", "g6,", "others must be unique, 1 are repeated"),
    ],
)
def test_bad_tables_are_refused(tables, file, old, new, message):
    text = (tables / file).read_text()
    (tables / file).write_text(text.replace(old, new, 1))
    with pytest.raises(CommandError, match=message):
        run(tables)


@pytest.mark.parametrize("new", ["new.csv", "new.parquet", "new.fits"])
def test_a_table_that_is_none_is_refused(tables, new):
    (tables / new).write_text("")
    with pytest.raises(CommandError, match=f"{new} must be a .* table"):
        run(tables, new=new)


def test_a_table_that_breaks_off_is_told(tables):
    with (tables / "new.csv").open("a") as file:
        file.write('"g999,1,2')
    with pytest.raises(CommandError, match=r"new\.csv must be a CSV table"):
        run(tables)


@pytest.mark.parametrize("new", ["none.csv", "none.parquet", "none.fits"])
def test_a_file_that_is_not_there_is_told(tables, new):
    with pytest.raises(CommandError, match=rf"No such file.*{new}|{new}.*No such file"):
        run(tables, new=new)


class TestCatalogue:
    """A release's catalogue: its plain columns are counts of votes."""

    @pytest.fixture
    def catalogue(self, tables):
        """Votes say the opposite of the predictions; the last ten galaxies have none of these."""
        new = pd.read_csv(tables / "new.csv").rename(columns={"id": "id_str"})
        for answer in ANSWERS:
            predicted = new[f"shape_{answer}"].where(new.index < 189)
            new[f"shape_{answer}_predicted"] = predicted.astype(np.float32)
            new[f"shape_{answer}_concentration"] = 7 * predicted.astype(np.float32)
            new[f"shape_{answer}"] = (10 * (1 - new[f"shape_{answer}"])).round().astype(int)
        return new

    @pytest.fixture
    def expected(self, tables):
        return {row["id"] for row in run(tables)}

    @pytest.mark.parametrize("ending", ["csv", "parquet", "fits"])
    def test_is_read_by_its_predictions(self, tables, catalogue, expected, capsys, ending):
        write(catalogue, tables / f"catalogue.{ending}")
        gone = set(catalogue["id_str"][189:])
        for options in ((), ("--radius", "1.0")):
            found = run(tables, *options, new=f"catalogue.{ending}")
            assert {row["id"] for row in found} == expected - gone
            assert "189 of 200 matched" in capsys.readouterr().out

    def test_predictions_of_a_round_are_read_by_their_concentrations(
        self, tables, catalogue, expected
    ):
        shard = catalogue[:189].drop(columns=["shape_smooth_predicted", "shape_disk_predicted"])
        write(shard, tables / "shard-00000.parquet")
        found = run(tables, new="shard-00000.parquet")
        assert {row["id"] for row in found} == expected - set(catalogue["id_str"][189:])
        shard["shape_disk_concentration"] *= 0
        write(shard, tables / "shard-00000.parquet")
        with pytest.raises(CommandError, match="must be finite and above 0"):
            run(tables, new="shard-00000.parquet")

    def test_without_a_model_its_votes_do_not_pass_for_predictions(self, tables, catalogue):
        for name in catalogue.columns[catalogue.columns.str.contains("_predicted")]:
            catalogue[name] = np.nan
        write(catalogue, tables / "catalogue.csv")
        with pytest.raises(CommandError, match="must have predictions in shape_smooth_predicted"):
            run(tables, new="catalogue.csv")

    def test_votes_alone_are_refused(self, tables, catalogue):
        votes = catalogue[["id_str", "shape_smooth", "shape_disk"]]
        write(votes, tables / "votes.csv")
        with pytest.raises(CommandError, match="counts of votes are none"):
            run(tables, new="votes.csv")

    def test_labels_may_have_its_ids_too(self, tables, catalogue):
        labels = pd.read_csv(tables / "labels.csv").rename(columns={"id": "id_str"})
        labels.loc[0, "label"] = None
        write(labels, tables / "labels.parquet")
        write(catalogue, tables / "catalogue.csv")
        assert run(tables, new="catalogue.csv", labels="labels.parquet")

    def test_ids_that_nowhere_meet_are_told(self, tables, catalogue):
        catalogue["id_str"] = "sdss:" + catalogue["id_str"]
        write(catalogue, tables / "catalogue.csv")
        with pytest.raises(CommandError, match="none is: the first ids are 'g0' and 'sdss:g"):
            run(tables, new="catalogue.csv")


def write(table, path):
    """Write a table in the form that its name says."""
    if path.suffix == ".fits":
        Table.from_pandas(table).write(path)
    elif path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)


def test_a_bad_rate_or_radius_is_refused(tables):
    with pytest.raises(CommandError, match="false_discovery_rate must be above 0"):
        run(tables, "--rate", "0")
    with pytest.raises(CommandError, match="radius_arcsec must be"):
        run(tables, "--radius", "-1")
