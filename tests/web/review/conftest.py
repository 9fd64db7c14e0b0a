"""Four flags of the current model's round, and one of a round before it."""

from __future__ import annotations

import shutil

import pytest

from lenticular.rounds import workspace
from lenticular.rounds.models import MislabelFlag, Round, RoundState, TrainedModel, Verdict

JUDGED = 100


@pytest.fixture(autouse=True)
def empty_artefacts():
    """Rounds of other tests have the same numbers, and so the same folders."""
    yield
    shutil.rmtree(workspace.local_path("rounds"), ignore_errors=True)


@pytest.fixture
def make_round():
    """Return a function that makes a published round with flags on some subjects."""
    return _make_round


def _make_round(universe, subjects):
    number = Round.objects.filter(workflow=universe.workflow).count() + 1
    round_ = Round.objects.create(
        workflow=universe.workflow, version=universe.version, number=number, seed=1,
        code_version="test", state=RoundState.SUCCEEDED, verdict=Verdict.ACCEPTED,
    )  # fmt: skip
    TrainedModel.objects.filter(workflow=universe.workflow).update(is_current=False)
    TrainedModel.objects.create(
        workflow=universe.workflow, round=round_, artefacts="x", checksum="m", is_current=True
    )
    folder = workspace.stage_folder(round_, "flag")
    folder.begin({})
    folder.finish({}, {"judged": JUDGED, "flagged": len(subjects)})
    return [_flag(round_, subject, rank) for rank, subject in enumerate(subjects, start=1)]


def _flag(round_, subject, rank):
    return MislabelFlag.objects.create(
        round=round_, subject=subject, question="shape", rank=rank,
        p_value=0.0001 * rank, q_value=0.01 * rank,
        observed={"smooth": 0.75, "featured": 0.25, "artifact": 0.0},
        expected={"smooth": 0.1, "featured": 0.85, "artifact": 0.05},
        reason="9 of 12 volunteers said 'shape: smooth'; galaxies that look like it get "
        "'featured' (0.85)",
    )  # fmt: skip


@pytest.fixture
def flags(universe):
    """The flags to review, by rank."""
    _make_round(universe, universe.subjects[8:9])
    return _make_round(universe, universe.subjects[:4])


@pytest.fixture
def flag(flags):
    """The first of them."""
    return flags[0]
