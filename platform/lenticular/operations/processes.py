"""The processes of the embedded stack: started together, watched, stopped together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, Self

from lenticular.common.errors import LenticularError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType, TracebackType

STOP_SECONDS = 10.0
POLL_SECONDS = 0.2


class ProcessError(LenticularError):
    """A process of the stack did not start, or ended by itself."""

    status = 500
    kind = "process"
    title = "A process ended"


@dataclass
class Stack:
    """Child processes, each in a session of its own so that Ctrl-C reaches us first.

    Used as a context manager: leaving it stops every process, and whatever those
    started, first kindly and then surely.

    Attributes
    ----------
    logs
        Folder of one log per process; None leaves their output on the terminal.
    """

    logs: Path | None = None
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Start ``python -m module arguments`` under `name`."""
        with self._output(name) as output:
            self.children[name] = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise ProcessError where a process has ended by itself."""
        for name, child in self.children.items():
            if (code := child.poll()) is not None:
                raise ProcessError(f"{name} ended by itself with status {code}{self._where(name)}")

    def wait(self) -> None:
        """Return never: watch the processes until one ends, or until interrupted."""
        while True:
            self.check()
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop every process, the last started first, and wait until all are gone."""
        for child in reversed(self.children.values()):
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
            _signal(child, signal.SIGKILL)
            child.wait()
        self.children.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    @contextlib.contextmanager
    def _output(self, name: str) -> Iterator[int | None]:
        if self.logs is None:
            yield None
            return
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.logs / f"{name}.log").open("ab") as log:
            yield log.fileno()

    def _where(self, name: str) -> str:
        return f"; see {self.logs / f'{name}.log'}" if self.logs else ""


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the child's whole session, so that its own children end too."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def wait_until_served(stack: Stack, address: str, *, seconds: float = 60.0) -> None:
    """Wait until `address` answers; raise ProcessError where it does not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        stack.check()
        if _answers(address):
            return
        time.sleep(POLL_SECONDS)
    raise ProcessError(f"{address} must answer within {seconds:g} seconds, does not")


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).close()  # noqa: S310  (our own address)
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def start_web(stack: Stack, *, host: str, port: int) -> str:
    """Start the web server, wait until it answers, and return its address."""
    stack.start(
        "web",
        "uvicorn",
        "lenticular.asgi:application",
        *("--host", host, "--port", str(port), "--log-level", "warning"),
    )
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}/"
    wait_until_served(stack, address)
    return address


def start_worker(stack: Stack, *, home: Path) -> None:
    """Start the one worker of the embedded stack, with the schedule inside it."""
    stack.start(
        "worker",
        "celery",
        *("-A", "lenticular", "worker", "--beat", "--schedule", str(home / "beat")),
        *("--queues", "default,gpu", "--concurrency", "1", "--loglevel", "INFO"),
    )


def stop_on_termination() -> None:
    """Have SIGTERM end this process as Ctrl-C does, so that it stops what it started.

    Ctrl-C is set again, too: a process that a script starts in the background ignores it.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)
