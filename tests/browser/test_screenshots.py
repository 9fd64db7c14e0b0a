"""The pictures of the README: every page is opened, and kept where LENTICULAR_SCREENSHOTS says.

`make screenshots` keeps them in docs/images.
"""

import os
import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lenticular.releases.services import make_release
from lenticular.review.selectors import flags_to_review
from lenticular.rounds import services, tasks, workspace
from lenticular.rounds.models import RoundState
from tests.browser.conftest import PHONE
from tests.browser.gallery import PAGE, serve
from tests.browser.lived_in import CONFIG

SURVEY = {"indices": tuple(range(60)), "volunteers": 6, "side": 128, "planted": 3}


def keep(page, name):
    """Check with axe, and keep a picture where one is wanted."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    folder = os.environ.get("LENTICULAR_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.mouse.move(0, 0)
        page.screenshot(path=Path(folder) / f"{name}.jpg", type="jpeg", quality=85)


@pytest.fixture
def classifying(open_page, sign_in, sky):
    """Return a function that opens the classify page at the question about the bar."""
    serve(sky, sky.volunteer, sky.subjects[5], sky.subjects[0])

    def open_(**options):
        page = open_page("/", **options)
        sign_in(page, sky.volunteer)
        page.goto(PAGE)
        for key in ("1", "1", "1"):
            page.keyboard.press(key)
        expect(page.locator("#echo")).to_be_visible()
        expect(page.locator("#outbox-state")).to_have_text("All sent")
        for key in ("2", "2"):
            page.keyboard.press(key)
        expect(page.locator("#question")).to_contain_text("bar")
        return page

    return open_


def test_classify_on_a_desktop(classifying):
    page = classifying()
    page.get_by_role("radio", name="Strong bar").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(300)
    keep(page, "classify-desktop")


@pytest.mark.parametrize(
    ("scheme", "name"), [("dark", "classify-phone"), ("light", "classify-phone-light")]
)
def test_classify_on_a_phone(classifying, scheme, name):
    page = classifying(viewport=PHONE, has_touch=True, color_scheme=scheme)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(300)
    keep(page, name)


def test_home(open_page):
    keep(open_page("/"), "home")


def test_galaxy(open_page, sign_in, sky):
    page = open_page("/")
    sign_in(page, sky.expert)
    page.goto(f"/galaxies/{sky.subjects[0].pk}/")
    expect(page.get_by_role("table").first).to_be_visible()
    keep(page, "galaxy")


@pytest.fixture
def _clean_up():
    """Leave no artefacts to other tests, whose rounds have the same numbers.

    Small tensors are faster on one thread.
    """
    import torch

    torch.set_num_threads(1)
    yield
    shutil.rmtree(workspace.local_path("rounds"), ignore_errors=True)


@pytest.mark.usefixtures("_clean_up")
@pytest.mark.parametrize("sky", [SURVEY], indirect=True)
def test_a_round_a_review_and_a_release(open_page, sign_in, sky, monkeypatch):
    """One real round: pictured while it trains, then its first flag, then a release."""
    page = open_page("/")
    sign_in(page, sky.admin)
    report, shown = services.report_progress, []

    def look(**given):
        report(**given)
        if given["stage"] == "train" and given["fraction"] > 0.5 and not shown:
            shown.append(given["fraction"])
            page.goto("/rounds/drawn/1/")
            percent = page.locator(".stage-percent", has_text=f"{round(100 * shown[0])}%")
            expect(percent.first).to_be_visible()
            keep(page, "round")

    monkeypatch.setattr(services, "report_progress", look)
    monkeypatch.setattr(services, "enqueue_round", lambda *, round_id: None)
    round_ = services.start_round(workflow=sky.workflow, user=sky.admin, config=CONFIG, seed=7)
    tasks.run_round(round_.pk)
    round_.refresh_from_db()
    assert (round_.state, round_.error) == (RoundState.SUCCEEDED, "")
    assert shown

    flag = flags_to_review(state="open").first()
    page.goto(f"/review/{flag.pk}/")
    expect(page.get_by_role("heading", name=flag.subject.external_id)).to_be_visible()
    keep(page, "review")

    release = make_release(workflow=sky.workflow, user=sky.astronomer, title="First light")
    page.goto(f"/releases/drawn/{release.number}/")
    expect(page.get_by_role("heading", name="First light")).to_be_visible()
    keep(page, "release")
