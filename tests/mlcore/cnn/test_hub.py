"""A hub of our own that answers, refuses, hangs or crawls, and what becomes of who asks it."""

import json
import time
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest
import timm
import torch
from safetensors.torch import save

from mlcore.cnn import hub
from mlcore.cnn.encoder import make_encoder
from mlcore.cnn.hub import fetch_published, forget_answers
from mlcore.errors import CancelledError
from mlcore.round_encoder import pretrained
from mlcore.round_files import RoundFiles
from mlcore.round_plan import RoundConfig, RoundPlan

NAME = "hf_hub:mwalmsley/zoobot-encoder-test_resnet"
ELSEWHERE = "hf_hub:mwalmsley/zoobot-encoder-test_convnext"
# The client has to start within it, on a machine that has other work.
SILENCE = 4.0
PROXIES = [f"{kind}_proxy" for kind in ("http", "https", "all", "no")]
PROXIES += [name.upper() for name in PROXIES]


class Hub:
    """Serves one encoder; each request goes through `before`, each body through `send`."""

    def __init__(self, files):
        self.files, self.asked, self.closing = files, [], Event()

    def before(self, method, path):
        """Called before a request is answered."""

    def send(self, path, content, write):
        """Write the body of an answer."""
        write(content)

    def hang(self):
        self.closing.wait(60)


def handler_of(served):
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer("HEAD")

        def do_GET(self):
            self.answer("GET")

        def answer(self, method):
            served.asked.append((method, self.path))
            served.before(method, self.path)
            content = served.files.get(self.path.rsplit("/", 1)[-1])
            self.send_response(404 if content is None else 200)
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("ETag", f'"{len(content or b"")}"')
            self.send_header("Content-Length", str(len(content or b"")))
            if content is None:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.end_headers()
            if method == "GET" and content:
                served.send(self.path, content, self.wfile.write)

        def log_message(self, *_):
            pass

    return Handler


@pytest.fixture(scope="module")
def files():
    """What the hub holds of an encoder: the root, its description and its weights."""
    model = timm.create_model("test_resnet", num_classes=0)
    described = {"architecture": "test_resnet", "num_features": model.num_features}
    described["pretrained_cfg"] = {"input_size": [3, 64, 64], "num_classes": 0}
    weights = {name: torch.full_like(value, 2) for name, value in model.state_dict().items()}
    return {
        "": b"",
        "config.json": json.dumps(described).encode(),
        "model.safetensors": save(weights),
    }


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr(hub.settings, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub, "_SILENCE_SECONDS", SILENCE)
    forget_answers()
    yield
    forget_answers()


@contextmanager
def serving(served, monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(served)) as server:
        # Who was given up may still be on its thread.
        server.handle_error = lambda *_: None
        address = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setattr(hub.settings, "ENDPOINT", address)
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            served.closing.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def served(files, monkeypatch):
    """A hub that works; a test spoils it."""
    served = Hub(files)
    with serving(served, monkeypatch):
        yield served


def asked_of(served):
    return [path.rsplit("/", 1)[-1] for _, path in served.asked if "resolve" in path]


def test_its_weights_are_taken_and_it_is_asked_once(served):
    encoder, origin = make_encoder(NAME)
    assert (origin.source, origin.name) == ("hub", NAME)
    assert all((each == 2).all() for each in encoder.parameters())
    before = len(served.asked)
    assert make_encoder(NAME)[1] == origin
    assert len(served.asked) == before


def test_what_is_in_the_cache_serves_once_the_hub_is_gone(served):
    make_encoder(NAME)
    forget_answers()
    served.before = lambda *_: served.hang()
    assert make_encoder(NAME)[1].source == "hub"


def test_a_revision_can_be_named(served):
    assert fetch_published(f"{NAME}@old") == ""
    assert all("/resolve/old/" in path for _, path in served.asked if "resolve" in path)


