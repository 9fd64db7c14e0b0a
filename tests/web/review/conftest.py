"""Four flags of the current model's round, and one of a round before it."""

from __future__ import annotations

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lenticular.rounds import workspace
from lenticular.rounds.models import MislabelFlag, Round, RoundState, TrainedModel, Verdict
from lenticular.rounds.selectors import prediction_id
from lenticular.subjects.models import Subject

JUDGED = 100
ALIKE = {"smooth": 0.75, "featured": 0.25, "artifact": 0.0}
UNLIKE = {"smooth": 0.1, "featured": 0.85, "artifact": 0.05}


@pytest.fixture(autouse=True)
def empty_artefacts():
    """Rounds of other tests have the same numbers, and so the same folders."""
    yield
    shutil.rmtree(workspace.local_path("rounds"), ignore_errors=True)


@pytest.fixture
def make_round():
    """Return a function that makes a published round with flags on some subjects."""
    return publish


def publish(universe, subjects, judged=JUDGED):
    """Make a round of the current model, with flags on these subjects; return the flags."""
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
    folder.finish({}, {"judged": judged, "flagged": len(subjects)})
    return [_flag(round_, subject, rank) for rank, subject in enumerate(subjects, start=1)]


def _flag(round_, subject, rank):
    return MislabelFlag.objects.create(
        round=round_, subject=subject, question="shape", rank=rank,
        p_value=0.0001 * rank, q_value=0.01 * rank, observed=ALIKE, expected=UNLIKE,
        reason="9 of 12 volunteers said 'shape: smooth'; galaxies that look like it get "
        "'featured' (0.85)",
    )  # fmt: skip


@pytest.fixture
def flags(universe):
    """The flags to review, by rank."""
    publish(universe, universe.subjects[8:9])
    return publish(universe, universe.subjects[:4])


@pytest.fixture
def flag(flags):
    """The first of them."""
    return flags[0]


def crowd(universe, n):
    """Return n subjects without pictures, made at once."""
    first = Subject.objects.count()
    return Subject.objects.bulk_create(
        Subject(survey=universe.survey, external_id=f"crowd-{number}")
        for number in range(first, first + n)
    )


def write_judged(round_, subjects, flagged):
    """Write the round's list of judged galaxies, most suspect first; the first are flagged."""
    fractions = pa.map_(pa.string(), pa.float64())
    n = len(subjects)
    shares = [ALIKE if rank % 2 else UNLIKE for rank in range(n)]
    columns = {
        "id_str": [prediction_id(subject) for subject in subjects],
        "question": ["shape"] * n,
        "rank": list(range(n)),
        "p_value": [(rank + 1) / (n + 1) for rank in range(n)],
        "q_value": [0.9] * n,
        "flagged": [rank < flagged for rank in range(n)],
        "observed": pa.array([list(ALIKE.items())] * n, fractions),
        "expected": pa.array([list(each.items()) for each in shares], fractions),
        "reason": [f"rank {rank}" for rank in range(n)],
    }
    folder = workspace.stage_folder(round_, "flag").path
    pq.write_table(pa.table(columns), folder / "mislabels.parquet")


@pytest.fixture
def judged_round(universe):
    """Return a function that makes a round which judged n galaxies and flagged the first."""

    def make(n, flagged=0, subjects=None):
        subjects = subjects or crowd(universe, n)
        publish(universe, subjects[:flagged], n)
        round_ = Round.objects.latest("number")
        write_judged(round_, subjects, flagged)
        return round_, subjects

    return make
