"""What a network looked at, by integrated gradients."""

import numpy as np
import pytest
import torch

from mlcore.cnn.attribution import attributions, heat_picture
from mlcore.cnn.dataset import to_tensor
from mlcore.errors import CancelledError, InvalidInputError


@torch.inference_mode()
def log_odds(model, images, answer, other):
    logs = model.network(to_tensor(images)).log().numpy()
    return logs[:, answer] - (logs[:, other] if other != answer else 0.0)


@pytest.mark.parametrize(("answer", "other"), [(1, 0), (2, 2)])
def test_the_pixels_add_up_to_what_the_image_changes(trained, bars_and_blobs, answer, other):
    images = bars_and_blobs[:3]
    pixels = (np.full(3, answer), np.full(3, other))
    found = attributions(trained, images, *pixels, steps=400)
    sky = np.zeros_like(images)
    change = log_odds(trained, images, answer, other) - log_odds(trained, sky, answer, other)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), change, atol=0.1)


def test_the_other_way_round_is_the_opposite(trained, bars_and_blobs):
    there = attributions(trained, bars_and_blobs[:2], np.array([1, 1]), np.array([0, 0]))
    back = attributions(trained, bars_and_blobs[:2], np.array([0, 0]), np.array([1, 1]))
    np.testing.assert_allclose(there, -back, atol=1e-5)


def test_the_galaxy_and_not_the_empty_sky_speaks(trained, bars_and_blobs):
    image = bars_and_blobs[:1].copy()
    image[:, :6] = 0
    found = attributions(trained, image, np.array([0]), np.array([1]))
    assert np.abs(found[0, :6]).max() == 0
    assert np.abs(found[0, 8:16]).max() > 0


def test_no_galaxies_have_no_pictures(trained, bars_and_blobs):
    none = np.empty(0, dtype=np.intp)
    assert attributions(trained, bars_and_blobs[:0], none, none).shape == (0, 24, 24)


def test_what_cannot_be_asked_is_refused(trained, bars_and_blobs, stop_after):
    one = np.array([0])
    with pytest.raises(InvalidInputError, match="must be equally many, are 2, 1 and 1"):
        attributions(trained, bars_and_blobs[:2], one, one)
    with pytest.raises(InvalidInputError, match="answers and against must be from 0 to 4"):
        attributions(trained, bars_and_blobs[:1], np.array([5]), one)
    with pytest.raises(InvalidInputError, match="steps must be at least 1, is 0"):
        attributions(trained, bars_and_blobs[:1], one, one, steps=0)
    with pytest.raises(CancelledError):
        attributions(trained, bars_and_blobs[:1], one, one, should_stop=stop_after(0))


def test_what_speaks_for_an_answer_is_amber_and_all_else_grey():
    image = np.full((32, 32, 3), 100, dtype=np.uint8)
    spoken = np.zeros((32, 32))
    spoken[4:12, 4:12], spoken[20:28, 20:28] = 1.0, -1.0
    picture = heat_picture(image, spoken).astype(int)
    assert picture[8, 8, 0] > picture[8, 8, 2] + 80
    assert (picture[24, 24] == 100).all()
    assert (heat_picture(image, -np.abs(spoken)) == 100).all()
    with pytest.raises(InvalidInputError, match="attribution must be"):
        heat_picture(image, spoken[:4])
