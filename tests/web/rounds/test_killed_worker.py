"""A worker killed in the middle of training, by a real signal to a real process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from lenticular.rounds import selectors, services, tasks
from lenticular.rounds.models import RoundState
from lenticular.rounds.workspace import round_folder
from lenticular.selection.models import QueueEntry
from mlcore.stages import StageFolder

from .conftest import SUBJECTS, TINY

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("one_thread", "quiet_logs"),
]
ROOT = Path(__file__).resolve().parents[3]
LONG = {**TINY, "train": {**TINY["train"], "epochs": 12}}


def test_a_round_outlives_its_worker(workflow, monkeypatch):
    """Kill -9 in the middle of training; another worker goes on from the checkpoint."""
    round_ = services.start_round(workflow=workflow, user=None, config=LONG, seed=1)
    worker = _start_worker(round_)
    try:
        _wait_for((round_folder(round_) / "train" / "checkpoints" / "last.ckpt").is_file)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert StageFolder(round_folder(round_) / "train").record() is None
    snapshot = (round_folder(round_) / "snapshot" / "stage.json").stat().st_mtime_ns
    round_.refresh_from_db()
    assert round_.state == RoundState.RUNNING
    assert _run(round_).state == RoundState.RUNNING

    _outlast(monkeypatch, round_)
    epochs = _epochs_reported(monkeypatch)
    monkeypatch.setattr(tasks.run_round, "delay", tasks.run_round)
    assert tasks.resume_stalled_rounds() == [round_.pk]
    round_.refresh_from_db()
    assert (round_.state, round_.error) == (RoundState.SUCCEEDED, "")
    assert (round_folder(round_) / "snapshot" / "stage.json").stat().st_mtime_ns == snapshot
    assert epochs[0] > 1
    assert QueueEntry.objects.filter(generation=1).count() == SUBJECTS


def _run(round_):
    tasks.run_round(round_.pk)
    round_.refresh_from_db()
    return round_


def _start_worker(round_):
    """Run the task in a process of its own, on the test's database and folders."""
    program = (
        "import sys, django; django.setup();"
        "from lenticular.rounds.tasks import run_round; run_round(int(sys.argv[1]))"
    )
    path = os.pathsep.join([str(ROOT / "platform"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "lenticular.settings.dev",
        "OMP_NUM_THREADS": "1",
        "LENTICULAR_HOME": str(settings.HOME),
        "LENTICULAR_DATABASE_URL": _database_url(),
        "PYTHONPATH": path,
    }
    return subprocess.Popen([sys.executable, "-c", program, str(round_.pk)], env=environment)


def _database_url():
    made = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{made['NAME']}"
    where = f"{made['HOST']}:{made['PORT']}/{made['NAME']}"
    return f"postgres://{made['USER']}:{made['PASSWORD']}@{where}"


def _wait_for(is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "the worker took too long"
        time.sleep(0.01)


def _outlast(monkeypatch, round_):
    """Make the silence since the kill count as a stall."""
    monkeypatch.setattr(settings, "LENTICULAR_ROUND_STALL_SECONDS", 0)
    time.sleep(0.01)
    assert selectors.is_stalled(round_)


def _epochs_reported(monkeypatch):
    """Return a list that gets the number of each epoch that training reports."""
    from lenticular.rounds import pipeline

    epochs = []
    report = pipeline._Reporter.report

    def watch(self, stage, fraction, message):
        if stage == "train" and message.startswith("epoch "):
            epochs.append(int(message.split()[1]))
        report(self, stage, fraction, message)

    monkeypatch.setattr(pipeline._Reporter, "report", watch)
    return epochs
