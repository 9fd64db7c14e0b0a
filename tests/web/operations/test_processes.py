import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lenticular.operations.processes import ProcessError, Stack, wait_until_served

SLEEPER = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(60)
"""


@pytest.fixture
def sleeper(tmp_path, monkeypatch):
    """A module that starts a child of its own and sleeps; its child's pid is in the file."""
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    (tmp_path / "quitter.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "pid"


def _pid(path: Path) -> int:
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return int(path.read_text())


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _ends(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while _is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not _is_alive(pid)


def test_leaving_the_stack_ends_processes_and_what_they_started(sleeper, tmp_path):
    with Stack(logs=tmp_path / "logs") as stack:
        stack.start("sleeper", "sleeper", str(sleeper))
        grandchild = _pid(sleeper)
        child = stack.children["sleeper"].pid
        assert _is_alive(grandchild)
    assert _ends(child)
    assert _ends(grandchild)


def test_an_error_inside_the_stack_ends_the_processes_too(sleeper, tmp_path):
    def fail() -> None:
        with Stack(logs=tmp_path / "logs") as stack:
            stack.start("sleeper", "sleeper", str(sleeper))
            _pid(sleeper)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert _ends(_pid(sleeper))


def test_a_process_that_ends_by_itself_is_an_error_that_names_it(sleeper, tmp_path):
    with Stack(logs=tmp_path / "logs") as stack:
        stack.start("quitter", "quitter")
        with pytest.raises(ProcessError, match="quitter ended by itself with status 3"):
            stack.wait()


def test_waiting_for_an_address_that_never_answers_is_an_error(tmp_path):
    with pytest.raises(ProcessError, match="must answer within"):
        wait_until_served(Stack(logs=tmp_path), "http://127.0.0.1:9/", seconds=0.5)


def test_up_serves_the_site_and_ctrl_c_stops_everything(tmp_path):
    root = Path(__file__).parents[3]
    environment = {
        **os.environ,
        "LENTICULAR_HOME": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "lenticular.settings.dev",
        "PYTHONUNBUFFERED": "1",
    }
    port = _free_port()
    command = [sys.executable, str(root / "manage.py"), "up", "--port", str(port)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as up:
        first = up.stdout.readline()
        assert f"http://127.0.0.1:{port}/" in first
        children = _children(up.pid)
        assert len(children) == 2
        up.send_signal(signal.SIGINT)
        said, _ = up.communicate(timeout=60)
        assert "Stopped." in said
        assert up.returncode == 0
    assert all(_ends(child) for child in children)


def test_up_refuses_a_port_that_is_taken(tmp_path):
    import socket

    from django.core.management import CommandError, call_command

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CommandError, match="port must be free"):
            call_command("up", port=taken.getsockname()[1])


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]
