"""The evaluation of two real rounds, as an astronomer sees it."""

import os
import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lenticular.rounds import services, tasks, workspace
from lenticular.rounds.models import RoundState
from tests.browser.conftest import DESKTOP, PHONE

SURVEY = {"indices": tuple(range(80)), "volunteers": 6, "side": 96}
CONFIG = {
    "folds": 2,
    "batch": 20,
    "min_training_subjects": 30,
    "train": {
        "encoder": "test_resnet",
        "crop_fraction": 1.0,
        "epochs": 3,
        "steps_per_epoch": 10,
        "predict_batch_size": 50,
        "average_views": 1,
        "pretrain_steps": 5,
    },
}
PAGE = "/rounds/drawn/2/evaluation/"


@pytest.fixture
def judged(sky, monkeypatch):
    """Two rounds of the drawn survey, the second judged against the first.

    Small tensors are faster on one thread.
    """
    import torch

    torch.set_num_threads(1)
    monkeypatch.setattr(services, "enqueue_round", lambda *, round_id: None)
    for seed in (7, 8):
        round_ = services.start_round(
            workflow=sky.workflow, user=sky.admin, config=CONFIG, seed=seed
        )
        tasks.run_round(round_.pk)
        round_.refresh_from_db()
        assert (round_.state, round_.error) == (RoundState.SUCCEEDED, "")
    yield sky
    shutil.rmtree(workspace.local_path("rounds"), ignore_errors=True)


def keep(page, name):
    """Keep a picture where one is wanted."""
    folder = os.environ.get("LENTICULAR_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("sky", [SURVEY], indirect=True)
def test_reads_in_both_themes_and_at_every_width(open_page, sign_in, judged):
    for scheme in ("dark", "light"):
        for width, viewport in (
            ("desktop", DESKTOP),
            ("tablet", {"width": 820, "height": 1180}),
            ("phone", PHONE),
            ("narrow", {"width": 320, "height": 640}),
        ):
            page = open_page("/", viewport=viewport, color_scheme=scheme)
            sign_in(page, judged.astronomer)
            page.goto(PAGE)
            expect(page.get_by_role("heading", level=1)).to_contain_text("evaluation of round 2")
            assert page.locator("details.question").count() >= 5
            page.evaluate(
                "document.querySelectorAll('details.question').forEach(e => e.open = true)"
            )
            page.locator("img").last.scroll_into_view_if_needed()
            expect(page.get_by_role("img", name="Reliability of").first).to_be_visible()
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            keep(page, f"evaluation-{width}-{scheme}")
            page.context.close()
