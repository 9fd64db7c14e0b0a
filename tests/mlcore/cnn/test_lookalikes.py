"""Look-alikes: what is learnt from few votes, mirrored votes, files on disk, and bad ones."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from mlcore.cnn.dataset import to_tensor
from mlcore.cnn.encoder import make_encoder
from mlcore.cnn.lookalikes import (
    LookalikeBasis,
    Lookalikes,
    unseen_fractions,
)
from mlcore.cnn.model import CnnModel
from mlcore.cnn.shapes import ShapeFeatures
from mlcore.cnn.untaught import Untaught, untaught
from mlcore.cnn.weights import save_weights
from mlcore.errors import ArtefactError, CancelledError, InvalidInputError
from mlcore.gp.vote_regression import RegressionConfig, effective_votes, fit_vote_regression
from mlcore.images import ImageCache


@pytest.fixture(scope="module")
def shapes(cache):
    return ShapeFeatures(3).fit([to_tensor(np.array(cache.images))])


@pytest.fixture(scope="module")
def features(shapes):
    torch.manual_seed(0)
    return Untaught(make_encoder("test_resnet")[0], shapes)


@pytest.fixture(scope="module")
def learned(features, cache, rows, config):
    return LookalikeBasis.learn(features, cache, rows, config, seed=0)


@pytest.fixture(scope="module")
def lookalikes(learned, counts, handed_tree):
    return Lookalikes.taught(*learned, counts, handed_tree)


def test_a_handful_of_votes_tells_bars_from_blobs(features, cache, counts, handed_tree, config):
    few = np.arange(12)
    basis, known = LookalikeBasis.learn(features, cache, few, config, seed=0)
    taught = Lookalikes.taught(basis, known, counts[few], handed_tree)
    said = taught.fractions(to_tensor(np.array(cache.images[12:])), 4)
    right = np.mean(said[:, :2].argmax(axis=1) == counts[12:, :2].argmax(axis=1))
    assert right >= 0.9
    assert said[:, :2].sum(axis=1) == pytest.approx(np.ones(28))


def test_galaxies_and_their_mirror_images_are_seen_from_four_sides(features, cache):
    images = to_tensor(np.array(cache.images[:2]))
    sides = features.sides(images, 8)
    turns = [torch.rot90(images.flip(3), turn, (2, 3)) for turn in range(4)]
    mirrored = torch.stack([features(each) for each in turns]).mean(dim=0)
    assert sides.shape[1] == 2
    assert sides[:, 1] == pytest.approx(mirrored.numpy(), abs=1e-5)
    assert features.sides(images, 1)[:, 0] == pytest.approx(features(images).numpy(), abs=1e-5)


@pytest.mark.parametrize("views", [2, 8])
def test_a_mirror_image_gets_the_mirrored_votes(lookalikes, cache, handed_tree, views):
    images = to_tensor(np.array(cache.images[:6]))
    there, back = (lookalikes.fractions(each, views) for each in (images, images.flip(3)))
    assert back == pytest.approx(there[:, np.array(handed_tree.mirror)], abs=1e-4)


def test_votes_are_worth_what_the_regression_says_and_halved(learned, handed_tree):
    basis, known = learned
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 6, (len(known), 5)).astype(float)
    worth = np.zeros_like(counts)
    for row, part in product(range(len(counts)), (slice(0, 2), slice(2, 5))):
        votes = counts[row, part].sum()
        if votes:
            worth[row, part] = counts[row, part] / votes * effective_votes(votes, 0.3) / 2
    sides = np.concatenate([worth, worth[:, np.array(handed_tree.mirror)]])
    direct = fit_vote_regression(
        np.concatenate([known[:, 0], known[:, 1]]), sides, handed_tree, RegressionConfig(rho=0.0)
    )
    taught = Lookalikes.taught(basis, known, counts, handed_tree)
    assert taught.weights == pytest.approx(direct.weights, abs=1e-6)


def test_rare_answers_are_heeded_as_much_as_the_network_heeds_them(learned, handed_tree):
    basis, known = learned
    counts = np.zeros((40, 5))
    counts[:, 0] = 1.0
    counts[:10] = [0, 1, 0, 1, 0]
    heeded = counts.copy()
    # Three in four are drawn 3 ** 0.5 times less often than the others, each.
    heeded[10:] *= 40 / (30 + 10 * 3**0.5)
    heeded[:10] *= 40 * 3**0.5 / (30 + 10 * 3**0.5)
    taught = Lookalikes.taught(basis, known, counts, handed_tree, balance=0.5)
    sides = np.concatenate([heeded, heeded[:, np.array(handed_tree.mirror)]]) / 2
    direct = fit_vote_regression(
        np.concatenate([known[:, 0], known[:, 1]]), sides, handed_tree, RegressionConfig(rho=0.0)
    )
    assert taught.weights == pytest.approx(direct.weights, abs=1e-6)
    evenly = Lookalikes.taught(basis, known, counts, handed_tree)
    images = to_tensor(np.zeros((2, 24, 24, 3), np.uint8))
    assert (taught.fractions(images, 2)[:, 1] > evenly.fractions(images, 2)[:, 1]).all()
    unseen = [
        unseen_fractions(known, counts, handed_tree, folds=4, seed=2, balance=balance)
        for balance in (0.0, 0.5)
    ]
    assert unseen[1][:, 1].mean() > unseen[0][:, 1].mean()


def test_nobody_is_judged_by_their_own_votes(learned, counts, handed_tree):
    known = learned[1]
    before = unseen_fractions(known, counts, handed_tree, folds=4, seed=2)
    changed = counts.copy()
    changed[3] = [0, 5, 5, 0, 0] if counts[3, 0] else [5, 0, 0, 0, 0]
    after = unseen_fractions(known, changed, handed_tree, folds=4, seed=2)
    assert after[3] == pytest.approx(before[3], abs=1e-9)
    assert np.abs(after - before).max() > 1e-4


def test_the_features_are_what_the_network_began_with(config, shapes, tmp_path):
    assert untaught(config, None, None) is None
    alone = untaught(config, shapes, None)
    assert alone.encoder is None
    encoder = make_encoder(config.encoder)[0]
    save_weights(encoder, tmp_path / "encoder.safetensors")
    images, state = torch.rand(2, 3, 24, 24), torch.random.get_rng_state()
    both = untaught(config, shapes, tmp_path / "encoder.safetensors")
    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.inference_mode():
        assert torch.allclose(both(images)[:, :-40], encoder.eval()(images), atol=1e-5)
    assert torch.equal(both(images)[:, -40:], alone(images))


@pytest.mark.parametrize("encoder", [True, False])
def test_is_kept_with_the_model(trained, lookalikes, cache, encoder, tmp_path):
    if not encoder:
        basis = replace(lookalikes.basis, features=Untaught(None, lookalikes.basis.features.shapes))
        narrow = LookalikeBasis.learn(basis.features, cache, np.arange(40), trained.config, seed=0)
        lookalikes = Lookalikes.taught(*narrow, np.ones((40, 5)), trained.tree)
    replace(trained, lookalikes=lookalikes).save(tmp_path)
    loaded = CnnModel.load(tmp_path).lookalikes
    images = to_tensor(np.array(cache.images[:5]))
    assert (loaded.basis.features.encoder is not None) == encoder
    assert loaded.fractions(images, 4) == pytest.approx(lookalikes.fractions(images, 4), abs=1e-6)


@pytest.mark.parametrize("name", ["lookalikes.npz", "untaught.safetensors"])
def test_a_damaged_file_is_refused(trained, lookalikes, name, tmp_path):
    replace(trained, lookalikes=lookalikes).save(tmp_path)
    (tmp_path / name).write_bytes(b"cut short")
    with pytest.raises(ArtefactError, match=f"{name} must have the recorded sha256"):
        CnnModel.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ArtefactError, match=f"{name} must be readable"):
        CnnModel.load(tmp_path)


def test_galaxies_that_all_look_the_same_are_refused(features, config):
    same = ImageCache(np.full((6, 24, 24, 3), 9, np.uint8), tuple("abcdef"), 24, 1.0)
    with pytest.raises(InvalidInputError, match="must have a column that is finite and varies"):
        LookalikeBasis.learn(features, same, np.arange(6), config, seed=0)


def test_stops_when_asked(features, cache, rows, config, stop_after):
    with pytest.raises(CancelledError):
        LookalikeBasis.learn(features, cache, rows, config, seed=0, should_stop=stop_after(0))
