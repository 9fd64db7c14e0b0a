"""Votes beside the machine's prediction, where the current model speaks of the same questions."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lenticular.classify.galaxies import votes_of_galaxy
from lenticular.classify.selectors import last_lesson
from lenticular.rounds import workspace
from lenticular.rounds.models import Round, RoundState, TrainedModel
from lenticular.rounds.selectors import prediction_id
from lenticular.workflows.services import publish_version
from tests.universe import small_tree

CONCENTRATIONS = {
    "shape_smooth": 6.0,
    "shape_featured": 3.0,
    "shape_artifact": 1.0,
    "roundness_round": 4.0,
    "roundness_elongated": 4.0,
}


@pytest.fixture
def predicted(universe):
    """A model that predicts the first classified galaxy."""
    subject = universe.recorded[0].classification.subject
    round_ = Round.objects.create(
        workflow=universe.workflow, version=universe.version, number=1, seed=1, votes=7,
        code_version="test", state=RoundState.SUCCEEDED, finished_at="2026-01-01T00:00:00Z",
        evaluation={"questions": {"shape": {"accuracy": 0.84}}},
    )  # fmt: skip
    TrainedModel.objects.create(
        workflow=universe.workflow, round=round_, artefacts="x", checksum="m", is_current=True
    )
    folder = workspace.stage_folder(round_, "predict").path
    folder.mkdir(parents=True)
    values = {f"{name}_concentration": [value] for name, value in CONCENTRATIONS.items()}
    table = pa.table({"id_str": [prediction_id(subject)], **values})
    pq.write_table(table, folder / "shard-00000.parquet")
    yield subject
    shutil.rmtree(workspace.local_path("rounds"), ignore_errors=True)


def test_the_prediction_stands_beside_the_votes(predicted):
    (votes,) = votes_of_galaxy(subject=predicted, volunteer=None, sees_all=True)
    assert votes.has_prediction
    shape = votes.questions[0]
    assert [answer.predicted for answer in shape.answers] == pytest.approx([60, 30, 10])
    for answer in shape.answers:
        assert answer.low < answer.predicted < answer.high
        assert answer.spread == pytest.approx(answer.high - answer.low)


def test_the_page_draws_the_prediction(client_of, predicted):
    html = client_of("expert").get(f"/galaxies/{predicted.pk}/").content.decode()
    assert "the machine expects 60%" in html


def test_a_model_of_other_questions_is_silent(predicted, universe):
    publish_version(workflow=universe.workflow, tree=small_tree(slug="new-shapes"))
    (votes,) = votes_of_galaxy(subject=predicted, volunteer=None, sees_all=True)
    assert not votes.has_prediction
    assert votes.questions == []


def test_questions_that_nobody_was_asked_are_left_out(universe):
    featured = next(
        recorded.classification.subject
        for recorded in universe.recorded
        if recorded.classification.annotations == [["shape", "featured"]]
    )
    (votes,) = votes_of_galaxy(subject=featured, volunteer=None, sees_all=True)
    assert all(question.total > 0 for question in votes.questions)


def test_a_stranger_sees_no_numbers_at_all(predicted, universe):
    (votes,) = votes_of_galaxy(
        subject=predicted, volunteer=universe.other_anonymous, sees_all=False
    )
    assert (votes.questions, votes.classifications, votes.retirement) == (None, 0, "")


def test_the_home_page_tells_what_the_last_round_taught(client, predicted):
    assert last_lesson().accuracy == 0.84
    html = client.get("/").content.decode()
    assert "learned from 7 votes" in html
    assert "84%" in html
