"""Predictions, their averages over views, and their rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mlcore.cnn.dataset import to_tensor
from mlcore.cnn.predict import predict
from mlcore.cnn.shapes import WIDTH
from mlcore.errors import CancelledError, InvalidInputError
from mlcore.images import ImageCache


def seen_in(model, views):
    return replace(model, config=replace(model.config, average_views=views))


def test_one_view_is_the_network_itself(trained, cache, rows):
    found = predict(seen_in(trained, 1), cache, rows)
    with torch.inference_mode():
        images = to_tensor(cache.images)
        assert np.allclose(found.concentrations, trained.network(images), atol=1e-3)
        assert np.allclose(found.representations, trained.network.features(images), atol=1e-4)


def test_keeps_the_order_of_rows_whatever_the_batch(trained, cache, rows):
    whole = predict(trained, cache, rows)
    some = predict(trained, cache, np.array([7, 3, 3]), batch_size=2)
    assert np.allclose(some.concentrations, whole.concentrations[[7, 3, 3]], atol=1e-3)
    assert np.allclose(some.representations, whole.representations[[7, 3, 3]], atol=1e-4)


def turned(cache, change):
    return ImageCache(np.ascontiguousarray(change(cache.images)), cache.ids, cache.size, 1.0)


def test_eight_views_see_a_quarter_turn_alike(trained, cache, rows):
    model = seen_in(trained, 8)
    there = predict(model, cache, rows).concentrations
    turn = turned(cache, lambda images: np.rot90(images, axes=(1, 2)))
    assert np.allclose(predict(model, turn, rows).concentrations, there, atol=1e-2)


def test_eight_views_swap_handed_answers_with_the_image(trained, cache, rows):
    model = seen_in(trained, 8)
    there = predict(model, cache, rows).concentrations
    flipped = predict(model, turned(cache, lambda images: images[:, :, ::-1]), rows).concentrations
    assert np.allclose(flipped, there[:, trained.tree.mirror], atol=1e-2)


def test_no_rows_have_no_predictions(trained, cache):
    found = predict(trained, cache, np.array([], dtype=int))
    assert (found.concentrations.shape, found.representations.shape) == ((0, 5), (0, 96 + WIDTH))


def test_reports_and_stops(trained, cache, rows, stop_after):
    said = []
    predict(trained, cache, rows, on_progress=lambda *each: said.append(each))
    assert said[-1] == ("predict", 1.0, "40 of 40 galaxies predicted")
    with pytest.raises(CancelledError, match="predict was stopped"):
        predict(trained, cache, rows, should_stop=stop_after(1))


def test_impossible_arguments_are_refused(trained, cache, rows):
    with pytest.raises(InvalidInputError, match="batch_size must be at least 1, is 0"):
        predict(trained, cache, rows, batch_size=0)
    with pytest.raises(InvalidInputError, match=r"rows must be in \[0, 40\), one is -1"):
        predict(trained, cache, np.array([-1]))
    other = ImageCache(cache.images, cache.ids, 24, 0.5)
    with pytest.raises(InvalidInputError, match=r"cache must have \(size, crop_fraction\)"):
        predict(trained, other, rows)
