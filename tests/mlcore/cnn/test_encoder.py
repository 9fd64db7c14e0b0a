"""Encoders by name, with and without the hub."""

import pytest
import timm
import torch
from huggingface_hub import constants as hub

from mlcore.cnn import encoder as module
from mlcore.cnn.encoder import architecture_of, encoder_of, make_encoder
from mlcore.errors import InvalidInputError
from mlcore.train_config import TrainConfig

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
def no_hub(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "fetch_published", lambda _name: "it did not answer")
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))


@pytest.mark.usefixtures("no_hub")
def test_without_the_hub_the_architecture_starts_from_scratch_and_says_so():
    encoder, origin = make_encoder(HUB)
    assert encoder(torch.zeros(1, 3, 32, 32)).shape == (1, 320)
    assert (origin.name, origin.source) == (HUB, "scratch")
    assert origin.reason == (
        "the hub gave no weights (it did not answer): trained from scratch instead"
    )


@pytest.mark.usefixtures("no_hub")
def test_without_the_hub_an_unknown_architecture_is_refused():
    with pytest.raises(InvalidInputError, match="zoobot-encoder-nothing"):
        make_encoder("hf_hub:mwalmsley/zoobot-encoder-nothing")


def test_what_the_hub_gave_is_taken_from_the_cache_alone(monkeypatch):
    asked = []
    made = type("Encoder", (), {"num_features": 5})

    def answer(name, **options):
        asked.append((name, hub.is_offline_mode(), options))
        return made

    monkeypatch.setattr(module, "fetch_published", lambda _name: "")
    monkeypatch.setattr(timm, "create_model", answer)
    encoder, origin = make_encoder(HUB)
    assert (encoder, origin.source) == (made, "hub")
    assert asked == [(HUB, True, {"pretrained": True, "num_classes": 0, "in_chans": 3})]
    assert not hub.is_offline_mode()
