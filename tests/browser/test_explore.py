"""The galaxy page in a browser."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lenticular.rounds import workspace
from lenticular.rounds.models import Round, RoundState, TrainedModel, Verdict
from lenticular.rounds.selectors import prediction_id
from mlcore.neighbours import write_neighbours

SIZES = {"phone": (360, 740), "tablet": (820, 1180), "desktop": (1280, 830)}


@pytest.fixture
def learned(sky):
    """A round whose model predicts every galaxy and compares them."""
    figures = {"accuracy": 0.84, "rmse": 0.11}
    round_ = Round.objects.create(
        workflow=sky.workflow, version=sky.workflow.current_version, number=2, seed=1, votes=5400,
        code_version="test", state=RoundState.SUCCEEDED, verdict=Verdict.ACCEPTED,
        finished_at="2026-01-01T00:00:00Z",
        evaluation={
            "questions": {"smooth-or-featured": figures},
            "previous": {"questions": {"smooth-or-featured": {"accuracy": 0.79, "rmse": 0.15}}},
        },
    )  # fmt: skip
    TrainedModel.objects.create(
        workflow=sky.workflow, round=round_, artefacts="x", checksum="m" * 64, is_current=True
    )
    rng = np.random.default_rng(0)
    tree, n = sky.workflow.current_version.tree, len(sky.subjects)
    ids = [prediction_id(subject) for subject in sky.subjects]
    folder = workspace.stage_folder(round_, "predict").path
    folder.mkdir(parents=True, exist_ok=True)
    values = {f"{name}_concentration": rng.gamma(2.0, 3.0, n) + 1 for name in tree.label_cols}
    pq.write_table(pa.table({"id_str": ids, **values}), folder / "shard-00000.parquet")
    features = rng.standard_normal((n, 4))
    write_neighbours(
        ids, lambda rows: features[rows],
        workspace.stage_folder(round_, "acquire").path / "neighbours", source="test", seed=0,
    )  # fmt: skip
    return round_


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_look(open_page, sign_in, sky, learned, size, scheme):
    width, height = SIZES[size]
    page = open_page("/", viewport={"width": width, "height": height}, color_scheme=scheme)
    page.screenshot(path=f"/tmp/home/explore/home-{size}-{scheme}.png", full_page=True)
    sign_in(page, sky.expert)
    for place in (0, 3, 6):
        page.goto(f"/galaxies/{sky.subjects[place].pk}/")
        page.screenshot(path=f"/tmp/home/explore/galaxy{place}-{size}-{scheme}.png", full_page=True)
