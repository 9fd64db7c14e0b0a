"""Pretraining: that it learns, that it goes on after a kill, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mlcore.cnn.encoder import make_encoder
from mlcore.cnn.objectives import OBJECTIVES
from mlcore.cnn.pretrain import pretrain
from mlcore.cnn.weights import load_weights, save_weights
from mlcore.errors import ArtefactError, CancelledError, InvalidInputError, NotEnoughVotesError
from mlcore.images import ImageCache


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_learns_whatever_it_is_asked_for(cache, config, tmp_path, objective):
    losses = []

    def listen(stage, fraction, message):
        losses.append(float(message.rsplit(" ", 1)[-1]))
        assert (stage, fraction) == ("pretrain", len(losses) / 30)
        assert f"{objective} loss" in message

    longer = replace(
        config, pretrain_objective=objective, pretrain_steps=30, pretrain_batch_size=16
    )
    path = pretrain(cache, longer, directory=tmp_path, seed=0, on_progress=listen)
    assert np.mean(losses[-5:]) < 0.97 * np.mean(losses[:5])
    load_weights(make_encoder(config.encoder)[0], path)


@pytest.mark.parametrize("damage", [b"", b"cut short", "another"])
def test_a_damaged_checkpoint_is_begun_again(
    cache, config, tmp_path, stop_after, *, damage, monkeypatch
):
    monkeypatch.setattr("mlcore.cnn.pretrain._CHECKPOINT_STEPS", 2)
    with pytest.raises(CancelledError):
        pretrain(cache, config, directory=tmp_path, seed=1, should_stop=stop_after(3))
    partial = tmp_path / "pretrain.partial"
    if damage == "another":
        torch.save([1, 2], partial)
    else:
        partial.write_bytes(damage)
    steps = []
    pretrain(cache, config, directory=tmp_path, seed=1, on_progress=lambda *e: steps.append(e))
    assert len(steps) == 4


def test_is_the_same_for_the_same_seed(cache, config, tmp_path):
    def weights(name, seed):
        return load_file(pretrain(cache, config, directory=tmp_path / name, seed=seed))

    first, again, other = weights("a", 1), weights("b", 1), weights("c", 2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_goes_on_after_a_kill_as_if_there_had_been_none(
    cache, config, tmp_path, stop_after, monkeypatch
):
    monkeypatch.setattr("mlcore.cnn.pretrain._CHECKPOINT_STEPS", 2)
    whole = pretrain(cache, config, directory=tmp_path / "whole", seed=1)
    with pytest.raises(CancelledError, match="pretrain was stopped"):
        pretrain(cache, config, directory=tmp_path / "cut", seed=1, should_stop=stop_after(3))
    steps = []
    resumed = pretrain(
        cache,
        config,
        directory=tmp_path / "cut",
        seed=1,
        on_progress=lambda *each: steps.append(each),
    )
    assert len(steps) == 2
    assert resumed.read_bytes() == whole.read_bytes()
    assert not (tmp_path / "cut" / "pretrain.partial").exists()


def test_a_finished_encoder_is_returned_as_it_is(cache, config, tmp_path):
    steps = []

    def again(**changes):
        steps.clear()
        changed = replace(config, **changes)
        pretrain(cache, changed, directory=tmp_path, seed=1, on_progress=lambda *e: steps.append(e))
        return len(steps)

    assert again() == 4
    assert again() == 0
    assert again(epochs=99) == 0
    assert again(pretrain_steps=3) == 3


def test_goes_on_from_an_earlier_encoder(cache, config, tmp_path):
    encoder, _ = make_encoder(config.encoder)
    save_weights(encoder, tmp_path / "start.safetensors")
    short = replace(config, pretrain_steps=1, pretrain_learning_rate=1e-9)
    path = pretrain(
        cache, short, directory=tmp_path, seed=1, start_from=tmp_path / "start.safetensors"
    )
    name = next(iter(encoder.state_dict()))
    assert torch.allclose(load_file(path)[name], encoder.state_dict()[name], atol=1e-5)


def test_another_encoders_weights_are_refused(cache, config, tmp_path):
    save_weights(make_encoder("test_convnext")[0], tmp_path / "start.safetensors")
    with pytest.raises(ArtefactError, match="must hold this network's weights"):
        pretrain(
            cache, config, directory=tmp_path, seed=1, start_from=tmp_path / "start.safetensors"
        )


def test_one_image_is_too_few(config, tmp_path):
    alone = ImageCache(np.zeros((1, 24, 24, 3), np.uint8), ("a",), 24, 1.0)
    with pytest.raises(NotEnoughVotesError, match="cache must have at least 2 images, has 1"):
        pretrain(alone, config, directory=tmp_path, seed=1)


def test_a_cache_of_another_size_is_refused(cache, config, tmp_path):
    with pytest.raises(
        InvalidInputError, match=r"cache must have \(size, crop_fraction\) \(32, 1.0\)"
    ):
        pretrain(cache, replace(config, image_size=32), directory=tmp_path, seed=1)


def test_no_pretraining_is_not_called_pretrained(cache, config, tmp_path):
    with pytest.raises(InvalidInputError, match="pretrain_steps must be at least 1, is 0"):
        pretrain(cache, replace(config, pretrain_steps=0), directory=tmp_path, seed=1)
    assert not list(tmp_path.iterdir())
