"""The page for running a workflow's rounds in a real browser: it fits, passes axe, and works."""

import datetime as dt
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from lenticular.rounds import selectors, workspace
from lenticular.rounds.models import STAGES, Round, RoundRule, RoundState, TrainedModel, Verdict
from lenticular.rounds.rolling import READ_STAGES
from lenticular.selection.models import QueueEntry
from mlcore.stages import MARK
from tests.browser.conftest import DESKTOP, PHONE

SIZES = {
    "phone": PHONE,
    "tablet": {"width": 820, "height": 1180},
    "desktop": DESKTOP,
    "narrow": {"width": 320, "height": 640},
}
QUEUE = {"score": 0.5, "rank": 0, "votes_wanted": 4, "top_answer": ""}
REASON = (
    "Not worse than the model before on 212 galaxies of the control panel: -0.0312 nats per vote, "
    "90% interval -0.0411 to -0.0208, where at most +0.0200 is allowed."
)


def look(page, name):
    """Check width, axe and both themes at every size."""
    for size, viewport in SIZES.items():
        page.set_viewport_size(viewport)
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= viewport["width"], f"{name} at {size}: {wide} px"
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()


@pytest.fixture
def rounds(sky):
    """Three published rounds, the last one's model the current one; half the files are there."""
    QueueEntry.objects.filter(pk__in=QueueEntry.objects.all()[:3]).update(in_panel=True)
    QueueEntry.objects.filter(in_panel=False).update(is_retired=True)
    RoundRule.objects.create(workflow=sky.workflow, is_on=True, config={"batch": 100})
    made = [_round(sky, number) for number in (1, 2, 3)]
    for round_ in made[1:]:
        _files(sky, round_)
    yield made
    shutil.rmtree(workspace.local_path("rounds"), ignore_errors=True)


def _round(sky, number):
    start = timezone.now() - dt.timedelta(days=9 - number)
    round_ = Round.objects.create(
        workflow=sky.workflow, version=sky.workflow.current_version, number=number, seed=1,
        votes=10 * number, pool=18, code_version="test", state=RoundState.SUCCEEDED,
        verdict=Verdict.ACCEPTED, verdict_reason=REASON, config={"batch": 200},
        started_at=start, finished_at=start, evaluation={"nll_per_vote": 1.3 - 0.05 * number},
        hardware={"machine": "x86_64", "cores": 2},
    )  # fmt: skip
    for place, name in enumerate(STAGES):
        end = start + dt.timedelta(seconds=40 * (place + number))
        round_.stages.create(name=name, position=place, started_at=start, finished_at=end)
    TrainedModel.objects.create(
        workflow=sky.workflow, round=round_, artefacts="x", checksum="m", is_current=number == 3
    )
    return round_


def _files(sky, round_):
    rng, columns = np.random.default_rng(round_.number), round_.version.tree.label_cols
    ids = [selectors.prediction_id(subject) for subject in sky.subjects]
    concentrations = {f"{name}_concentration": rng.gamma(2, 3, len(ids)) + 1 for name in columns}
    tables = {
        "predict": pa.table({"id_str": ids, **concentrations}),
        "acquire": pa.table({"id_str": ids, **{name: [v] * len(ids) for name, v in QUEUE.items()}}),
    }
    names = {"predict": "shard-00000.parquet", "acquire": "queue.parquet"}
    for stage in READ_STAGES:
        folder = workspace.stage_folder(round_, stage)
        folder.begin({})
        if stage in tables:
            pq.write_table(tables[stage], folder.path / names[stage])
        folder.finish({}, {})


@pytest.fixture
def staff(open_page, sign_in, sky, rounds):
    page = open_page("/")
    sign_in(page, sky.admin)
    page.goto("/rounds/drawn/")
    return page


def test_the_page_and_a_dry_run(staff):
    expect(staff.get_by_text("have enough answers: 100.0%")).to_be_visible()
    staff.get_by_role("button", name="Dry run").click()
    expect(staff.get_by_text("measured in round 3, 2, 1, in proportion")).to_be_visible()
    look(staff, "operator")


def test_the_settings_tried_stay_in_the_form(staff):
    settings = staff.get_by_label("Settings of this round, as JSON")
    expect(settings).to_have_value('{"batch": 100}')
    settings.fill('{"folds": 9}')
    staff.get_by_role("button", name="Dry run").click()
    expect(staff.get_by_text("folds 3 → 9")).to_be_visible()
    expect(settings).to_have_value('{"folds": 9}')


def test_a_damaged_model_is_set_aside(staff, sky, rounds):
    (workspace.stage_folder(rounds[2], "train").path / MARK).unlink()
    staff.reload()
    look(staff, "operator-damaged")
    staff.get_by_label("Why set the damaged model aside?").fill("the disk broke")
    staff.get_by_role("button", name="Set the damaged model aside").click()
    expect(staff.get_by_text("the damaged model of round 3 set aside")).to_be_visible()
    assert selectors.current_model(sky.workflow) is None


def test_two_models_are_compared(staff):
    staff.get_by_role("link", name="Compare two models").click()
    staff.get_by_label("Old").select_option("1")
    staff.get_by_role("button", name="Compare").click()
    expect(staff.get_by_role("alert")).to_contain_text("predictions of round 1 must be there")
    staff.get_by_label("Old").select_option("2")
    staff.get_by_role("button", name="Compare").click()
    expect(staff.get_by_role("heading", name="Round 3 against round 2")).to_be_visible()
    look(staff, "operator-compare")


def test_the_list_leads_here(staff):
    staff.goto("/rounds/")
    staff.get_by_text("Its settings").click()
    look(staff, "rounds-settings")
    staff.get_by_role("link", name="Drawn").click()
    expect(staff.get_by_role("heading", name="What to watch")).to_be_visible()


def test_back_to_an_earlier_model_and_clean_up_without_scripts(open_page, sign_in, sky, rounds):
    page = open_page("/", java_script_enabled=False)
    sign_in(page, sky.admin)
    page.goto("/rounds/drawn/")
    expect(page.get_by_text("Files of round 1 are gone")).to_be_visible()
    page.get_by_label("Why go back to round 2").fill("the last one asks about stars")
    page.get_by_role("button", name="Roll back").click()
    expect(
        page.get_by_text("The model of round 2 and its queue are in place again.")
    ).to_be_visible()
    page.get_by_label("Keep the files of the latest rounds").fill("0")
    page.get_by_role("button", name="Show what would go").click()
    page.get_by_role("button", name="for good").click()
    expect(page.get_by_text("free again")).to_be_visible()
    assert selectors.current_model(sky.workflow).round == rounds[1]
    assert not workspace.round_folder(rounds[2]).exists()


def test_the_schedule_is_kept(staff, sky):
    staff.get_by_label("Hours between rounds, at least").fill("6")
    staff.get_by_label("Start rounds on a schedule").uncheck()
    staff.get_by_role("button", name="Keep this schedule").click()
    expect(staff.get_by_text("The schedule is kept.")).to_be_visible()
    rule = RoundRule.objects.get(workflow=sky.workflow)
    assert (rule.is_on, rule.hours_between, rule.config) == (False, 6, {"batch": 100})
