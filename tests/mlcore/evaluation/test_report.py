"""The document of an evaluation, and its tables."""

import json

import numpy as np
import pytest

from mlcore.calibration import IDENTITY, Calibration, QuestionCalibration
from mlcore.errors import InvalidInputError
from mlcore.evaluation.details import detail
from mlcore.evaluation.figures import evaluate
from mlcore.evaluation.report import HEADING, evaluation_report, question_rows
from tests.mlcore.evaluation.simulated import simulated


@pytest.fixture
def made(handed_tree):
    """Return a function that makes the document of forty galaxies under a calibration."""

    def make(calibration=IDENTITY):
        counts, a = simulated(np.random.default_rng(0), n=40)
        result = {
            **evaluate(counts, a, handed_tree).to_dict(),
            "previous": None,
            "comparison": None,
            "verdict": "the first",
        }
        ids = [f"s:{row}" for row in range(40)]
        return evaluation_report(result, detail(ids, counts, a, handed_tree, seed=0), calibration)

    return make


def test_holds_the_figures_and_what_lies_behind_them(made):
    found = json.loads(json.dumps(made(), allow_nan=False))
    assert (found["format"], found["n"], found["verdict"]) == (1, 40, "the first")
    shape = found["questions"]["shape"]
    assert shape["votes"] == 800
    assert shape["answers"] == ["round", "spiral"]
    assert [each["level"] for each in shape["coverage"]] == found["rules"]["coverage_levels"]
    assert shape["calibration"] is None


def test_says_how_the_concentrations_were_scaled(made):
    fitted = QuestionCalibration(0.5, 30, 400, 0.01, network=0.4, lookalikes=0.7)
    found = made(Calibration({"shape": fitted}))["questions"]["shape"]["calibration"]
    fit = {"scale": 0.5, "galaxies": 30, "votes": 400, "gain": 0.01}
    assert found == fit | {"network": 0.4, "lookalikes": 0.7}


def test_a_table_has_every_number_of_its_question(made):
    document = made(Calibration({"shape": QuestionCalibration(0.5, 30, 400, 0.01)}))
    rows = [dict(zip(HEADING, row, strict=True)) for row in question_rows(document, "shape")]
    shape = document["questions"]["shape"]
    by_name = {(row["part"], row["name"]): row for row in rows}
    assert by_name["figure", "rmse"]["value"] == shape["rmse"]
    assert by_name["figure", "rmse"]["low"] == shape["rmse_low"]
    assert by_name["coverage", "0.9"]["value"] == shape["coverage"][-1]["covered"]
    assert by_name["calibration", "scale"]["value"] == 0.5
    confusion = [row["value"] for row in rows if row["part"] == "confusion"]
    assert sum(confusion) == 800
    worst = [row["name"] for row in rows if row["part"] == "worst"]
    assert worst == [each["id_str"] for each in shape["worst"]]
    assert len([row for row in rows if row["part"] == "reliability"]) == len(shape["reliability"])


def test_a_question_without_votes_has_blanks(made):
    rows = {row[2]: row for row in question_rows(made(), "winding")}
    assert rows["accuracy"] == ("winding", "figure", "accuracy", None, None, None, 0, 0.0)


def test_a_question_of_another_tree_is_refused(made):
    with pytest.raises(InvalidInputError, match=r"must be one of .*, is 'colour'"):
        list(question_rows(made(), "colour"))
