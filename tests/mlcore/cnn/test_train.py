"""Training through Zoobot: it learns, it repeats, it resumes, it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from zoobot.pytorch.training.finetune import FinetuneableZoobotTree

from mlcore.cnn.encoder import make_encoder
from mlcore.cnn.network import TreeNetwork
from mlcore.cnn.operators import lightning_precision
from mlcore.cnn.predict import predict
from mlcore.cnn.train import train
from mlcore.cnn.weights import save_weights
from mlcore.errors import ArtefactError, CancelledError, InvalidInputError, NotEnoughVotesError
from mlcore.images import ImageCache


@pytest.fixture
def run(*, cache, rows, counts, handed_tree, config, tmp_path):
    """Train with the tiny survey's arguments, some of them changed."""

    def run(folder="a", changes=None, **arguments):
        given = {"cache": cache, "rows": rows, "counts": counts, "seed": 1, **arguments}
        return train(
            given.pop("cache"),
            given.pop("rows"),
            given.pop("counts"),
            handed_tree,
            replace(config, **(changes or {})),
            directory=tmp_path / folder,
            **given,
        )

    return run


def same(left, right):
    return same_weights(left.network, right.network)


def same_weights(left, right):
    a, b = left.state_dict(), right.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


def total_concentration(models, cache, rows):
    """Return how sure the models are of the first question, on average."""
    return np.mean([predict(each, cache, rows).concentrations[:, :2].sum() for each in models])


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


def test_leaves_torchs_switches_as_they_were(run):
    run()
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory


def test_goes_on_after_a_stop_as_if_there_had_been_none(run, stop_after):
    whole = run("whole")
    with pytest.raises(CancelledError, match="train was stopped on request"):
        run("cut", should_stop=stop_after(19))
    said = []
    resumed = run("cut", on_progress=lambda *each: said.append(each))
    assert [each[1] for each in said] == [pytest.approx(1.0)]
    assert same(whole, resumed)
    assert resumed.history == whole.history


def test_goes_on_with_the_best_epoch_that_there_was(run, stop_after, rows, counts):
    # The more is learned the worse, as the galaxies set apart were voted for the other way.
    set_apart = np.random.default_rng(1).permutation(len(rows))[:16]
    misleading = counts.copy()
    misleading[set_apart] = counts[set_apart ^ 1]
    changes = {"validation_fraction": 0.4, "learning_rate": 0.01, "epochs": 2}
    whole = run("whole", changes, counts=misleading)
    first, second = (epoch["val_loss"] for epoch in whole.history)
    assert first < second
    with pytest.raises(CancelledError):
        run("cut", changes, counts=misleading, should_stop=stop_after(9))
    resumed = run("cut", changes, counts=misleading)
    assert resumed.history == whole.history
    assert same(whole, resumed)


@pytest.mark.parametrize("content", [b"", b"cut short"])
def test_a_damaged_checkpoint_is_begun_again(run, stop_after, tmp_path, content):
    whole = run("whole")
    with pytest.raises(CancelledError):
        run("cut", should_stop=stop_after(19))
    (tmp_path / "cut" / "checkpoints" / "last.ckpt").write_bytes(content)
    said = []
    resumed = run("cut", on_progress=lambda *each: said.append(each))
    assert len(said) == 3
    assert same(whole, resumed)


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


def test_a_kill_after_the_model_leaves_nothing_once_it_is_resumed(run, tmp_path, monkeypatch):
    changes = {"ensemble": 2, "epochs": 1}
    monkeypatch.setattr("mlcore.cnn.train.shutil.rmtree", lambda *_given, **_more: None)
    run("a", changes=changes)
    monkeypatch.undo()
    assert {path.name for path in (tmp_path / "a").iterdir()} > {"network-0", "network-1"}
    run("a", changes=changes)
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


@pytest.mark.parametrize("encoder", ["test_vit", "test_convnext"])
def test_other_architectures_are_trained_in_other_bands(run, encoder, cache, rows):
    larger = ImageCache(cache.images.repeat(2, 1).repeat(2, 2), cache.ids, 48, 1.0)
    changes = {"encoder": encoder, "image_size": 48, "bands": "bg", "layer_decay": 0.7, "epochs": 1}
    found = predict(run(cache=larger, changes=changes), larger, rows[:4])
    assert np.isfinite(found.concentrations).all()


def test_half_precision_can_be_asked_for(run):
    assert np.isfinite(run(changes={"precision": "bf16", "epochs": 1}).history[0]["train_loss"])


def test_half_precision_is_left_to_graphics_cards_that_have_it(monkeypatch):
    assert lightning_precision("auto") == "32-true"
    assert lightning_precision("bf16") == "bf16-mixed"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert lightning_precision("auto") == "bf16-mixed"
    assert lightning_precision("32") == "32-true"


def test_shape_features_come_from_the_whole_cache(run, cache, rows, counts):
    few = ImageCache(cache.images[:30], cache.ids[:30], cache.size, cache.crop_fraction)
    given = {"rows": rows[:20], "counts": counts[:20], "changes": {"epochs": 1}}
    found = [run("same folder", cache=each, **given).network.shapes for each in (cache, few)]
    assert not torch.equal(found[0].even, found[1].even)


def test_without_shape_features_the_head_sees_the_encoder_alone(run):
    network = run(changes={"shape_features": False, "epochs": 1}).network
    assert network.shapes is None
    assert network.encoder_dim == network.encoder.num_features


class TestEnsemble:
    def test_networks_are_those_of_their_seeds(self, run):
        both = run("both", changes={"ensemble": 2, "epochs": 1})
        alone = run("alone", changes={"epochs": 1})
        assert same(both, alone)
        assert len(both.others) == 1
        assert not same_weights(both.network, both.others[0])

    def test_loses_more_certainty_between_what_it_was_taught(self, run, cache, rows):
        model = run(changes={"ensemble": 3, "epochs": 6})
        alone = [replace(model, network=each, others=()) for each in model.networks]
        blended = (cache.images // 2 + np.roll(cache.images, 1, axis=0) // 2).astype(np.uint8)
        strange = ImageCache(blended, cache.ids, cache.size, cache.crop_fraction)
        kept = [
            total_concentration([model], each, rows) / total_concentration(alone, each, rows)
            for each in (cache, strange)
        ]
        assert kept[1] < kept[0] < 1

    def test_goes_on_after_a_stop_with_the_networks_that_are_whole(self, run, stop_after, tmp_path):
        changes = {"ensemble": 2, "epochs": 1}
        whole = run("whole", changes=changes)
        with pytest.raises(CancelledError):
            run("cut", changes=changes, should_stop=stop_after(12))
        said = []
        resumed = run("cut", changes=changes, on_progress=lambda *each: said.append(each))
        assert [each[1:] for each in said] == [(1.0, said[0][2])]
        assert said[0][2].startswith("network 2 of 2, epoch 1 of 1")
        assert same_weights(whole.others[0], resumed.others[0])
        assert {path.name for path in (tmp_path / "cut").iterdir()} == {"model", "training.json"}


def test_a_checkpoint_holds_no_code(handed_tree, config):
    network = TreeNetwork(make_encoder(config.encoder)[0], handed_tree, config)
    assert dict(network.hparams) == {}
