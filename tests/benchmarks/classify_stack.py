"""Classifications per second over HTTP: gunicorn, PostgreSQL and Redis, clients included.

Each client leases five galaxies, posts one classification for each, and begins again, as
the page does. The load comes from this machine, so the figure is for server and clients.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

TITLE = "Classifications over HTTP (gunicorn, PostgreSQL, Redis)"
ROOT = Path(__file__).parents[2]
CLIENTS, SECONDS, SUBJECTS = 8, 15.0, 3000
PATH = [["ring", "yes"]]


def table() -> list[dict[str, str]]:
    """Start the stack, load it for a while, check the log, and count."""
    sys.path.insert(0, str(ROOT))
    from tests.services.conftest import postgres, redis

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with postgres(folder) as port, redis(folder) as redis_url:
            environment = {
                "DJANGO_SETTINGS_MODULE": "lenticular.settings.dev",
                "LENTICULAR_HOME": str(folder / "home"),
                "LENTICULAR_DATABASE_URL": f"postgres://lenticular@127.0.0.1:{port}/postgres",
                "LENTICULAR_REDIS_URL": redis_url,
                "LENTICULAR_THROTTLE_USER": "1000000/min",
                "LENTICULAR_LOG_LEVEL": "ERROR",
                "PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}",
            }
            os.environ.update(environment)
            try:
                return _measured()
            finally:
                _disconnect()


def _disconnect() -> None:
    """Close our connections, which PostgreSQL would wait for."""
    from django.db import connections

    connections.close_all()


def _measured() -> list[dict[str, str]]:
    import django

    django.setup()
    version, tokens = _world()
    rows = []
    for workers in (1, 2):
        port = _free_port()
        command = [
            "gunicorn",
            "lenticular.wsgi",
            f"--workers={workers}",
            f"--bind=127.0.0.1:{port}",
        ]
        with subprocess.Popen([sys.executable, "-m", *command, "--log-level=error"]) as server:
            try:
                _wait(port)
                times = _load(port, version, tokens[(workers - 1) * CLIENTS :][:CLIENTS])
            finally:
                server.terminate()
        times.sort()
        rows.append(
            {
                "web workers": str(workers),
                "clients": str(CLIENTS),
                "classifications/s": f"{len(times) / SECONDS:,.0f}",
                "median post, ms": f"{1000 * times[len(times) // 2]:.0f}",
                "95th percentile, ms": f"{1000 * times[int(0.95 * len(times))]:.0f}",
                "differences from the log": str(_differences()),
            }
        )
    return rows


def _world() -> tuple[int, list[str]]:
    from django.core.management import call_command
    from rest_framework.authtoken.models import Token

    from lenticular.accounts.services import create_user
    from lenticular.selection.services import fill_queue
    from lenticular.subjects.models import Subject, SubjectImage, SubjectSet, Survey
    from lenticular.workflows.services import create_workflow
    from mlcore.tree import DecisionTree

    call_command("migrate", verbosity=0)
    survey = Survey.objects.create(slug="bench", name="Bench")
    everything = SubjectSet.objects.create(survey=survey, slug="bench", name="Bench")
    subjects = Subject.objects.bulk_create(
        Subject(survey=survey, external_id=str(number)) for number in range(SUBJECTS)
    )
    SubjectImage.objects.bulk_create(
        SubjectImage(subject=one, sha256=f"{one.pk:064x}", width=64, height=64) for one in subjects
    )
    everything.subjects.set(subjects)
    workflow = create_workflow(
        slug="bench",
        name="Bench",
        tree=DecisionTree.from_file(ROOT / "fixtures" / "trees" / "yes-no.json"),
        subject_sets=[everything],
    )
    fill_queue(workflow=workflow)
    users = [
        create_user(username=f"bench-{number}", password=uuid.uuid4().hex)
        for number in range(2 * CLIENTS)
    ]
    tokens = [Token.objects.create(user=user).key for user in users]
    return workflow.current_version.pk, tokens


def _differences() -> int:
    from lenticular.consensus.services import rebuild_consensus
    from lenticular.workflows.models import Workflow

    return len(rebuild_consensus(workflow=Workflow.objects.get(slug="bench"), check=True))


def _load(port: int, version: int, tokens: list[str]) -> list[float]:
    times: list[float] = []
    until = time.perf_counter() + SECONDS
    clients = [
        threading.Thread(target=_client, args=(port, version, token, until, times))
        for token in tokens
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return times


def _client(port: int, version: int, token: str, until: float, times: list[float]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while time.perf_counter() < until:
        served = _post(connection, token, "workflows/bench/next/", {"count": 5})["subjects"]
        if not served:
            return
        for subject in served:
            entry = {
                "uuid": str(uuid.uuid4()),
                "version": version,
                "subject": subject["id"],
                "annotations": PATH,
            }
            begun = time.perf_counter()
            (result,) = _post(connection, token, "classifications/", {"classifications": [entry]})
            if result["status"] != "recorded":
                raise RuntimeError(f"a classification must be recorded, is {result}")
            times.append(time.perf_counter() - begun)


def _post(connection: http.client.HTTPConnection, token: str, address: str, body: object):
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    connection.request("POST", f"/api/v1/{address}", json.dumps(body), headers)
    return json.loads(connection.getresponse().read())


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/api/v1/workflows/bench/")
            connection.getresponse().read()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
