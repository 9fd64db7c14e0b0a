"""Spot checks in a browser: drawn by an expert, judged by keys, and told as a share."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect

from lenticular.review.services import record_verdict
from lenticular.rounds import workspace
from lenticular.rounds.models import MislabelFlag, Round, RoundState, TrainedModel, Verdict
from lenticular.rounds.selectors import prediction_id
from tests.browser import looking

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION, FLAGGED = "smooth-or-featured", 2
SMOOTH = {"smooth": 0.8, "featured-or-disk": 0.2, "artifact": 0.0}
FEATURED = {"smooth": 0.1, "featured-or-disk": 0.85, "artifact": 0.05}


@pytest.fixture
def judged(sky):
    """A round that judged every galaxy and flagged two, without the hours of training."""
    version = sky.workflow.current_version
    round_ = Round.objects.create(
        workflow=sky.workflow, version=version, number=1, seed=1, code_version="test",
        state=RoundState.SUCCEEDED, verdict=Verdict.ACCEPTED,
    )  # fmt: skip
    TrainedModel.objects.create(
        workflow=sky.workflow, round=round_, artefacts="x", checksum="m", is_current=True
    )
    folder = workspace.stage_folder(round_, "flag")
    folder.begin({})
    _write_list(sky, folder.path / "mislabels.parquet")
    folder.finish({}, {"judged": len(sky.subjects), "flagged": FLAGGED})
    for rank, subject in enumerate(sky.subjects[:FLAGGED], start=1):
        MislabelFlag.objects.create(
            round=round_, subject=subject, question=QUESTION, rank=rank, p_value=0.001 * rank,
            q_value=0.02 * rank, observed=SMOOTH, expected=FEATURED, reason="",
        )  # fmt: skip
    yield round_
    shutil.rmtree(workspace.local_path("rounds"), ignore_errors=True)


def _write_list(sky, path):
    n = len(sky.subjects)
    fractions = pa.map_(pa.string(), pa.float64())
    columns = {
        "id_str": [prediction_id(subject) for subject in sky.subjects],
        "question": [QUESTION] * n,
        "p_value": [(rank + 1) / (n + 1) for rank in range(n)],
        "q_value": [0.9] * n,
        "flagged": [rank < FLAGGED for rank in range(n)],
        "observed": pa.array([list(SMOOTH.items())] * n, fractions),
        "expected": pa.array([list(SMOOTH.items())] * n, fractions),
        "reason": [""] * n,
    }
    pq.write_table(pa.table(columns), path)


def test_an_expert_draws_judges_and_reads_the_share(open_page, sign_in, sky, judged):
    page = open_page("/", reduced_motion="reduce")
    sign_in(page, sky.expert)

    page.goto("/review/")
    expect(page.get_by_text("0 of 2 reviewed")).to_be_visible()
    page.get_by_text("Draw spot checks", exact=True).click()
    assert looking.look(page, "spot-checks-not-drawn", keeps=False) == []

    page.get_by_role("button", name="Draw them now").click()
    expect(page.get_by_text("0 of 16 reviewed")).to_be_visible()
    expect(page.locator("#light-table .card")).to_have_count(16)
    assert looking.look(page, "spot-checks-drawn", keeps=False) == []

    page.locator("#light-table .card").first.click()
    expect(page.get_by_text("Drawn at random, to count wrong labels")).to_be_visible()
    assert looking.look(page, "spot-checks-one", keeps=False) == []
    with page.expect_navigation():
        page.keyboard.press("2")
    expect(page.get_by_text("Drawn at random, to count wrong labels")).to_be_visible()
    _judge(sky, judged, among=judged.flags.exclude(stratum="flagged").filter(state="open")[:11])

    page.goto("/review/")
    expect(page.get_by_text("from 0 of 2 flags and 12 of 16 spot checks")).to_be_visible()
    assert looking.look(page, "spot-checks-half", keeps=False) == []

    _judge(sky, judged, among=judged.flags.filter(state="open"))
    page.goto("/review/")
    expect(page.get_by_text("from 2 of 2 flags and 16 of 16 spot checks")).to_be_visible()
    assert looking.look(page, "spot-checks-done", keeps=False) == []


def test_what_one_expert_was_unsure_of_is_settled_by_a_key(open_page, sign_in, sky, judged):
    unsure = judged.flags.first()
    record_verdict(flag=unsure, expert=sky.expert, state="unsure", note="Too faint for me.")
    page = open_page("/", reduced_motion="reduce")
    sign_in(page, sky.expert)

    page.goto("/review/?state=unsure")
    page.locator("#light-table .card").first.click()
    expect(page.get_by_text("Too faint for me.")).to_be_visible()
    expect(page.get_by_text("If you can tell, settle it")).to_be_visible()
    assert looking.look(page, "flag-unsure", keeps=False) == []
    with page.expect_navigation():
        page.keyboard.press("2")

    page.goto(f"/review/{unsure.pk}/")
    expect(page.get_by_text("votes right")).to_be_visible()
    expect(page.get_by_text("Too faint for me.")).to_be_visible()
    unsure.refresh_from_db()
    assert unsure.state == "votes-right"


def _judge(sky, round_, among):
    for row in list(among):
        record_verdict(flag=row, expert=sky.expert, state="votes-right")
