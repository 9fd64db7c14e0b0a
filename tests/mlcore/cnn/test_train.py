"""Training through Zoobot: it learns, it repeats, it resumes, it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from zoobot.pytorch.training.finetune import FinetuneableZoobotTree

from mlcore.cnn.encoder import make_encoder
from mlcore.cnn.model import save_weights
from mlcore.cnn.network import TreeNetwork
from mlcore.cnn.predict import predict
from mlcore.cnn.train import train
from mlcore.errors import ArtefactError, CancelledError, InvalidInputError, NotEnoughVotesError


@pytest.fixture
def run(*, cache, rows, counts, handed_tree, config, tmp_path):
    """Train with the tiny survey's arguments, some of them changed."""

    def run(folder="a", changes=None, **arguments):
        given = {"rows": rows, "counts": counts, "seed": 1, **arguments}
        return train(
            cache,
            given.pop("rows"),
            given.pop("counts"),
            handed_tree,
            replace(config, **(changes or {})),
            directory=tmp_path / folder,
            **given,
        )

    return run


def same(left, right):
    a, b = left.network.state_dict(), right.network.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


def test_learns_lines_from_blobs(trained, cache, rows):
    found = predict(trained, cache, rows).concentrations
    assert (found[:, 1] > found[:, 0]).tolist() == [row % 2 == 1 for row in rows]


def test_is_zoobots_own_model_with_its_own_head(trained, cache, rows):
    assert isinstance(trained.network, FinetuneableZoobotTree)
    found = predict(trained, cache, rows).concentrations
    assert found.min() > 1
    assert found.max() < 101


def test_is_the_same_for_the_same_seed(run):
    first = run("a")
    assert same(first, run("b"))
    assert not same(first, run("c", seed=2))


def test_does_not_touch_the_callers_random_numbers(run):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run()
    assert torch.equal(torch.rand(3), expected)


def test_goes_on_after_a_stop_as_if_there_had_been_none(run, stop_after):
    whole = run("whole")
    with pytest.raises(CancelledError, match="train was stopped on request"):
        run("cut", should_stop=stop_after(19))
    said = []
    resumed = run("cut", on_progress=lambda *each: said.append(each))
    assert [each[1] for each in said] == [pytest.approx(1.0)]
    assert same(whole, resumed)
    assert resumed.history == whole.history


def test_a_finished_training_is_not_repeated(run):
    said = []
    run("a")
    run("a", on_progress=lambda *each: said.append(each))
    assert said == []
    run("a", seed=3, on_progress=lambda *each: said.append(each))
    assert len(said) == 3


def test_leaves_the_model_and_nothing_else(run, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run("a")
    assert list((tmp_path / "here").iterdir()) == []
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"model", "training.json"}


def test_says_nothing_on_the_terminal(run, capfd):
    run()
    assert capfd.readouterr() == ("", "")


def test_stops_early_and_keeps_the_best_epoch(run):
    model = run(
        changes={"epochs": 12, "patience": 1, "validation_fraction": 0.4, "learning_rate": 0.03}
    )
    losses = [epoch["val_loss"] for epoch in model.history]
    assert len(losses) < 12
    assert min(losses) < losses[-1]


def test_a_validation_split_of_a_few_is_not_made(run):
    model = run(changes={"validation_fraction": 0.2, "epochs": 1})
    assert [epoch["val_loss"] for epoch in model.history] == [None]


def test_records_where_the_encoder_came_from(run, config, tmp_path):
    untaught = run("a", changes={"epochs": 1}).origin
    assert untaught.source == "scratch"
    assert untaught.reason.endswith("not pretrained, taught by votes alone")
    save_weights(make_encoder(config.encoder)[0], tmp_path / "encoder.safetensors")
    started = run("b", changes={"epochs": 1}, start_from=tmp_path / "encoder.safetensors")
    assert started.origin.source == "pretrained-here"


def test_a_frozen_encoder_keeps_weights_and_batch_statistics(run, config, tmp_path):
    encoder, _ = make_encoder(config.encoder)
    save_weights(encoder, tmp_path / "encoder.safetensors")
    model = run(changes={"training_mode": "head_only"}, start_from=tmp_path / "encoder.safetensors")
    after = model.network.encoder.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in encoder.state_dict().items())


def test_galaxies_without_votes_change_nothing(run, rows, counts):
    counts = counts.copy()
    counts[30:] = 0
    assert same(run("a", counts=counts), run("b", rows=rows[:30], counts=counts[:30]))


def test_three_galaxies_and_one_class_are_trained_on(run, rows, counts):
    run("a", rows=rows[:3], counts=counts[:3])
    run("b", rows=rows[::2], counts=counts[::2])


def test_weighted_votes_are_allowed(run, counts):
    assert np.isfinite(run(counts=counts * 0.3).history[-1]["train_loss"])


@pytest.mark.parametrize("few", [slice(0, 0), slice(0, 40)])
def test_no_votes_are_refused(run, rows, few):
    with pytest.raises(NotEnoughVotesError, match="counts must have a galaxy with votes, none of"):
        run(rows=rows[few], counts=np.zeros((len(rows[few]), 5)))


def test_impossible_arguments_are_refused(run, rows, counts):
    with pytest.raises(InvalidInputError, match="counts must be finite and at least 0, one is nan"):
        run(counts=np.full((40, 5), np.nan))
    with pytest.raises(InvalidInputError, match=r"rows must be in \[0, 40\), one is 40"):
        run(rows=rows + 1)
    with pytest.raises(InvalidInputError, match=r"rows must be as many as counts \(40\), are 39"):
        run(rows=rows[1:])
    with pytest.raises(InvalidInputError, match=r"cache must have \(size, crop_fraction\)"):
        run(changes={"crop_fraction": 0.5})


def test_another_encoders_weights_are_refused(run, tmp_path):
    save_weights(make_encoder("test_convnext")[0], tmp_path / "encoder.safetensors")
    with pytest.raises(ArtefactError, match="must hold this network's weights"):
        run(start_from=tmp_path / "encoder.safetensors")
    with pytest.raises(ArtefactError, match="must be readable"):
        run(start_from=tmp_path / "absent.safetensors")


def test_a_checkpoint_holds_no_code(handed_tree, config):
    network = TreeNetwork(make_encoder(config.encoder)[0], handed_tree, config)
    assert dict(network.hparams) == {}
