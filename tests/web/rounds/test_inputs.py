"""What a round reads: every subject of the queue, streamed to Parquet."""

import datetime as dt
import uuid

import pyarrow.parquet as pq
import pytest
from django.utils import timezone

from lenticular.classifications.models import Arm, Classification, Kind
from lenticular.consensus.models import Tally
from lenticular.rounds import inputs
from lenticular.rounds.inputs import EXPERT_VOTES, write_inputs
from lenticular.rounds.models import FlagState, MislabelFlag, Round, RoundState
from lenticular.selection.models import Lease, LeaseState, QueueEntry
from lenticular.subjects.models import Subject, SubjectImage
from lenticular.workflows.models import WorkflowVersion

from .conftest import SUBJECTS

pytestmark = pytest.mark.django_db


@pytest.fixture
def read(pending, tmp_path):
    """Return a function that writes the input and returns its rows by id."""

    def write_and_read():
        write_inputs(pending, tmp_path / "input", on_progress=lambda *_: None)
        rows = pq.read_table(tmp_path / "input" / "subjects.parquet").to_pylist()
        return {row["id_str"]: row for row in rows}

    return write_and_read


def subject(number):
    return Subject.objects.get(external_id=str(number))


def verdict(round_, volunteer, number, answer):
    Classification.objects.create(
        uuid=uuid.uuid4(),
        workflow=round_.workflow,
        version=round_.version,
        subject=subject(number),
        volunteer=volunteer,
        kind=Kind.EXPERT,
        annotations=[["shape", answer]],
    )


def test_has_a_row_per_subject_and_no_blanks(read, monkeypatch):
    monkeypatch.setattr(inputs, "CHUNK", 7)
    rows = read()
    assert list(rows) == [f"s:{number}" for number in range(SUBJECTS)]
    assert (rows["s:0"]["shape_round"], rows["s:0"]["shape_bar"]) == (5, 0)
    assert (rows["s:39"]["shape_round"], rows["s:39"]["shape_bar"]) == (0, 0)
    assert rows["s:4"]["control"]
    assert not rows["s:5"]["control"]
    assert rows["s:0"]["file_loc"].startswith("images/")


def test_counts_the_votes_promised(read, pending, volunteer):
    Lease.objects.create(
        workflow=pending.workflow,
        subject=subject(5),
        volunteer=volunteer,
        arm=Arm.ACTIVE,
        selection_probability=0.1,
        state=LeaseState.OUT,
        expires_at=timezone.now() + dt.timedelta(hours=1),
    )
    rows = read()
    assert (rows["s:5"]["pending"], rows["s:6"]["pending"]) == (1, 0)


def test_tells_what_is_retired(read):
    QueueEntry.objects.filter(subject=subject(6)).update(is_retired=True)
    assert read()["s:6"]["retired"]


def test_an_experts_verdict_takes_the_place_of_the_votes(read, pending, volunteer):
    verdict(pending, volunteer, 1, "round")
    rows = read()
    row = rows["s:1"]
    assert (row["shape_round"], row["shape_bar"]) == (EXPERT_VOTES, 0)
    assert [name for name, row in rows.items() if row["verdict"]] == ["s:1"]


def test_verdicts_are_told_the_latest_of_each_question(pending, tmp_path):
    def flag(round_, number, question, state):
        MislabelFlag.objects.create(
            round=round_,
            subject=subject(number),
            question=question,
            rank=number,
            p_value=0.1,
            q_value=0.1,
            observed={},
            expected={},
            state=state,
        )

    later = Round.objects.create(
        workflow=pending.workflow,
        version=pending.version,
        number=pending.number + 1,
        state=RoundState.FAILED,
        requested_by=pending.requested_by,
        seed=1,
    )
    older = Round.objects.create(
        workflow=pending.workflow,
        version=WorkflowVersion.objects.create(
            workflow=pending.workflow, number=99, tree_json={}, checksum="of another tree"
        ),
        number=pending.number + 2,
        state=RoundState.FAILED,
        requested_by=pending.requested_by,
        seed=1,
    )
    flag(older, 6, "shape", FlagState.VOTES_RIGHT)
    flag(pending, 1, "shape", FlagState.UNSURE)
    flag(pending, 2, "shape", FlagState.VOTES_RIGHT)
    flag(pending, 3, "shape", FlagState.OPEN)
    flag(pending, 5, "shape", FlagState.MISLABEL)
    flag(later, 1, "shape", FlagState.VOTES_RIGHT)
    flag(later, 2, "bar", FlagState.UNSURE)
    write_inputs(pending, tmp_path / "input", on_progress=lambda *_: None)
    found = pq.read_table(tmp_path / "input" / "judged.parquet").to_pylist()
    assert {(row["id_str"], row["question"]): row["verdict"] for row in found} == {
        ("s:1", "shape"): "votes-right",
        ("s:2", "shape"): "votes-right",
        ("s:5", "shape"): "mislabel",
        ("s:2", "bar"): "unsure",
    }


def test_the_votes_received_are_volunteers_on_this_version(read, pending, volunteer):
    verdict(pending, volunteer, 1, "round")
    earlier = WorkflowVersion.objects.create(
        workflow=pending.workflow, number=0, tree_json=pending.version.tree_json, checksum="other"
    )
    Tally.objects.create(
        version=earlier, subject=subject(1), counts={"shape_bar": 3}, classifications=3
    )
    rows = read()
    assert [rows[f"s:{number}"]["received"] for number in (1, 2, 39)] == [5, 5, 0]
    assert (rows["s:1"]["shape_round"], rows["s:1"]["shape_bar"]) == (EXPERT_VOTES, 0)


def test_the_control_panel_keeps_the_volunteers_votes(read, pending, volunteer):
    verdict(pending, volunteer, 4, "bar")
    row = read()["s:4"]
    assert (row["shape_round"], row["shape_bar"]) == (5, 0)
    assert not row["verdict"]


def test_a_subject_without_an_image_is_left_out(read):
    SubjectImage.objects.filter(subject=subject(7)).delete()
    rows = read()
    assert "s:7" not in rows
    assert len(rows) == SUBJECTS - 1


def test_a_resumed_round_sees_the_votes_it_began_with(read):
    before = read()
    QueueEntry.objects.filter(subject=subject(6)).update(is_retired=True)
    assert read() == before


def test_tells_how_far_it_is(pending, tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "CHUNK", 10)
    said = []
    write_inputs(pending, tmp_path, on_progress=lambda *given: said.append(given))
    assert [fraction for fraction, _ in said] == [0.25, 0.5, 0.75, 1.0]
    assert said[-1][1] == "40 of 40 subjects read"