def test_other_names_ask_nobody(served):
    assert fetch_published("resnet18") == ""
    assert served.asked == []


def test_a_hub_that_says_nothing_is_given_up_at_once(served, monkeypatch):
    monkeypatch.setattr(hub, "_ANSWER_SECONDS", 0.3)
    served.before = lambda *_: served.hang()
    begun = time.monotonic()
    assert fetch_published(NAME) == "it did not answer within 0.3 s"
    assert time.monotonic() - begun < SILENCE


def test_a_hub_that_is_away_is_given_up_at_once(monkeypatch):
    monkeypatch.setattr(hub.settings, "ENDPOINT", "http://127.0.0.1:9")
    assert "did not answer" in fetch_published(NAME)


def test_what_is_no_hub_says_what_its_client_made_of_it(served):
    served.files = {"": b""}
    assert fetch_published(NAME) == "RemoteEntryNotFoundError"


def test_a_hub_kept_away_by_the_settings_is_not_asked(served, monkeypatch):
    monkeypatch.setattr(hub.settings, "HF_HUB_OFFLINE", True)
    assert fetch_published(NAME) == "HF_HUB_OFFLINE is set"
    assert served.asked == []


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_one_that_hangs_on_the_file_is_given_up_once_and_the_record_says_why(served, method):
    def before(asked, path):
        if asked == method and path.endswith(".safetensors"):
            served.hang()

    served.before = before
    begun = time.monotonic()
    _, origin = make_encoder(NAME)
    assert time.monotonic() - begun < SILENCE + 5
    assert origin.source == "scratch"
    assert f"nothing came for {SILENCE:g} s" in origin.reason
    begun = time.monotonic()
    assert [make_encoder(NAME)[1] for _ in range(9)] == [origin] * 9
    assert time.monotonic() - begun < 2
    assert asked_of(served).count("model.safetensors") <= 2


def test_one_that_stalls_in_the_file_is_given_up(served, monkeypatch):
    # Each time the client tries again it gets as much, and no more.
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "1")

    def send(path, content, write):
        write(content[: 3 << 16] if path.endswith(".safetensors") else content)
        if path.endswith(".safetensors"):
            served.hang()

    served.send = send
    begun = time.monotonic()
    assert fetch_published(NAME) == f"nothing came for {SILENCE:g} s"
    assert time.monotonic() - begun < SILENCE + 6
    assert len(served.asked) > 5
    left = [path.name for path in (hub.Path(hub.settings.HF_HUB_CACHE)).rglob("*.incomplete")]
    assert left == []


def test_a_slow_one_that_goes_on_is_waited_for(served):
    def send(_path, content, write):
        for start in range(0, len(content), 1 << 17):
            write(content[start : start + (1 << 17)])
            time.sleep(0.7)

    served.send = send
    begun = time.monotonic()
    _, origin = make_encoder(NAME)
    assert origin.source == "hub"
    assert time.monotonic() - begun > SILENCE + 1


def test_who_is_asked_to_stop_stops_at_once(served):
    served.before = lambda _method, path: served.hang() if "resolve" in path else None
    begun = time.monotonic()
    with pytest.raises(CancelledError, match="the download of published weights was stopped"):
        fetch_published(NAME, should_stop=lambda: time.monotonic() - begun > 1)
    assert time.monotonic() - begun < SILENCE
    served.before = lambda *_: None
    assert fetch_published(NAME) == ""


def test_a_round_asks_where_it_can_be_stopped(served, cache, config, handed_tree, tmp_path):
    served.before = lambda _method, path: served.hang() if "resolve" in path else None
    config = RoundConfig(train=replace(config, encoder=NAME))
    files = RoundFiles(RoundPlan(handed_tree, 5, config, tmp_path), tmp_path, None, lambda: True)
    begun = time.monotonic()
    with pytest.raises(CancelledError, match="published weights"):
        pretrained(files, cache, "train", 0.0, 1.0)
    assert time.monotonic() - begun < SILENCE
