"""A workflow of forty small galaxies, and rounds whose files are made by hand."""

from __future__ import annotations

import io
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lenticular.accounts.models import Role, User, Volunteer
from lenticular.consensus.models import Tally
from lenticular.rounds import selectors, services, workspace
from lenticular.rounds.work import claim_round
from lenticular.selection.models import QueueEntry
from lenticular.selection.services import reopen_queue
from lenticular.subjects.models import (
    Subject,
    SubjectImage,
    Survey,
    content_hash,
    stored_image_name,
)
from lenticular.workflows.models import Workflow, WorkflowVersion
from lenticular.workflows.services import publish_version
from mlcore.files import write_json
from mlcore.stages import file_checksum
from mlcore.tree import DecisionTree

SUBJECTS = 40
WORKER = "test-worker"
TINY = {
    "min_training_subjects": 10,
    "min_held_out_subjects": 4,
    "bootstrap_draws": 100,
    "gate_margin": 50.0,
    "dimensions": 4,
    "draws": 8,
    "batch": 6,
    "folds": 2,
    "false_discovery_rate": 0.5,
    "train": {
        "encoder": "test_resnet",
        "image_size": 24,
        "crop_fraction": 1.0,
        "batch_size": 8,
        "epochs": 2,
        "steps_per_epoch": 2,
        "average_views": 1,
        "predict_batch_size": 16,
        "pretrain_steps": 2,
        "pretrain_batch_size": 8,
    },
}


@pytest.fixture(autouse=True)
def empty_artefacts():
    """Rounds of other tests have the same numbers, and so the same folders."""
    yield
    shutil.rmtree(workspace.local_path("rounds"), ignore_errors=True)


@pytest.fixture
def one_thread():
    """Small tensors are faster on one thread, and other tests may run beside these."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def quiet_logs(caplog):
    """Leave out what Zoobot remarks while it trains."""
    caplog.set_level("ERROR")


@pytest.fixture
def handed():
    """Ids of the rounds that were handed to a worker."""
    return []


@pytest.fixture(autouse=True)
def no_broker(monkeypatch, handed):
    """Keep rounds off the queue: tests have no worker."""
    monkeypatch.setattr(services, "enqueue_round", lambda *, round_id: handed.append(round_id))


@pytest.fixture
def tree():
    def answer(slug):
        return {"slug": slug, "text": {"en": slug}, "next": None}

    shape = {"slug": "shape", "text": {"en": "What shape is it?"}, "help": {}}
    shape["answers"] = [answer("round"), answer("bar")]
    return DecisionTree.from_dict(
        {"slug": "tiny", "name": "Tiny", "start": "shape", "questions": [shape]}
    )


@pytest.fixture
def admin(db):
    return User.objects.create_user("ada", password="ada's password", role=Role.ADMIN)


@pytest.fixture
def expert(db):
    return User.objects.create_user("eve", password="eve's password", role=Role.EXPERT)


@pytest.fixture
def volunteer(db):
    return Volunteer.objects.create()


@pytest.fixture
def empty_workflow(tree, db):
    """A workflow whose subjects nobody has classified."""
    workflow = Workflow.objects.create(slug="tiny", name="Tiny galaxies", retirement_votes=10)
    version = WorkflowVersion.objects.create(
        workflow=workflow, number=1, tree_json=tree.to_dict(), checksum=tree.checksum
    )
    workflow.current_version = version
    workflow.save()
    survey = Survey.objects.create(slug="s", name="Survey")
    rng = np.random.default_rng(0)
    for number in range(SUBJECTS):
        subject = Subject.objects.create(survey=survey, external_id=str(number))
        _add_image(subject, rng)
        QueueEntry.objects.create(
            workflow=workflow,
            subject=subject,
            shuffle=number / SUBJECTS,
            in_panel=number % 4 == 0,
            wanted=10,
            room=10,
        )
    return workflow


def _add_image(subject, rng):
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    pixels = rng.integers(0, 20, (24, 24, 3), dtype=np.uint8)
    bar = (slice(11, 13), slice(2, 22))
    pixels[bar if int(subject.external_id) % 2 else (slice(8, 16), slice(8, 16))] += 150
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=95)
    sha256 = content_hash(content.getvalue())
    name = stored_image_name(sha256, "page")
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(content.getvalue()))
    SubjectImage.objects.create(subject=subject, sha256=sha256, width=24, height=24)


@pytest.fixture
def workflow(empty_workflow):
    """The same with five votes on each of the first thirty-two subjects."""
    for number, subject in enumerate(Subject.objects.order_by("id")[:32]):
        Tally.objects.create(
            version=empty_workflow.current_version,
            subject=subject,
            counts={"shape_bar" if number % 2 else "shape_round": 5},
            classifications=5,
        )
    return empty_workflow


@pytest.fixture
def pending(workflow, admin):
    """A round that no worker has yet."""
    return services.start_round(workflow=workflow, user=admin, config=TINY, seed=1)


@pytest.fixture
def running(pending):
    """A round that `WORKER` has claimed."""
    assert claim_round(round_id=pending.pk, worker=WORKER)
    pending.refresh_from_db()
    return pending


@pytest.fixture
def ask_another_tree(workflow, tree):
    """Return a function that makes people answer another tree, and opens the queue again."""

    def ask():
        other = DecisionTree.from_dict({**tree.to_dict(), "name": "Another"})
        publish_version(workflow=workflow, tree=other)
        reopen_queue(workflow=workflow)

    return ask


@pytest.fixture
def published_twice(workflow, write_stages):
    """Two published rounds; the second model is the current one, and surer of itself."""
    return tuple(_published(workflow, write_stages, certainty=each) for each in (2.0, 8.0))


def _published(workflow, write_stages, **given):
    round_ = services.start_round(workflow=workflow, user=None, config=TINY, seed=1)
    assert claim_round(round_id=round_.pk, worker=WORKER)
    round_.refresh_from_db()
    write_stages(round_, **given)
    return services.publish_round(round=round_, worker=WORKER)


@pytest.fixture
def write_stages():
    """Return a function that writes a round's stage folders as the machine would."""
    return _write_stages


