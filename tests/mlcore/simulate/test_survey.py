import csv

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mlcore.errors import CatalogueError, InvalidInputError
from mlcore.simulate.galaxies import draw_truth
from mlcore.simulate.render import render
from mlcore.simulate.survey import MANIFEST_COLUMNS, draw_survey, external_id, read_truths


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return draw_survey(tmp_path_factory.mktemp("survey"), 12, seed=5, size=32)


def manifest_rows(survey):
    with survey.manifest.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(directory):
    return {
        path.relative_to(directory): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_every_row_of_the_manifest_names_an_image_that_opens(survey):
    rows = manifest_rows(survey)

    assert len(rows) == 12
    assert tuple(rows[0]) == MANIFEST_COLUMNS
    for row in rows:
        with Image.open(survey.manifest.parent / row["file"]) as image:
            assert image.size == (32, 32)
            assert image.format == "JPEG"


def test_images_are_the_galaxies_of_the_truth(survey):
    row, (name, truth) = manifest_rows(survey)[1], list(read_truths(survey.truth))[1]

    assert row["external_id"] == name == external_id(5, 1)
    assert truth == draw_truth(5, 1)
    assert float(row["ra"]) == pytest.approx(truth.ra, abs=1e-5)
    with Image.open(survey.manifest.parent / row["file"]) as image:
        difference = np.asarray(image).astype(float) - render(truth, 32)
    assert np.abs(difference).mean() < 8


def test_the_manifest_tells_nothing_of_a_galaxys_kind(survey):
    text = survey.manifest.read_text(encoding="utf-8")

    for kind in ("smooth", "disk", "artifact", "truth"):
        assert kind not in text


def test_the_same_seed_draws_the_same_survey(survey, tmp_path):
    draw_survey(tmp_path, 12, seed=5, size=32)

    assert contents(tmp_path) == contents(survey.manifest.parent)


def test_an_interrupted_survey_goes_on_to_the_same_end(survey, tmp_path):
    class StoppedError(Exception):
        pass

    def stop_half_way(stage, fraction, message):
        if fraction >= 0.5:
            raise StoppedError

    with pytest.raises(StoppedError):
        draw_survey(tmp_path, 12, seed=5, size=32, on_progress=stop_half_way)
    half = len(list((tmp_path / "images").iterdir()))
    draw_survey(tmp_path, 12, seed=5, size=32)

    assert half == 6
    assert contents(tmp_path) == contents(survey.manifest.parent)


def test_what_is_there_is_not_drawn_again_and_a_larger_survey_adds_to_it(tmp_path):
    draw_survey(tmp_path, 3, seed=1, size=16)
    first = tmp_path / "images" / f"{external_id(1, 0)}.jpg"
    first.write_bytes(b"kept")

    files = draw_survey(tmp_path, 5, seed=1, size=16)

    assert first.read_bytes() == b"kept"
    assert len(manifest_rows(files)) == len(list(read_truths(files.truth))) == 5


def test_progress_runs_up_to_1(tmp_path):
    heard = []
    draw_survey(tmp_path, 4, seed=0, size=16, on_progress=lambda *event: heard.append(event))

    assert [fraction for _, fraction, _ in heard] == [0.25, 0.5, 0.75, 1.0]
    assert heard[-1] == ("draw", 1.0, "4 of 4 galaxies drawn")


def test_a_directory_with_another_survey_is_left_alone(tmp_path):
    draw_survey(tmp_path, 2, seed=0, size=16)
    before = contents(tmp_path)

    with pytest.raises(InvalidInputError, match="directory must be empty or hold the survey"):
        draw_survey(tmp_path, 2, seed=1, size=16)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("n", "seed", "size", "message"),
    [
        (0, 0, 32, "n must be at least 1, is 0"),
        (1, -1, 32, "seed must be at least 0, is -1"),
        (1, 0, 8, "size must be from 16 to 1024, is 8"),
    ],
)
def test_bad_numbers_are_refused_before_anything_is_written(tmp_path, n, seed, size, message):
    with pytest.raises(InvalidInputError, match=message):
        draw_survey(tmp_path / "survey", n, seed, size=size)
    assert not (tmp_path / "survey").exists()


def test_a_missing_or_foreign_truth_table_is_refused(tmp_path):
    foreign = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"a": [1]}), foreign)
    words = tmp_path / "words.parquet"
    words.write_text("no table")

    for path in (tmp_path / "none.parquet", words):
        with pytest.raises(CatalogueError, match="path must be a truth table"):
            list(read_truths(path))
    with pytest.raises(CatalogueError, match="must have the columns of GalaxyTruth"):
        list(read_truths(foreign))
