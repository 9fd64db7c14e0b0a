"""Batches: what they hold, and that flips and votes go together."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlcore.cnn.dataset import (
    LabelledGalaxies,
    PlainBatches,
    TrainingBatches,
    augment,
    dihedral_views,
    sampling_weights,
    to_tensor,
)
from mlcore.images import ImageCache


@pytest.fixture
def still(config):
    """No change but the rotation and the flip."""
    return replace(config, zoom=0.0, shift=0.0, brightness=0.0)


def test_pixels_become_standardised_planes():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    images[1, 3, 4, 2] = 255
    tensor = to_tensor(images)
    assert (tensor.shape, tensor.dtype) == ((2, 3, 8, 8), torch.float32)
    assert tensor[1, 2, 3, 4] == pytest.approx((1 - 0.1) / 0.15)
    assert tensor[0, 0, 0, 0] == pytest.approx(-0.1 / 0.15)


@pytest.mark.parametrize(("bands", "planes"), [("g", [1]), ("bgr", [2, 1, 0]), ("rb", [0, 2])])
def test_bands_choose_planes_and_their_order(bands, planes):
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    assert torch.equal(to_tensor(images, bands), to_tensor(images)[:, planes])


class TestAugment:
    def test_turns_keep_a_round_image(self, still):
        y, x = np.indices((33, 33)) - 16
        blob = torch.exp(-torch.tensor(x**2 + y**2) / 30.0).float().expand(6, 3, 33, 33)
        changed, _ = augment(blob, still, torch.Generator().manual_seed(0), mirror=True)
        assert (changed - blob).abs().max() < 0.04

    def test_turns_every_galaxy_by_another_angle(self, still):
        line = torch.zeros(8, 1, 33, 33)
        line[:, :, 16, 4:29] = 1
        changed, _ = augment(line, still, torch.Generator().manual_seed(0), mirror=False)
        assert len({tuple(each.flatten().round().int().tolist()) for each in changed}) == 8

    def test_says_which_galaxies_it_flipped(self, still):
        # A comma: its second moment xy about the brightest arm changes sign when flipped.
        hook = torch.zeros(64, 1, 33, 33)
        hook[:, :, 16, 6:27] = 1
        hook[:, :, 17:24, 26] = 1
        hook[:, :, 9:16, 6] = 1
        changed, flipped = augment(hook, still, torch.Generator().manual_seed(1), mirror=True)
        best = {False: hook[:1], True: hook[:1].flip(3)}
        turned = {
            side: torch.cat([rotated(image, degrees) for degrees in range(0, 360, 10)])
            for side, image in best.items()
        }
        nearest = [
            min(turned, key=lambda side: (turned[side] - each).pow(2).sum((1, 2, 3)).min())
            for each in changed
        ]
        assert nearest == flipped.tolist()
        assert 16 < flipped.sum() < 48

    def test_without_mirror_nothing_is_flipped(self, still):
        images = torch.rand(16, 3, 9, 9)
        assert not augment(images, still, torch.Generator(), mirror=False)[1].any()

    def test_follows_its_generator(self, config):
        images = torch.rand(4, 3, 9, 9)
        twice = [
            augment(images, config, torch.Generator().manual_seed(5), mirror=True) for _ in "ab"
        ]
        assert torch.equal(twice[0][0], twice[1][0])


def rotated(image, degrees):
    angle = torch.tensor(degrees * torch.pi / 180)
    cos, sin = torch.cos(angle), torch.sin(angle)
    matrix = torch.stack([torch.stack([cos, -sin, cos * 0]), torch.stack([sin, cos, cos * 0])])[
        None
    ]
    grid = torch.nn.functional.affine_grid(matrix, list(image.shape), align_corners=False)
    return torch.nn.functional.grid_sample(image, grid, align_corners=False)


def test_eight_views_are_the_symmetries_of_the_square():
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    views = [
        (tuple(view.flatten().tolist()), flipped) for view, flipped in dihedral_views(image, 8)
    ]
    assert len({pixels for pixels, _ in views}) == 8
    assert [flipped for _, flipped in views] == [False] * 4 + [True] * 4
    assert len(list(dihedral_views(image, 1))) == 1


def test_two_views_are_the_image_and_its_mirror_image():
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    (there, is_flipped), (back, is_too) = dihedral_views(image, 2)
    assert torch.equal(there, image)
    assert torch.equal(back, image.flip(3))
    assert (is_flipped, is_too) == (False, True)


class TestSamplingWeights:
    @given(arrays(np.int64, (9, 5), elements=st.integers(0, 6)), st.sampled_from([0.0, 0.5, 1.0]))
    def test_each_answer_is_drawn_by_its_frequency_to_the_power(self, handed_tree, counts, balance):
        weights = sampling_weights(counts.astype(float), handed_tree, balance)
        answers = [int(np.argmax(k[:2])) if k[:2].sum() else -1 for k in counts]
        expected = np.array([Counter(answers)[answer] ** -balance for answer in answers])
        assert np.allclose(weights, expected / expected.sum())

    def test_one_class_is_drawn_evenly(self, handed_tree):
        counts = np.tile([5.0, 0, 0, 0, 0], (4, 1))
        assert sampling_weights(counts, handed_tree, 1.0).tolist() == [0.25] * 4


@pytest.fixture
def galaxies(cache, rows, counts, handed_tree):
    return LabelledGalaxies(cache, rows, counts, handed_tree)


class TestTrainingBatches:
    def test_hold_an_image_and_every_label_column(self, galaxies, config):
        batches = list(TrainingBatches(galaxies, config, seed=0))
        assert len(batches) == 8
        assert set(batches[0]) == {"image", *galaxies.tree.label_cols}
        assert batches[0]["image"].shape == (8, 3, 24, 24)
        assert {tensor.shape for name, tensor in batches[0].items() if name != "image"} == {(8,)}

    def test_each_epoch_differs_and_can_be_drawn_again(self, galaxies, config):
        batches = TrainingBatches(galaxies, config, seed=0)
        first = next(iter(batches))["image"]
        batches.epoch = 1
        assert not torch.equal(first, next(iter(batches))["image"])
        batches.epoch = 0
        assert torch.equal(first, next(iter(batches))["image"])

    def test_handed_votes_follow_the_flip_and_others_do_not(self, handed_tree, still):
        # Left is bright on every image; after a flip and no turn, right is.
        images = np.zeros((6, 24, 24, 3), np.uint8)
        cache = ImageCache(images, tuple("abcdef"), 24, 1.0)
        counts = np.tile([1.0, 4.0, 4.0, 0.0, 0.0], (6, 1))
        galaxies = LabelledGalaxies(cache, np.arange(6), counts, handed_tree)
        seen = Counter()
        for batch in TrainingBatches(galaxies, replace(still, steps_per_epoch=20), seed=0):
            for place in range(8):
                seen[tuple(int(batch[column][place]) for column in handed_tree.label_cols)] += 1
        assert set(seen) == {(1, 4, 4, 0, 0), (1, 4, 0, 4, 0)}
        assert min(seen.values()) > 50

    def test_without_mirror_votes_stay(self, galaxies, config):
        unflipped = TrainingBatches(galaxies, replace(config, mirror=False), seed=0)
        assert all((batch["winding_anticlockwise"] == 0).all() for batch in unflipped)


def test_plain_batches_go_through_everything_once_in_order(galaxies, config):
    batches = PlainBatches(galaxies, config)
    together = list(batches)
    assert (len(batches), [len(each["image"]) for each in together]) == (3, [16, 16, 8])
    found = torch.cat([batch["shape_round"] for batch in together])
    assert found.tolist() == galaxies.counts[:, 0].tolist()
    assert torch.equal(
        torch.cat([each["image"] for each in together]), to_tensor(galaxies.cache.images)
    )
