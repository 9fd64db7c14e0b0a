"""A world with votes, a model of its own making, and releases of it."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lenticular.releases.services import make_release
from lenticular.rounds import workspace
from lenticular.rounds.models import Round, RoundState, TrainedModel, Verdict
from lenticular.rounds.selectors import prediction_id


@pytest.fixture(autouse=True)
def empty_artefacts():
    """Releases of other tests have the same numbers, and so the same folders."""
    yield
    for folder in ("releases", "rounds"):
        shutil.rmtree(workspace.local_path(folder), ignore_errors=True)


@pytest.fixture
def predict():
    """Return a function that installs a model whose predictions are given."""
    return _predict


def _predict(universe, subjects, version=None):
    version = version or universe.version
    number = Round.objects.count() + 1
    round_ = Round.objects.create(
        workflow=universe.workflow, version=version, number=number, seed=1, code_version="test",
        state=RoundState.SUCCEEDED, verdict=Verdict.ACCEPTED, catalogue_checksum="c" * 64,
    )  # fmt: skip
    TrainedModel.objects.update(is_current=False)
    TrainedModel.objects.create(
        workflow=universe.workflow, round=round_, artefacts="x", checksum="m" * 64, is_current=True
    )
    ids = [prediction_id(subject) for subject in subjects]
    columns = version.tree.label_cols
    alphas = {
        f"{name}_concentration": np.arange(len(ids), dtype=np.float32) + place + 1
        for place, name in enumerate(columns)
    }
    folder = workspace.stage_folder(round_, "predict").path
    folder.mkdir(parents=True)
    for half, rows in enumerate(np.array_split(np.arange(len(ids)), 2)):
        table = pa.table({"id_str": ids, **alphas}).take(pa.array(rows, pa.int64()))
        pq.write_table(table, folder / f"shard-{half:05d}.parquet")
    return round_


@pytest.fixture
def release(universe):
    """The first release."""
    return make_release(workflow=universe.workflow, user=universe.astronomer, title="Shapes")


@pytest.fixture
def folder(release):
    """Where its files lie."""
    return workspace.local_path(release.artefacts)
