"""Shape features: what leaves them alone, what turns their sign, and how few images will do."""

import numpy as np
import pytest
import torch

from mlcore.cnn.dataset import to_pixels, to_tensor
from mlcore.cnn.rings import fourier_modes, windings
from mlcore.cnn.shapes import WIDTH, ShapeFeatures

ODD = 8


@pytest.fixture(scope="module")
def images():
    """Smooth standardised images, (60, 3, 32, 32): noise has no shape to measure."""
    noise = torch.rand(60, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(noise, 32, mode="bicubic").clamp(0, 1)
    return to_tensor((smooth * 255).byte().permute(0, 2, 3, 1).numpy())


@pytest.fixture(scope="module")
def shapes(images):
    return ShapeFeatures(3).fit(images.split(25))


def test_have_unit_spread_over_what_they_were_fitted_to(shapes, images):
    found = shapes(images)
    assert found.shape == (60, WIDTH)
    assert torch.allclose(found.square().mean(dim=0), torch.ones(WIDTH), atol=1e-3)
    assert found[:, :-ODD].mean(dim=0).abs().max() < 1e-3


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_quarter_turn_changes_nothing(shapes, images, turns):
    turned = torch.rot90(images, turns, (2, 3))
    assert torch.allclose(shapes(turned), shapes(images), atol=1e-2)


@pytest.mark.parametrize("side", [2, 3])
def test_a_flip_changes_the_sign_of_the_windings_alone(shapes, images, side):
    there, flipped = shapes(images), shapes(images.flip(side))
    assert torch.allclose(flipped[:, :-ODD], there[:, :-ODD], atol=1e-2)
    assert torch.allclose(flipped[:, -ODD:], -there[:, -ODD:], atol=1e-2)


def spiral(handed):
    y, x = np.indices((65, 65)) - 32.0
    radius, angle = np.hypot(x, y) / 32, np.arctan2(y, x)
    arms = 0.5 + 0.5 * np.cos(2 * (angle - handed * 4 * radius))
    return torch.from_numpy(arms * (radius < 1)).float()[None, None]


def test_two_armed_spirals_wind_by_their_pitch():
    one, other = (windings(fourier_modes(spiral(handed))).reshape(23, 6) for handed in (1, -1))
    second_mode = one[5:-2, 1]
    turn = -np.sin(2 * 4 * 0.97 / 23)
    assert torch.allclose(second_mode, torch.full_like(second_mode, turn), atol=0.1)
    assert torch.allclose(one, -other, atol=1e-3)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_few_images_have_few_features_and_the_rest_are_zero(images, number):
    found = ShapeFeatures(3).fit([images[:number]])(images)
    assert torch.isfinite(found).all()
    assert (found.abs().sum(dim=0) > 0).sum() <= 2 * number


def test_images_that_are_all_alike_have_none(images):
    found = ShapeFeatures(3).fit([images[:1].repeat(9, 1, 1, 1) * 0])(images)
    assert torch.isfinite(found).all()


def test_before_a_fit_every_feature_is_zero(images):
    assert not ShapeFeatures(3)(images).any()


@pytest.mark.parametrize("channels", [1, 2])
def test_measure_as_many_planes_as_there_are(images, channels):
    found = ShapeFeatures(channels).fit([images[:, :channels]])(images[:, :channels])
    assert found.shape == (60, WIDTH)


def test_pixels_are_what_they_were(images):
    again = (to_pixels(images) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    assert torch.allclose(to_tensor(again), images, atol=1e-5)


def test_know_which_pixels_they_come_from(shapes, images):
    asked = images.clone().requires_grad_()
    shapes(asked).square().sum().backward()
    assert torch.isfinite(asked.grad).all()
    assert asked.grad.abs().max() > 0
