"""A real PostgreSQL and Redis on free ports, in a temporary folder, gone afterwards."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).parents[2]
START_SECONDS = 20


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in Path(item.fspath).parents:
            item.add_marker(pytest.mark.services)


@dataclass
class Services:
    """Where the services listen, and a way to run drivers against them."""

    postgres_port: int
    redis_url: str
    databases: list[str] = field(default_factory=list)

    def url(self, database):
        return f"postgres://lenticular@127.0.0.1:{self.postgres_port}/{database}"

    def new_database(self, template="template1"):
        name = f"lenticular_{len(self.databases)}"
        self.databases.append(name)
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name


@dataclass
class Stack:
    """One database with the small universe in it."""

    database_url: str
    redis_url: str

    def drive(self, scenario, *arguments):
        """Run one scenario of `tests.services.scenarios`; return what it reports.

        Afterwards the log and all that follows from it must agree.
        """
        happened = run_driver(self.database_url, self.redis_url, scenario, *arguments)
        assert happened["differences"] == []
        return happened["answer"]


def run_driver(database_url, redis_url, scenario, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "tests.services.scenarios", scenario, *arguments],
        cwd=ROOT,
        env=driver_environment(database_url, redis_url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def driver_environment(database_url, redis_url):
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "lenticular.settings.test",
        "LENTICULAR_DATABASE_URL": database_url,
        "LENTICULAR_REDIS_URL": redis_url,
        "PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}",
    }


@pytest.fixture(scope="session")
def services():
    with tempfile.TemporaryDirectory(prefix="lenticular-services-") as folder:
        Path(folder).chmod(0o755)
        with postgres(Path(folder)) as port, redis(Path(folder)) as url:
            yield Services(port, url)


@pytest.fixture(scope="session")
def template(services):
    """Name a database with every table and the quiet universe."""
    name = services.new_database()
    run_driver(services.url(name), services.redis_url, "build")
    return name


@pytest.fixture
def stack(services, template):
    """A fresh copy of the universe."""
    return Stack(services.url(services.new_database(template)), services.redis_url)


def program(name):
    """Return where a server's program is, or skip; with CI set a missing one is a failure."""
    folders = [os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/bin"]
    if shutil.which("pg_config"):
        asked = subprocess.run(
            ["pg_config", "--bindir"], capture_output=True, text=True, check=True
        )
        folders.append(asked.stdout.strip())
    folders += [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"))[::-1]]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse(f"{name} is not installed")
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def postgres(folder):
    data = folder / "postgres"
    data.mkdir(mode=0o700)
    # PostgreSQL refuses to run as root.
    user = _unprivileged(data) if os.geteuid() == 0 else None
    initdb, server, port = program("initdb"), program("postgres"), free_port()
    options = ["-A", "trust", "-U", "lenticular", "-E", "UTF8", "--locale", "C", "--no-sync"]
    made = subprocess.run(
        [initdb, "-D", data, *options],
        user=user,
        cwd=data,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    # Safe from kill -9 of clients, which is what the tests do; not from loss of power.
    fast = ["fsync=off", "full_page_writes=off", f"unix_socket_directories={data}"]
    settings = [part for setting in fast for part in ("-c", setting)]
    command = [server, "-D", data, "-p", str(port), "-h", "127.0.0.1", *settings]
    with running(command, port, folder / "postgres.log", user=user, cwd=data):
        yield port


def _unprivileged(folder):
    user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return user.pw_uid


@contextmanager
def redis(folder):
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    with running([program("redis-server"), *options], port, folder / "redis.log"):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def running(command, port, log, **options):
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, **options)
        try:
            _wait_for(process, port, log)
            yield
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _wait_for(process, port, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"{process.args[0]} did not start: {log.read_text()}")
