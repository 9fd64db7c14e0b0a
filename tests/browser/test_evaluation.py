"""The evaluation of a round as an astronomer sees it: both themes, every width."""

import shutil

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lenticular.rounds import services, workspace
from lenticular.rounds.selectors import prediction_id
from mlcore.simulate.answers import answer_fractions
from mlcore.simulate.galaxies import draw_truth
from mlcore.simulate.votes_crowd import draw_votes
from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.gallery import INDICES, SEED
from tests.web.rounds.judging import judge

TABLET, NARROW = {"width": 820, "height": 1180}, {"width": 320, "height": 640}
PAGE = "/rounds/drawn/3/evaluation/"


@pytest.fixture
def judged(sky, monkeypatch):
    """Three rounds: simulated people's votes, foretold ever better and never well."""
    monkeypatch.setattr(services, "enqueue_round", lambda *, round_id: None)
    tree = sky.workflow.current_version.tree
    fractions = np.array([answer_fractions(draw_truth(SEED, each), tree) for each in INDICES])
    ids = [prediction_id(subject) for subject in sky.subjects]
    rng, before = np.random.default_rng(0), None
    record = draw_votes(fractions, tree, volunteers=60, votes=18, seed=0)
    for number in (1, 2, 3):
        round_ = services.start_round(
            workflow=sky.workflow,
            user=sky.admin,
            config={"min_training_subjects": 2, "min_held_out_subjects": 2},
        )
        votes = record.counts(np.full(len(ids), 6 * number))
        found = (
            0.2
            + (4 + number) * rng.dirichlet(np.ones(fractions.shape[1]), len(ids))
            + 9 * fractions
        )
        judge(round_, ids, votes, found, previous=before)
        before = found
    yield sky
    shutil.rmtree(workspace.local_path("rounds"), ignore_errors=True)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_reads_in_both_themes_and_at_every_width(scheme, open_page, sign_in, judged):
    page = open_page("/", color_scheme=scheme)
    sign_in(page, judged.astronomer)
    page.goto(PAGE)
    expect(page.get_by_role("heading", level=1)).to_contain_text("evaluation of round 3")
    expect(page.get_by_role("img", name="Reliability of").first).to_be_visible()
    expect(page.get_by_role("img", name="Reliability of")).to_have_count(1)
    for summary in page.locator("details.question:not([open]) > summary").all()[:2]:
        summary.press("Enter")
    expect(page.get_by_role("img", name="Reliability of")).to_have_count(3)
    page.locator(".grid img").last.scroll_into_view_if_needed()
    for size in (DESKTOP, TABLET, PHONE, NARROW):
        page.set_viewport_size(size)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_reads_without_javascript(open_page, sign_in, judged):
    page = open_page("/", java_script_enabled=False)
    sign_in(page, judged.admin)
    page.goto("/rounds/drawn/3/")
    page.get_by_role("link", name="Evaluation in full").click()
    expect(page.get_by_role("img", name="Learning curve of").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download everything").click()
    assert download.value.suggested_filename == "drawn-round-3-evaluation.json"
