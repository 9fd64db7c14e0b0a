"""What is not finite stops learning, with a word on what to change, and is never kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mlcore.cnn.divergence import is_finite, require_convergence
from mlcore.cnn.model import CnnModel
from mlcore.cnn.objectives import OBJECTIVES
from mlcore.cnn.predict import predict
from mlcore.cnn.pretrain import pretrain
from mlcore.cnn.train import train
from mlcore.cnn.weights import (
    are_whole_weights,
    load_weights,
    read_checkpoint,
    save_weights,
    write_checkpoint,
)
from mlcore.errors import ArtefactError, CancelledError, FitError

NAN, INF = float("nan"), float("inf")


@pytest.fixture
def learn(*, cache, rows, counts, handed_tree, config, tmp_path):
    """Train on the tiny survey with some other settings."""

    def learn(*, start_from=None, should_stop=None, **changes):
        return train(
            cache,
            rows,
            counts,
            handed_tree,
            replace(config, **changes),
            directory=tmp_path / "train",
            seed=1,
            start_from=start_from,
            should_stop=should_stop,
        )

    return learn


@pytest.fixture
def teach(cache, config, tmp_path):
    """Pretrain on the tiny survey with some other settings."""

    def teach(**changes):
        return pretrain(cache, replace(config, **changes), directory=tmp_path / "pre", seed=1)

    return teach


def spoil(path):
    """Put NaN among the weights of a file."""
    tensors = load_file(path)
    spoil_one(tensors.values())
    save_file(tensors, path)


def spoil_one(tensors):
    with torch.no_grad():
        next(each for each in tensors if each.is_floating_point()).fill_(NAN)


class TestFinite:
    @pytest.mark.parametrize("bad", [NAN, INF, -INF])
    def test_one_number_is_enough(self, bad):
        assert not is_finite([torch.zeros(3), torch.tensor([0.0, bad])])

    def test_whole_numbers_and_nothing_are_finite(self):
        assert is_finite([torch.tensor([3]), torch.zeros(2)])
        assert is_finite([])

    def test_the_setting_the_value_and_the_step_are_named(self):
        with pytest.raises(
            FitError, match=r"rate must be small enough .*, is 7: by step 3 the loss is nan; .*!"
        ):
            require_convergence("rate", 7.0, step=3, losses={"the loss": NAN}, hint="!")
        with pytest.raises(FitError, match="by step 3 a weight is not finite"):
            require_convergence(
                "rate", 7.0, step=3, losses={"the loss": 1.0}, weights=[torch.tensor([INF])]
            )


class TestTraining:
    @pytest.mark.parametrize("validation_fraction", [0.0, 0.4])
    def test_is_stopped_and_leaves_nothing_that_is_not_finite(
        self, learn, tmp_path, validation_fraction
    ):
        with pytest.raises(FitError, match=r"^learning_rate must be .*, is 1e\+12: by step \d"):
            learn(learning_rate=1e12, validation_fraction=validation_fraction)
        assert not (tmp_path / "train" / "model").exists()
        kept = (tmp_path / "train").rglob("*.ckpt")
        assert all(read_checkpoint(path, "state_dict") for path in kept)

    def test_a_long_epoch_does_not_go_on_in_vain(self, learn):
        with pytest.raises(FitError, match="by step 50 the loss is"):
            learn(learning_rate=1e12, steps_per_epoch=120)

    def test_says_that_pretraining_may_be_at_fault(self, learn, teach):
        with pytest.raises(FitError, match=r"another pretrain_learning_rate than 0\.002$"):
            learn(learning_rate=1e12, start_from=teach())

    def test_weights_that_are_not_finite_are_no_start(self, learn, teach):
        path = teach()
        spoil(path)
        with pytest.raises(ArtefactError, match="must hold finite weights"):
            learn(start_from=path)

    def test_a_checkpoint_that_is_not_finite_is_begun_again(self, learn, tmp_path, stop_after):
        whole = learn()
        (tmp_path / "train").rename(tmp_path / "whole")
        with pytest.raises(CancelledError):
            learn(should_stop=stop_after(19))
        last = tmp_path / "train" / "checkpoints" / "last.ckpt"
        state = torch.load(last, weights_only=True)
        spoil_one(state["state_dict"].values())
        torch.save(state, last)
        assert learn().history == whole.history

    def test_a_model_that_is_not_finite_is_made_again(self, learn, tmp_path):
        model = learn()
        spoil_one(model.network.parameters())
        folder = tmp_path / "train" / "model"
        with pytest.raises(FitError, match=r"finite to be kept, those for weights\.safetensors"):
            model.save(folder)
        assert is_finite(learn().network.state_dict().values())


class TestPretraining:
    @pytest.mark.parametrize("objective", list(OBJECTIVES))
    def test_is_stopped_and_keeps_nothing(self, teach, tmp_path, objective):
        with pytest.raises(FitError, match=r"^pretrain_learning_rate must be .*, is 1e\+12: by"):
            teach(pretrain_learning_rate=1e12, pretrain_objective=objective)
        assert not (tmp_path / "pre" / "encoder.safetensors").exists()

    def test_an_encoder_that_is_not_finite_is_made_again(self, teach):
        path = teach()
        whole = path.read_bytes()
        spoil(path)
        assert teach().read_bytes() == whole

    def test_a_step_after_which_weights_are_not_finite_is_not_kept(self, teach, monkeypatch):
        step = torch.optim.AdamW.step

        def spoiled(optimizer, *given, **named):
            step(optimizer, *given, **named)
            optimizer.param_groups[0]["params"][0].data.fill_(INF)

        monkeypatch.setattr(torch.optim.AdamW, "step", spoiled)
        with pytest.raises(FitError, match="by step 1 a weight is not finite"):
            teach(pretrain_steps=1)


class TestKeeping:
    def test_weights_that_are_not_finite_are_neither_written_nor_read(self, tmp_path):
        module, path = torch.nn.Linear(2, 2), tmp_path / "weights.safetensors"
        save_weights(module, path)
        assert are_whole_weights(path)
        whole = path.read_bytes()
        broken = torch.nn.Linear(2, 2)
        torch.nn.init.constant_(broken.bias, INF)
        with pytest.raises(FitError, match="weights must be finite to be kept"):
            save_weights(broken, path)
        assert path.read_bytes() == whole
        spoil(path)
        assert not are_whole_weights(path)
        with pytest.raises(ArtefactError, match="must hold finite weights, holds others"):
            load_weights(module, path)

    @pytest.mark.parametrize(
        "state",
        [
            {"module": {"a": torch.tensor([NAN])}},
            {"other": {}},
            {"module": 3},
            [1],
            {"module": [1]},
        ],
    )
    def test_a_checkpoint_without_finite_weights_is_damaged(self, tmp_path, state):
        torch.save(state, tmp_path / "partial")
        assert read_checkpoint(tmp_path / "partial", "module") == {}

    def test_what_is_no_weight_may_be_infinite(self, tmp_path):
        state = {"module": {"a": torch.ones(1)}, "best": torch.tensor(INF)}
        write_checkpoint(tmp_path / "partial", state)
        assert read_checkpoint(tmp_path / "partial", "module") == state


def test_predictions_that_are_not_finite_are_refused(trained, cache, rows, tmp_path):
    trained.save(tmp_path)
    model = CnnModel.load(tmp_path)
    with torch.no_grad():
        for parameter in model.network.encoder.parameters():
            parameter.fill_(1e38)
    assert is_finite(model.network.state_dict().values())
    with pytest.raises(FitError, match=r"learning_rate must be small .*, is 0\.003, after pretr"):
        predict(model, cache, rows)


def test_the_tiny_survey_is_learnt_from(learn):
    assert np.isfinite([epoch["train_loss"] for epoch in learn().history]).all()
