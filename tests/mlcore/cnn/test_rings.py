"""Ring features: what they measure, what leaves them alone, and what they refuse."""

import numpy as np
import pytest

from mlcore.cnn.rings import ring_features
from mlcore.errors import CancelledError, InvalidInputError

MODES, RINGS = 7, 24


def measured(images, **listeners):
    return ring_features(images, np.arange(len(images)), **listeners)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda images: np.rot90(images, 1, (1, 2)), id="quarter turn"),
        pytest.param(lambda images: images[:, :, ::-1], id="left-right flip"),
        pytest.param(lambda images: images[:, ::-1], id="up-down flip"),
    ],
)
def test_do_not_change_when_a_galaxy_is_turned_or_mirrored(images, changed):
    np.testing.assert_allclose(measured(changed(images)), measured(images), atol=1e-4)


def test_an_even_image_has_its_brightness_and_no_modes():
    found = measured(np.full((1, 16, 16, 1), 51, np.uint8)).reshape(RINGS, MODES)
    np.testing.assert_allclose(found[:, 0], np.log(0.2 + 0.01), atol=1e-5)
    np.testing.assert_allclose(found[:, 1:], np.log(0.01), atol=1e-4)


def test_a_bar_is_of_even_modes():
    image = np.zeros((1, 32, 32, 1), np.uint8)
    image[:, 14:18] = 200
    outer = measured(image).reshape(RINGS, MODES)[RINGS // 2]
    assert outer[2] > outer[1] + 2
    assert outer[2] > outer[3] + 2


def test_each_galaxy_is_measured_by_itself(images):
    many = np.concatenate([images] * 60)
    seen = []
    found = measured(many, on_progress=lambda *said: seen.append(said))
    np.testing.assert_allclose(found[-5:], measured(images), atol=1e-6)
    assert seen[-1] == ("shapes", 1.0, "300 of 300 shapes measured")


def test_measures_the_rows_asked_for(images):
    rows = np.array([3, 0, 3])
    np.testing.assert_allclose(ring_features(images, rows), measured(images)[rows], atol=1e-6)


def test_no_rows_give_no_features(images):
    found = ring_features(images, np.empty(0, dtype=np.intp))
    assert found.shape == (0, 3 * RINGS * MODES)


def test_stops_when_asked(images):
    with pytest.raises(CancelledError, match="shapes was stopped"):
        measured(images, should_stop=lambda: True)


@pytest.mark.parametrize("shape", [(4, 8, 8), (4, 8, 9, 3)])
def test_refuses_other_shapes(shape):
    with pytest.raises(InvalidInputError, match="images must be"):
        measured(np.zeros(shape, np.uint8))
