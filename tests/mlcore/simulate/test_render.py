from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.errors import InvalidInputError
from mlcore.simulate.galaxies import ARTIFACTS, draw_truth
from mlcore.simulate.render import render


def first(condition):
    return next(truth for index in range(5000) if condition(truth := draw_truth(4, index)))


def test_the_same_galaxy_is_drawn_alike_every_time():
    truth = draw_truth(2, 3)

    np.testing.assert_array_equal(render(truth), render(truth))


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_the_other_handedness_is_the_mirror_image(index):
    truth = draw_truth(6, index)
    mirrored = replace(truth, clockwise=not truth.clockwise)

    np.testing.assert_array_equal(render(mirrored, 48), render(truth, 48)[:, ::-1])


@pytest.mark.parametrize("size", [16, 63, 128])
def test_images_have_the_size_asked_for(size):
    image = render(draw_truth(0, 1), size)

    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous


@pytest.mark.parametrize("size", [0, 15, 1025, -3])
def test_a_size_out_of_bounds_is_refused(size):
    with pytest.raises(InvalidInputError, match=f"size must be from 16 to 1024, is {size}"):
        render(draw_truth(0, 0), size)


def test_arms_open_anticlockwise_in_a_clockwise_galaxy():
    # Unwound along the true spiral the picture hardly changes with radius; along
    # its mirror image it does.
    truth = replace(
        first(lambda truth: truth.arm_count == 2 and truth.visibility > 0.9),
        inclination=0.0, clockwise=True, arm_strength=1.0, flocculence=0.0, bar_strength=0.0,
        bulge_fraction=0.02, pitch_angle=25.0, disturbance=0.0, companion_flux=0.0,
        ring_strength=0.0, knots=0.0, dust=0.0, magnitude=15.0, radius=9.0, field_of_view=70.0,
    )  # fmt: skip

    assert spiral_contrast(render(truth), truth, +1) > 2 * spiral_contrast(render(truth), truth, -1)


def spiral_contrast(image, truth, sense):
    """Amplitude of the two-armed mode along spirals that open in this sense."""
    offsets = np.arange(128) - 63.5
    x, y = np.meshgrid(offsets, -offsets)
    radius = np.hypot(x, y) * truth.field_of_view / 128 / truth.scale_length
    wound = np.arctan2(y, x) - sense * np.log(radius) / np.tan(np.radians(truth.pitch_angle))
    disk = (radius > 0.9) & (radius < 3)
    light = image.mean(axis=2)[disk]
    return abs((light * np.exp(2j * wound[disk])).sum()) / light.sum()


def test_a_galaxy_is_brightest_at_its_centre():
    truth = first(lambda truth: truth.kind == "smooth" and truth.visibility > 0.9)
    image = render(truth).astype(float)

    assert image[60:68, 60:68].mean() > 3 * image[:8].mean()


@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_every_artifact_changes_the_image(artifact):
    clean = first(lambda truth: truth.kind == "smooth")
    spoilt = replace(clean, artifact=artifact)

    assert (render(spoilt, 64) != render(clean, 64)).any()


def test_parameters_show_in_the_picture():
    truth = first(lambda t: t.arm_count == 2 and t.inclination < 40 and t.visibility > 0.9)
    changed = {
        "bar_strength": 1.0 - round(truth.bar_strength),
        "ring_strength": 1.0 - round(truth.ring_strength),
        "arm_strength": 0.0,
        "companion_flux": 0.9,
        "redness": 1.0 - round(truth.redness),
    }

    for name, value in changed.items():
        difference = render(replace(truth, **{name: value}), 64).astype(int) - render(truth, 64)
        assert np.abs(difference).max() > 20, name
