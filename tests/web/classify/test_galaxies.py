"""Votes beside the machine's prediction, where the current model speaks of the same questions."""

import re
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lenticular.classify.galaxies import votes_of_galaxy
from lenticular.rounds import workspace
from lenticular.rounds.models import Round, RoundState, TrainedModel
from lenticular.rounds.selectors import prediction_id
from lenticular.subjects.models import Subject
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
    universe.round = round_
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


@pytest.fixture
def compared(predicted, universe):
    """The same, with three galaxies that look like it: two of the volunteer's, and a stranger."""
    theirs = [each.classification.subject for each in universe.recorded[1:3]]
    seen = {each.classification.subject_id for each in universe.recorded}
    stranger = next(each for each in universe.subjects if each.pk not in seen)
    universe.alike = [*theirs, stranger]
    write_neighbours(universe, {predicted: [*universe.alike, None]})
    return predicted


def write_neighbours(universe, alike, name="shard-00000.parquet"):
    folder = workspace.stage_folder(universe.round, "acquire").path / "neighbours"
    folder.mkdir(parents=True, exist_ok=True)
    names = [
        [(each and prediction_id(each)) or "drawn:gone" for each in row] for row in alike.values()
    ]
    columns = {"id_str": [prediction_id(each) for each in alike], "neighbour": names}
    pq.write_table(pa.table(columns), folder / name)


def similar(subject, volunteer=None, *, sees_all=False):
    (votes,) = votes_of_galaxy(subject=subject, volunteer=volunteer, sees_all=sees_all)
    return votes.similar


def test_what_looks_alike_comes_nearest_first_without_what_is_gone(compared, universe):
    found = similar(compared, sees_all=True)
    assert [each.subject for each in found] == universe.alike
    assert all(each.image for each in found)


def test_an_unseen_galaxy_among_them_shows_just_its_picture(compared, universe):
    words = [each.words for each in similar(compared, universe.volunteer)]
    assert all(words[:2])
    assert words[2] == ""


def test_an_expert_is_told_of_all_that_have_votes(compared, universe):
    universe.alike[2:] = [universe.recorded[-1].classification.subject]
    write_neighbours(universe, {compared: universe.alike})
    assert [bool(each.words) for each in similar(compared, sees_all=True)] == [True] * 3


def test_a_stranger_is_told_of_nothing_alike(compared, universe, client):
    assert similar(compared, universe.other_anonymous) == []
    html = client.get(f"/galaxies/{compared.pk}/").content.decode()
    assert "look alike" not in html
    for secret in ("tree-bar", 'class="people"', "<table"):
        assert secret not in html


def test_the_page_shows_tree_tables_and_what_looks_alike(compared, client_of, universe):
    html = client_of("volunteer").get(f"/galaxies/{compared.pk}/").content.decode()
    for shown in ("tree-bar", 'class="flow"', "<table", "look alike", 'class="sky-mark"'):
        assert shown in html
    assert not re.search(r'\sstyle="', html)
    assert "NaN" not in html
    assert "nan" not in re.findall(r'<path class="flow" d="([^"]*)"', html)[0]


def test_a_round_from_before_comparisons_shows_none(predicted, client_of):
    assert similar(predicted, sees_all=True) == []
    assert (
        "look alike" not in client_of("expert").get(f"/galaxies/{predicted.pk}/").content.decode()
    )


def test_a_galaxy_that_was_not_compared_shows_none(predicted, universe):
    write_neighbours(
        universe, {universe.subjects[0]: [universe.subjects[1]]}, "shard-00001.parquet"
    )
    assert predicted != universe.subjects[0]
    assert similar(predicted, sees_all=True) == []


def test_a_model_of_other_questions_knows_nothing_alike(compared, universe):
    publish_version(workflow=universe.workflow, tree=small_tree(slug="new-shapes"))
    assert similar(compared, sees_all=True) == []


def test_a_galaxy_without_a_position_has_no_map(universe, client):
    Subject.objects.filter(pk=universe.subjects[0].pk).update(ra=None, dec=None)
    html = client.get(f"/galaxies/{universe.subjects[0].pk}/").content.decode()
    assert "sky-map" not in html
    assert "SIMBAD" not in html


def test_links_elsewhere_open_without_a_referrer_or_an_opener(universe, client):
    html = client.get(f"/galaxies/{universe.subjects[0].pk}/").content.decode()
    links = re.findall(r'<a href="https://[^"]*"([^>]*)>', html)
    assert len(links) == 3
    assert all('rel="external noopener noreferrer"' in each for each in links)


def test_a_galaxy_that_does_not_exist_is_not_found(client, db):
    assert client.get("/galaxies/999/").status_code == 404


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
