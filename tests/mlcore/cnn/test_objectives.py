"""Objectives: what each asks of an encoder, and that none asks for blindness to handedness."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mlcore.cnn.dataset import SKY, to_tensor
from mlcore.cnn.objectives import OBJECTIVES, contrastive_loss, make_objective


class Pooled(torch.nn.Module):
    """An encoder without weights: brightness on a grid of 4 x 4."""

    width = 48

    def forward(self, images):
        self.seen = images
        return torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)


@pytest.fixture
def images(bars_and_blobs):
    return to_tensor(bars_and_blobs)


def generator():
    return torch.Generator().manual_seed(3)


def test_the_loss_by_hand():
    # Four rows on two axes: each has its partner at 1 and the two others at 0.
    rows = torch.tensor([[3.0, 0.0], [0.0, 2.0], [1.0, 0.0], [0.0, 5.0]])
    e = np.exp(1 / 0.5)
    assert contrastive_loss(rows, 0.5).item() == pytest.approx(np.log((e + 2) / e))


def test_the_loss_is_lowest_when_views_agree():
    rows = torch.eye(4)
    together = contrastive_loss(torch.cat([rows, rows]), 0.2)
    apart = contrastive_loss(torch.cat([rows, rows.roll(1, 0)]), 0.2)
    assert together < apart


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_follow_their_generator_and_reach_the_encoder(name, config, images):
    torch.manual_seed(0)
    objective = make_objective(replace(config, pretrain_objective=name), Pooled.width)
    asked = images.clone().requires_grad_()
    losses = [objective.loss(Pooled(), asked, generator()) for _ in range(2)]
    assert torch.equal(*losses)
    losses[0].backward()
    assert torch.isfinite(asked.grad).all()
    assert asked.grad.abs().sum() > 0


@pytest.mark.parametrize("bands", ["g", "rgb"])
@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_take_images_of_any_planes_and_size(name, bands, config):
    settings = replace(config, pretrain_objective=name, bands=bands, image_size=20)
    objective = make_objective(settings, len(bands) * 16)
    assert torch.isfinite(objective.loss(Pooled(), torch.rand(4, len(bands), 20, 20), generator()))


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_images_that_are_all_alike_have_a_finite_loss(name, config):
    objective = make_objective(replace(config, pretrain_objective=name), Pooled.width)
    assert torch.isfinite(objective.loss(Pooled(), torch.zeros(4, 3, 24, 24), generator()))


@pytest.mark.parametrize(("name", "share"), [("masked", 0.4), ("reconstruction", 0.0)])
def test_hide_their_share_of_squares(name, share, config):
    encoder = Pooled()
    objective = make_objective(replace(config, pretrain_objective=name), Pooled.width)
    objective.loss(encoder, torch.ones(200, 3, 24, 24), generator())
    assert (encoder.seen == SKY).float().mean().item() == pytest.approx(share, abs=0.02)


def test_shapes_ask_which_way_arms_wind(config):
    y, x = np.indices((24, 24)) - 11.5
    angle, radius = np.arctan2(y, x), np.hypot(x, y) / 12
    spiral = torch.from_numpy(0.5 + 0.5 * np.cos(2 * (angle - 3 * radius))).float()
    alike = spiral.expand(2, 3, 24, 24)
    mirrored = torch.stack([spiral, spiral.flip(1)])[:, None].expand(2, 3, 24, 24)
    objective = make_objective(replace(config, pretrain_objective="shapes"), Pooled.width)
    for parameter in objective.head.parameters():
        torch.nn.init.zeros_(parameter)
    assert objective.loss(Pooled(), alike, generator()) < 1e-6
    assert objective.loss(Pooled(), mirrored, generator()) > 0.01
