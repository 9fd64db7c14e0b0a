"""The pictures of the README: every page is opened, and kept where LENTICULAR_SCREENSHOTS says.

`make screenshots` keeps them in docs/images.
"""

import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lenticular.releases.services import make_release
from lenticular.rounds import services as rounds
from lenticular.rounds import workspace
from lenticular.rounds.models import MislabelFlag, Round, RoundState, TrainedModel, Verdict
from lenticular.rounds.work import claim_round, report_progress
from tests.browser.conftest import PHONE
from tests.browser.gallery import PAGE, serve

WORKER = "worker-1"
FINISHED = (
    ("snapshot", "16 galaxies, 36 classifications, 6 held out in the control panel"),
    ("train", "convnext_atto from scratch, 12 epochs: loss 1.084"),
    ("evaluate", "0.12 nats per vote better than the model before"),
)


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


def test_a_round_in_progress(open_page, sign_in, sky, monkeypatch):
    monkeypatch.setattr(rounds, "enqueue_round", lambda *, round_id: None)
    config = {"min_training_subjects": 2, "min_held_out_subjects": 2}
    round_ = rounds.start_round(workflow=sky.workflow, user=sky.admin, config=config, seed=7)
    claim_round(round_id=round_.pk, worker=WORKER)
    for stage, message in FINISHED:
        _report(round_, stage, 1.0, message)
    _report(round_, "predict", 0.62, "930 of 1,500 galaxies, 41 per second")
    page = open_page("/")
    sign_in(page, sky.admin)
    page.goto(f"/rounds/drawn/{round_.number}/")
    expect(page.locator(".stage-percent", has_text="62%")).to_be_visible()
    keep(page, "round")


def _report(round_, stage, fraction, message):
    report_progress(
        round_id=round_.pk, worker=WORKER, stage=stage, fraction=fraction, message=message
    )


def test_a_mislabel_review(open_page, sign_in, sky):
    flag = _flag(sky)
    page = open_page("/")
    sign_in(page, sky.expert)
    page.goto(f"/review/{flag.pk}/")
    expect(page.get_by_role("heading", name=sky.subjects[0].external_id)).to_be_visible()
    keep(page, "review")


def _flag(sky):
    round_ = Round.objects.create(
        workflow=sky.workflow, version=sky.workflow.current_version, number=1, seed=7,
        code_version="0.1.0", state=RoundState.SUCCEEDED, verdict=Verdict.ACCEPTED,
    )  # fmt: skip
    TrainedModel.objects.create(
        workflow=sky.workflow, round=round_, artefacts="x", checksum="m" * 64, is_current=True
    )
    folder = workspace.stage_folder(round_, "flag")
    folder.begin({})
    folder.finish({}, {"judged": 1500, "flagged": 1})
    return MislabelFlag.objects.create(
        round=round_, subject=sky.subjects[0], question="smooth-or-featured", rank=1,
        p_value=0.00004, q_value=0.006,
        observed={"smooth": 0.83, "featured-or-disk": 0.17, "artifact": 0.0},
        expected={"smooth": 0.06, "featured-or-disk": 0.91, "artifact": 0.03},
        reason="10 of 12 volunteers said 'smooth'; galaxies that look like it get "
        "'featured-or-disk' (0.91)",
    )  # fmt: skip


def test_a_release(open_page, sign_in, sky):
    release = make_release(workflow=sky.workflow, user=sky.astronomer, title="First light")
    page = open_page("/")
    sign_in(page, sky.astronomer)
    page.goto(f"/releases/drawn/{release.number}/")
    expect(page.get_by_role("heading", name="First light")).to_be_visible()
    keep(page, "release")
