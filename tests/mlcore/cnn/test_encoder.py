"""Encoders by name, with and without the hub."""

import socket
import time
from contextlib import contextmanager, suppress
from threading import Thread

import pytest
import timm
import torch

from mlcore.cnn import encoder as module
from mlcore.cnn.encoder import architecture_of, encoder_of, make_encoder
from mlcore.errors import InvalidInputError
from mlcore.train_config import TrainConfig

PROXIES = [f"{kind}_proxy" for kind in ("http", "https", "all", "no")]
PROXIES += [name.upper() for name in PROXIES]
HUB = "hf_hub:mwalmsley/zoobot-encoder-convnext_atto"


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "mobilenetv4_conv_small_035"])
def test_any_timm_name_makes_features_as_wide_as_it_says(name):
    encoder, origin = make_encoder(name)
    assert encoder(torch.zeros(2, 3, 32, 32)).shape == (2, encoder.num_features)
    assert (origin.name, origin.source) == (name, "scratch")


def test_takes_images_of_other_planes():
    encoder, _ = make_encoder("test_resnet", channels=5)
    assert encoder(torch.zeros(2, 5, 32, 32)).shape[0] == 2


@pytest.mark.parametrize("size", [32, 64])
def test_a_vision_transformer_is_built_for_the_size_asked_for(size):
    encoder, _ = make_encoder("test_vit", channels=2, size=size)
    assert encoder(torch.zeros(2, 2, size, size)).shape == (2, encoder.num_features)


def test_the_settings_say_size_and_planes():
    encoder, _ = encoder_of(TrainConfig(encoder="test_vit", image_size=48, bands="gr"))
    assert encoder(torch.zeros(1, 2, 48, 48)).shape == (1, encoder.num_features)


def test_an_impossible_size_is_refused():
    for name in ("test_vit", "test_convnext"):
        with pytest.raises(InvalidInputError, match=f"image_size must be large enough for {name}"):
            encoder_of(TrainConfig(encoder=name, image_size=8))


def test_weights_follow_the_seed():
    def first_weight():
        torch.manual_seed(3)
        return next(make_encoder("test_resnet")[0].parameters())

    assert torch.equal(first_weight(), first_weight())


def test_an_unknown_name_is_refused():
    with pytest.raises(InvalidInputError, match="encoder must be an architecture that timm knows"):
        make_encoder("resnet_of_tomorrow")


def test_no_planes_are_refused():
    with pytest.raises(InvalidInputError, match="channels must be at least 1, is 0"):
        make_encoder("test_resnet", channels=0)


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("resnet18", "resnet18"),
        (HUB, "convnext_atto"),
        ("hf_hub:mwalmsley/zoobot-encoder-greyscale-convnext_nano", "convnext_nano"),
        ("hf_hub:timm/resnet18", "resnet18"),
    ],
)
def test_a_hub_name_says_its_architecture(name, architecture):
    assert architecture_of(name) == architecture


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    def refuse(*_):
        raise OSError("unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module.hub, "HF_HUB_CACHE", str(tmp_path))


@pytest.mark.usefixtures("no_network")
def test_without_the_hub_the_architecture_starts_from_scratch_and_says_so():
    encoder, origin = make_encoder(HUB)
    assert encoder(torch.zeros(1, 3, 32, 32)).shape == (1, 320)
    assert (origin.name, origin.source) == (HUB, "scratch")
    assert "the hub gave no weights" in origin.reason
    assert module.hub.HF_HUB_OFFLINE is False


@pytest.mark.usefixtures("no_network")
def test_without_the_hub_an_unknown_architecture_is_refused():
    with pytest.raises(InvalidInputError, match="zoobot-encoder-nothing"):
        make_encoder("hf_hub:mwalmsley/zoobot-encoder-nothing")


def test_with_the_hub_its_weights_are_taken(monkeypatch):
    asked = []
    made = type("Encoder", (), {"num_features": 5})

    def answer(name, **options):
        asked.append((name, options))
        return made

    monkeypatch.setattr(module, "_hub_answers", lambda: True)
    monkeypatch.setattr(timm, "create_model", answer)
    encoder, origin = make_encoder(HUB)
    assert (encoder, origin.source) == (made, "hub")
    assert asked == [(HUB, {"pretrained": True, "num_classes": 0, "in_chans": 3})]


@contextmanager
def hub_that(monkeypatch, answer):
    """Be the hub, at an address of our own; `answer` gets each connection."""

    def serve():
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                kept.append(connection)
                answer(connection)

    kept = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        for name in PROXIES:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(module.hub, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        thread = Thread(target=serve)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
    for connection in kept:
        connection.close()


def refuse_politely(connection):
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def talk_nonsense(connection):
    connection.recv(4096)
    connection.sendall(b"220 mail.example ready\r\n")
    connection.close()


def test_a_hub_that_answers_anything_is_there(monkeypatch):
    with hub_that(monkeypatch, refuse_politely):
        assert module._hub_answers() is True


def test_what_is_no_hub_is_not(monkeypatch):
    with hub_that(monkeypatch, talk_nonsense):
        assert module._hub_answers() is False


def test_a_hub_that_hangs_is_given_up_soon_and_named_in_the_origin(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(module.hub, "HF_HUB_CACHE", str(tmp_path))
    with hub_that(monkeypatch, lambda _connection: None):
        begun = time.monotonic()
        _, origin = make_encoder(HUB)
    assert time.monotonic() - begun < 10
    assert (origin.source, origin.name) == ("scratch", HUB)
    assert "the hub gave no weights" in origin.reason
