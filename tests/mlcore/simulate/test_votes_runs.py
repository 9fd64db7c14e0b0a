"""Seeds are kept once they are done, and run on as many processors as there are."""

import pytest

from mlcore.errors import CancelledError, InvalidInputError
from mlcore.files import read_json
from mlcore.simulate.votes_runs import run_votes_needed
from tests.mlcore.simulate.vote_surveys import make_survey, small_plan

PLAN = small_plan(goal=0.5, first=200)


@pytest.fixture(scope="module")
def survey():
    return make_survey()


def run(survey, seeds, folder, plan=PLAN, **options):
    return run_votes_needed(survey, plan, seeds, folder, **options)


def test_two_processes_find_what_one_does(survey, tmp_path):
    one = run(survey, [3, 4], tmp_path / "one")
    two = run(survey, [3, 4], tmp_path / "two", workers=2)
    assert [result.seed for result in two.results] == [3, 4]
    for left, right in zip(one.results, two.results, strict=True):
        assert left.full_skill == pytest.approx(right.full_skill, rel=1e-3)


def test_a_finished_seed_is_not_run_again(survey, tmp_path):
    first = run(survey, [0], tmp_path)
    (kept,) = tmp_path.iterdir()
    before = kept.stat().st_mtime_ns
    assert run(survey, [0], tmp_path).results == first.results
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("text", ["", "{}", '{"source": "other", "result": {}}', '{"result": 1'])
def test_a_damaged_file_is_done_again(survey, tmp_path, text):
    first = run(survey, [0], tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_text(text)
    assert run(survey, [0], tmp_path).results == first.results
    assert read_json(kept)["result"]["seed"] == 0


def test_another_plan_is_another_file(survey, tmp_path):
    run(survey, [0], tmp_path)
    run(survey, [0], tmp_path, plan=small_plan(goal=0.4, first=200))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_stop_keeps_what_is_done(survey, tmp_path):
    said = []
    with pytest.raises(CancelledError):
        run(
            survey,
            [0, 1],
            tmp_path,
            on_progress=lambda *each: said.append(each),
            should_stop=lambda: True,
        )
    assert len(list(tmp_path.iterdir())) == 1
    assert said[0][2] == "seed 0 done"


def test_says_how_it_was_done(survey, tmp_path):
    document = run(survey, [0], tmp_path).to_dict()
    assert document["tree"] == "tiny"
    assert document["plan"]["pool"] == 120
    assert "sha256" in document["split"]
    assert len(document["population"]) == 3


@pytest.mark.parametrize("seeds", [[], [1, 1], [-1]])
def test_refuses_bad_seeds(survey, tmp_path, seeds):
    with pytest.raises(InvalidInputError, match="seeds must be different"):
        run(survey, seeds, tmp_path)


def test_refuses_no_workers(survey, tmp_path):
    with pytest.raises(InvalidInputError, match="workers must be at least 1, is 0"):
        run(survey, [0], tmp_path, workers=0)
