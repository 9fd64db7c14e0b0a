"""The galaxy page and the live home page in a browser."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lenticular.accounts.services import create_anonymous_volunteer
from lenticular.classify.services import record_classification
from lenticular.rounds import workspace
from lenticular.rounds.models import Round, RoundState, TrainedModel, Verdict
from lenticular.rounds.selectors import prediction_id
from lenticular.selection.services import QueueRow, lease_subjects, publish_queue
from mlcore.neighbours import write_neighbours
from tests.browser.conftest import DESKTOP, PHONE

TABLET = {"width": 820, "height": 1180}
NARROW = {"width": 320, "height": 640}
SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture
def learned(sky):
    """A round whose model predicts every galaxy, compares them, and orders the queue."""
    start = sky.workflow.current_version.tree.start
    round_ = Round.objects.create(
        workflow=sky.workflow, version=sky.workflow.current_version, number=2, seed=1, votes=5400,
        code_version="test", state=RoundState.SUCCEEDED, verdict=Verdict.ACCEPTED,
        finished_at="2026-01-01T00:00:00Z",
        evaluation={
            "questions": {start: {"accuracy": 0.84, "rmse": 0.11}},
            "previous": {"questions": {start: {"accuracy": 0.79, "rmse": 0.15}}},
        },
    )  # fmt: skip
    TrainedModel.objects.create(
        workflow=sky.workflow, round=round_, artefacts="x", checksum="m" * 64, is_current=True
    )
    _write_files(sky, round_)
    rows = [
        QueueRow(subject_id=each.pk, priority=99.0 - place, votes_wanted=9, top_answer="")
        for place, each in enumerate(sky.subjects)
    ]
    publish_queue(workflow=sky.workflow, generation=2, rows=rows)
    yield round_
    shutil.rmtree(workspace.local_path("rounds"), ignore_errors=True)


def _write_files(sky, round_):
    rng, n = np.random.default_rng(0), len(sky.subjects)
    columns = sky.workflow.current_version.tree.label_cols
    ids = [prediction_id(subject) for subject in sky.subjects]
    folder = workspace.stage_folder(round_, "predict").path
    folder.mkdir(parents=True, exist_ok=True)
    values = {f"{name}_concentration": rng.gamma(2.0, 3.0, n) + 1 for name in columns}
    pq.write_table(pa.table({"id_str": ids, **values}), folder / "shard-00000.parquet")
    features = rng.standard_normal((n, 4))
    where = workspace.stage_folder(round_, "acquire").path / "neighbours"
    write_neighbours(ids, lambda rows: features[rows], where, source="test", seed=0)


@pytest.fixture
def galaxy(open_page, sign_in, sky, learned):
    """Return a function that opens a galaxy's page as an expert."""

    def open_(place=0, **options):
        page = open_page("/", **options)
        sign_in(page, sky.expert)
        page.goto(f"/galaxies/{sky.subjects[place].pk}/")
        return page

    return open_


def look_everywhere(page):
    """Yield each size, in both themes, after checking that the page is in order there."""
    for size in (DESKTOP, TABLET, PHONE, NARROW):
        for scheme in ("dark", "light"):
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            assert not page.evaluate(SIDEWAYS)
            yield size["width"]


def test_the_galaxy_page_is_in_order_at_every_size(galaxy):
    page = galaxy()
    for width in look_everywhere(page):
        tree = page.get_by_role("img", name="The votes as a tree")
        expect(tree).to_be_visible(visible=width > 800)
        expect(page.get_by_role("table").first).to_be_visible()
        expect(page.get_by_role("img", name="A map of the whole sky")).to_be_visible()


def test_the_home_page_is_in_order_at_every_size(open_page, learned):
    page = open_page("/")
    for _ in look_everywhere(page):
        expect(page.get_by_role("heading", name="What it asks about now")).to_be_visible()
        expect(page.get_by_text("least sure of the answer to")).to_be_visible()


def test_the_words_of_the_tree_do_not_overlap(galaxy):
    page = galaxy()
    boxes = page.evaluate(
        "[...document.querySelectorAll('.tree text')].map((each) => each.getBoundingClientRect())"
        ".map(({left, right, top, bottom}) => [left, right, top, bottom])"
    )
    assert len(boxes) > 10
    for place, (left, right, top, bottom) in enumerate(boxes):
        for other in boxes[place + 1 :]:
            apart = other[0] >= right - 1 or other[1] <= left + 1
            assert apart or other[2] >= bottom - 4 or other[3] <= top + 4


def test_the_tree_can_be_scrolled_with_the_keyboard(galaxy):
    page = galaxy(viewport=TABLET)
    frame = page.get_by_role("group", name="how people answered")
    frame.focus()
    expect(frame).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    assert frame.evaluate("each => each.scrollLeft") > 0


def test_both_pages_are_whole_without_javascript(galaxy):
    page = galaxy(java_script_enabled=False)
    expect(page.get_by_role("img", name="The votes as a tree")).to_be_visible()
    expect(page.get_by_role("heading", name="look alike")).to_be_visible()
    page.goto("/")
    expect(page.get_by_text("classifications by people so far")).to_be_visible()
    expect(page.get_by_role("heading", name="Just classified")).to_be_visible()


def test_the_home_page_grows_while_one_watches(open_page, sky, learned):
    """Over HTTP: the live server of the tests has no sockets."""
    page = open_page("/")
    count = page.locator('[data-count="classifications"]')
    expect(count).to_have_text("90")
    pictures = page.locator("#strip li")
    before = pictures.count()
    volunteer = create_anonymous_volunteer()
    (lease,) = lease_subjects(workflow=sky.workflow, volunteer=volunteer, count=1)
    record_classification(
        volunteer=volunteer,
        uuid="7f0e7f62-5b1c-4f0e-9a43-0f7c40f8f6a1",
        version_id=sky.workflow.current_version_id,
        subject_id=lease.subject_id,
        annotations=[("smooth-or-featured", "artifact")],
    )
    Round.objects.create(
        workflow=sky.workflow, version=sky.workflow.current_version, number=3, seed=1,
        code_version="test", state=RoundState.SUCCEEDED, finished_at="2026-01-02T00:00:00Z",
    )  # fmt: skip
    expect(count).to_have_text("91")
    expect(page.get_by_text("has just finished another round")).to_be_visible()
    assert pictures.count() <= 12
    assert before <= 12
    page.get_by_role("link", name="See what it learned").click()
    expect(page.get_by_text("In round 3")).to_be_visible()
