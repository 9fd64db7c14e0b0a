"""Old labels against another survey's predictions, from the command line."""

import csv
import json

import numpy as np
import pytest
from django.core.management import CommandError, call_command

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


def run(folder, *options):
    call_command(
        "check_labels", folder / "labels.csv", folder / "new.csv",
        "--tree", folder / "tree.json", "--out", folder / "out.csv", *options,
    )  # fmt: skip
    with (folder / "out.csv").open() as file:
        return list(csv.DictReader(file))


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
        ("new.csv", "shape_disk", "disk", "the columns shape_smooth, shape_disk must be there"),
        ("new.csv", "g5,", "g6,", "others must be unique, 1 are repeated"),
    ],
)
def test_bad_tables_are_refused(tables, file, old, new, message):
    text = (tables / file).read_text()
    (tables / file).write_text(text.replace(old, new, 1))
    with pytest.raises(CommandError, match=message):
        run(tables)


def test_a_table_that_is_none_is_refused(tables):
    (tables / "new.csv").write_text("")
    with pytest.raises(CommandError, match=r"new\.csv must be a CSV table"):
        run(tables)


def test_a_bad_rate_or_radius_is_refused(tables):
    with pytest.raises(CommandError, match="false_discovery_rate must be above 0"):
        run(tables, "--rate", "0")
    with pytest.raises(CommandError, match="radius_arcsec must be"):
        run(tables, "--radius", "-1")