def _write_stages(
    round_, *, not_worse=None, flags=("1",), certainty=4.0, votes=None, unreadable=None
):
    figures = {
        "n": 8, "votes": 40.0, "accuracy": 0.9, "balanced_accuracy": 0.9,
        "accuracy_confident": None, "n_confident": 0, "rmse": 0.2, "rmse_floor": 0.1,
        "nll_per_vote": 0.5, "coverage": 0.88,
    }  # fmt: skip
    comparison = None
    if not_worse is not None:
        comparison = {
            "difference": 0.1, "low": -0.1, "high": 0.2, "margin": 0.02,
            "not_worse": not_worse, "n": 8,
        }  # fmt: skip
    questions = {"shape": figures}
    evaluation = {
        "n": 8, "votes": 40.0, "nll_per_vote": 0.5, "questions": questions,
        "previous": comparison and {"questions": questions},
        "comparison": comparison, "verdict": "Said by the gate.",
    }  # fmt: skip
    results = {
        "snapshot": {"catalogue_checksum": "c" * 64},
        "train": {
            "origin": {"source": "scratch", "reason": "from scratch: no hub"},
            **_unreadable(unreadable or {}),
        },
        "evaluate": evaluation,
        "predict": {},
        "acquire": {},
        "flag": {},
    }
    tables = {
        "predict": ("shard-00000.parquet", _predictions(certainty)),
        "acquire": ("queue.parquet", _queue(votes)),
        "flag": ("mislabels.parquet", _flags(flags)),
    }
    inputs = {"evaluate": _compared_with(round_)}
    for stage, result in results.items():
        folder = workspace.stage_folder(round_, stage)
        folder.begin(inputs.get(stage, {}))
        if stage in tables:
            name, table = tables[stage]
            pq.write_table(table, folder.path / name)
        if stage == "train":
            (folder.path / "model").mkdir(exist_ok=True)
            write_json(folder.path / "model" / "model.json", {"round": round_.number})
        folder.finish(inputs.get(stage, {}), result)


def _unreadable(named):
    reasons = {"missing": len(named)} if named else {}
    return {
        "unreadable_images": len(named),
        "unreadable": {"reasons": reasons, "named": named},
    }


def _compared_with(round_):
    """Name the current model as the evaluate stage does."""
    current = selectors.current_model(round_.workflow)
    if current is None:
        return {}
    return {"previous": file_checksum(workspace.model_folder(current) / "model.json")}


def _predictions(certainty):
    """Every subject is predicted as its votes say, `certainty` to one."""
    odd = np.arange(SUBJECTS) % 2 == 1
    return pa.table(
        {
            "id_str": [f"s:{number}" for number in range(SUBJECTS)],
            "shape_round_concentration": np.where(odd, 1.0, certainty).astype(np.float32),
            "shape_bar_concentration": np.where(odd, certainty, 1.0).astype(np.float32),
        }
    )


def _queue(votes):
    """Subject 3 first, then 2; and one that is gone from the database.

    `votes` are those known when the votes were read; earlier releases did not keep them.
    """
    queue = pa.table(
        {
            "id_str": ["s:3", "s:2", "s:gone"],
            "score": [0.9, 0.5, 0.1],
            "rank": [0, 1, 2],
            "votes_wanted": [4, 10, 1],
            "top_answer": ["shape_bar", "shape_round", "shape_bar"],
        }
    )
    return queue if votes is None else queue.append_column("votes", [votes])


def _flags(flagged):
    ids = [*flagged, "7"]
    fractions = pa.map_(pa.string(), pa.float64())
    return pa.table(
        {
            "id_str": [f"s:{each}" for each in ids],
            "question": ["shape"] * len(ids),
            "p_value": [0.001] * len(ids),
            "q_value": [0.01] * len(ids),
            "flagged": [True] * len(flagged) + [False],
            "observed": pa.array([[("round", 0.0), ("bar", 1.0)]] * len(ids), fractions),
            "expected": pa.array([[("round", 0.9), ("bar", 0.1)]] * len(ids), fractions),
            "reason": ["5 of 5 said bar"] * len(ids),
        }
    )
