"""The home page: what it tells, to whom, and at what price."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.cache import cache

from lenticular.classify import home
from lenticular.classify.home import asking_now, home_snapshot, mean_doubt
from lenticular.classify.selectors import last_lesson
from lenticular.consensus.models import Retirement
from lenticular.rounds import workspace
from lenticular.rounds.models import Round, RoundState, TrainedModel, Verdict
from lenticular.rounds.selectors import prediction_id
from lenticular.selection.models import QueueEntry
from lenticular.selection.services import QueueRow, publish_queue
from lenticular.workflows.models import Workflow
from lenticular.workflows.services import publish_version
from tests.universe import classify, small_tree

EVALUATION = {
    "questions": {"shape": {"accuracy": 0.84, "rmse": 0.112}},
    "previous": {"questions": {"shape": {"accuracy": 0.79, "rmse": 0.151}}},
}
SURE, UNSURE = (90.0, 2.0), (5.0, 5.0)


@pytest.fixture
def taught(universe):
    """A world whose machine has learned, and is least sure how round the galaxies are."""
    universe.round = Round.objects.create(
        workflow=universe.workflow, version=universe.version, number=3, seed=1, votes=5400,
        code_version="test", state=RoundState.SUCCEEDED, verdict=Verdict.ACCEPTED,
        finished_at="2026-01-01T00:00:00Z", evaluation=EVALUATION,
    )  # fmt: skip
    TrainedModel.objects.create(
        workflow=universe.workflow, round=universe.round, artefacts="x", checksum="m",
        is_current=True,
    )  # fmt: skip
    rows = [
        QueueRow(subject_id=each.pk, priority=100.0 - number, votes_wanted=3, top_answer="")
        for number, each in enumerate(universe.subjects)
    ]
    publish_queue(workflow=universe.workflow, generation=3, rows=rows)
    QueueEntry.objects.update(in_panel=False)
    predict(universe, universe.subjects)
    yield universe
    shutil.rmtree(workspace.local_path("rounds"), ignore_errors=True)


def predict(universe, subjects):
    folder = workspace.stage_folder(universe.round, "predict").path
    folder.mkdir(parents=True, exist_ok=True)
    values = (*SURE, 1.0, *UNSURE)
    columns = dict(zip(universe.tree.label_cols, values, strict=True))
    table = {f"{name}_concentration": [value] * len(subjects) for name, value in columns.items()}
    ids = [prediction_id(each) for each in subjects]
    pq.write_table(pa.table({"id_str": ids, **table}), folder / "shard-00000.parquet")


def test_the_snapshot_counts_votes_and_progress(universe):
    Retirement.objects.create(
        workflow=universe.workflow, subject=universe.subjects[0], reason="vote-count", votes=3
    )
    found = home_snapshot()
    assert found["counts"]["classifications"] == 7
    assert found["counts"]["finished"] == Retirement.objects.count()
    (progress,) = found["workflows"]
    assert progress["retired"] == Retirement.objects.count()
    assert (progress["slug"], progress["queued"]) == ("shapes", 12)


def test_the_snapshot_is_a_second_old_at_most_and_shared(universe, django_assert_num_queries):
    first = home_snapshot()
    classify(universe, universe.other_anonymous)
    with django_assert_num_queries(0):
        assert home_snapshot() == first
    cache.delete("classify:home")
    assert home_snapshot()["counts"]["classifications"] == 8


def test_a_snapshot_costs_few_queries_however_many_votes_there_are(
    universe, django_assert_max_num_queries
):
    home_snapshot()
    cache.delete("classify:home")
    with django_assert_max_num_queries(13):
        home_snapshot()


def test_a_vote_tells_the_page_nothing(universe, monkeypatch):
    """The page looks; no vote waits for it."""
    home_snapshot()
    looked = []
    monkeypatch.setattr(home, "_snapshot", lambda: looked.append(1) or {})
    classify(universe, universe.other_anonymous)
    assert looked == []


def test_a_closed_workflow_is_not_in_progress(universe):
    Workflow.objects.update(is_open=False)
    assert home_snapshot()["workflows"] == []


@pytest.mark.parametrize("role", [None, "volunteer", "expert"])
def test_anyone_may_poll(client_of, universe, role):
    response = client_of(role).get("/live/")
    assert response.json()["counts"]["classifications"] == 7
    assert response["Cache-Control"] == "public, max-age=1"
    assert response.json()["strip"][0]["url"].startswith("/galaxies/")


def test_the_poll_only_reads(client, db):
    assert client.post("/live/").status_code == 405


def test_the_snapshot_names_no_arm_vote_or_opinion(client, taught):
    text = client.get("/live/").content.decode()
    for secret in ("arm", "priority", "smooth", "roundness", "control", "truth", "prediction"):
        assert secret not in text


def test_the_page_says_what_the_last_round_taught(client, taught):
    html = client.get("/").content.decode()
    for said in ("In round 3", "5\u202f400 votes", "79%", "84%", "off by 11.2", "before, by 15.1"):
        assert said in html
    assert "not shown to be as good" not in html


def test_a_refused_round_says_that_the_machine_stays(client, taught):
    Round.objects.update(verdict=Verdict.REFUSED)
    assert "not shown to be as good" in client.get("/").content.decode()


def test_a_round_of_a_tree_of_before_teaches_nothing(client, taught):
    Round.objects.update(verdict=Verdict.OUTDATED)
    assert last_lesson() is None
    assert "In round 3" not in client.get("/").content.decode()


def test_a_first_round_compares_with_nothing(client, taught):
    Round.objects.update(evaluation={**EVALUATION, "previous": None})
    assert last_lesson().accuracy_before is None
    html = client.get("/").content.decode()
    assert "84%" in html
    assert "before, by" not in html


def test_a_round_without_figures_is_told_without_them(client, taught):
    Round.objects.update(evaluation={})
    html = client.get("/").content.decode()
    assert "In round 3" in html
    assert "%" not in html[html.index("In round 3") :].partition("</div>")[0]


def test_before_the_first_round_nothing_is_said_of_the_machine(client, universe):
    assert last_lesson() is None
    assert asking_now(universe.workflow) is None
    assert "What the machine makes of it" not in client.get("/").content.decode()


def test_the_doubt_is_told_of_many_galaxies_together(client, taught):
    found = asking_now(taught.workflow)
    assert found.question == "roundness"
    assert len(found.pictures) == home.PICTURES
    html = client.get("/").content.decode()
    assert "How round is it?" in html
    part = html[html.index("asks about now") :].partition("</ul>")[0]
    assert "<a " not in part
    assert not any(each.external_id in part for each in taught.subjects)


def test_of_too_few_galaxies_no_doubt_is_told(client, taught):
    predict(taught, taught.subjects[: home.FEWEST - 1])
    assert asking_now(taught.workflow).question is None
    html = client.get("/").content.decode()
    assert "How round" not in html
    assert "teaches it most" in html


def test_the_highest_priority_is_pictured_and_neither_panel_nor_retired(taught):
    first, second, third, *_ = taught.subjects
    QueueEntry.objects.filter(subject=first).update(is_retired=True)
    QueueEntry.objects.filter(subject=second).update(in_panel=True)
    pictures = asking_now(taught.workflow).pictures
    assert pictures[0] == third.images.get().url("page")
    for other in (first, second):
        assert other.images.get().url("page") not in pictures


def test_a_model_of_other_questions_asks_nothing(taught):
    publish_version(workflow=taught.workflow, tree=small_tree(slug="new-shapes"))
    taught.workflow.refresh_from_db()
    assert asking_now(taught.workflow) is None


def test_doubt_is_the_entropy_of_each_question_where_it_is_asked():
    tree = small_tree()
    flat = mean_doubt(np.ones((4, 5)), tree)
    assert flat == pytest.approx([1.0, 1 / 3])
    never_smooth = mean_doubt(np.array([[1e-9, 1.0, 1.0, 1.0, 1.0]]), tree)
    assert never_smooth[1] == pytest.approx(0, abs=1e-6)
