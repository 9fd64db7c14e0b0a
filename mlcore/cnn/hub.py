"""The hub of published weights, asked once and never waited for in vain.

The hub's client tries again for minutes where a hub hangs, and hears nobody meanwhile. So it
works in a process of its own (`mlcore.cnn.hub_download`), which is given up once nothing has
come for a while, or when the caller wants to stop; a download that is slow goes on. What it
fetches lies in the client's cache, from which all loading is done.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from huggingface_hub import constants as settings
from huggingface_hub.file_download import repo_folder_name

from mlcore.progress import ShouldStop, stop_if_asked

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX: Final = "hf_hub:"
_STAGE: Final = "the download of published weights"
_PROGRAM: Final = Path(__file__).with_name("hub_download.py")
_ANSWER_SECONDS: Final = 3.0
# Twice what the client waits for one answer: it may try once more.
_SILENCE_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.1
# Name to why it could not be had, or nothing.
_ASKED: dict[str, str] = {}


def fetch_published(name: str, *, should_stop: ShouldStop | None = None) -> str:
    """Bring the files of a name into the cache; return why not, or nothing where they came.

    A name is asked for once in a process, until `forget_answers`: a second call returns the
    first one's answer at once. Names that do not start with ``hf_hub:`` need no hub.

    Raises
    ------
    CancelledError
        After `should_stop` said so; the hub may be asked again then.
    """
    if not name.startswith(PREFIX):
        return ""
    if name not in _ASKED:
        _ASKED[name] = _ask(name.removeprefix(PREFIX), should_stop)
    return _ASKED[name]


def forget_answers() -> None:
    """Let the hub be asked again, as a new round does."""
    _ASKED.clear()


@contextmanager
def offline() -> Iterator[None]:
    """Let the hub's client use nothing but its cache."""
    before = settings.HF_HUB_OFFLINE
    settings.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        settings.HF_HUB_OFFLINE = before


def _ask(repository: str, should_stop: ShouldStop | None) -> str:
    if settings.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    if not _answers():
        return f"it did not answer within {_ANSWER_SECONDS:g} s"
    try:
        return _download(repository, should_stop)
    except OSError as error:
        return f"its client could not be run: {error}"


def _answers() -> bool:
    """Say whether the hub, or the proxy before it, answers at all, and soon.

    That something accepts the connection is not enough.
    """
    asked = Request(settings.ENDPOINT, method="HEAD")  # noqa: S310 - the client's own address
    try:
        with urlopen(asked, timeout=_ANSWER_SECONDS):  # noqa: S310
            return True
    except HTTPError:
        return True
    except (OSError, HTTPException, ValueError):
        return False


def _download(repository: str, should_stop: ShouldStop | None) -> str:
    told = {
        "HF_ENDPOINT": settings.ENDPOINT,
        "HF_HUB_CACHE": str(settings.HF_HUB_CACHE),
        # It writes as it likes, so that nobody could see whether anything comes.
        "HF_HUB_DISABLE_XET": "1",
    }
    folder = repo_folder_name(repo_id=repository.partition("@")[0], repo_type="model")
    with subprocess.Popen(
        [sys.executable, "-P", str(_PROGRAM), repository],
        env={**os.environ, **told},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as client:
        try:
            return _outcome(client, Path(settings.HF_HUB_CACHE, folder, "blobs"), should_stop)
        finally:
            _end(client)


def _outcome(client: subprocess.Popen[str], blobs: Path, should_stop: ShouldStop | None) -> str:
    """Wait for the client as long as the files grow; return what kept them from coming."""
    most, heard = 0, time.monotonic()
    while client.poll() is None:
        stop_if_asked(should_stop, _STAGE)
        # A download that begins anew again and again comes no further.
        if (size := _bytes_in(blobs)) > most:
            most, heard = size, time.monotonic()
        if time.monotonic() - heard > _SILENCE_SECONDS:
            return f"nothing came for {_SILENCE_SECONDS:g} s"
        time.sleep(_LOOK_SECONDS)
    said = client.stdout.read() if client.stdout else ""
    return said or ("" if client.returncode == 0 else f"its client ended with {client.returncode}")


def _bytes_in(folder: Path) -> int:
    size = 0
    with suppress(OSError):
        for path in folder.iterdir():
            size += path.stat().st_size
    return size


def _end(client: subprocess.Popen[str]) -> None:
    """Let the client tidy up; a client that does not is killed."""
    client.terminate()
    try:
        client.wait(5)
    except subprocess.TimeoutExpired:
        client.kill()
