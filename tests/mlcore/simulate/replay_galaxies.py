"""A folder of bars and blobs, as `manage.py replay` reads it."""

import csv

import numpy as np
from PIL import Image

from mlcore.round_plan import RoundConfig
from mlcore.simulate.replay_plan import ReplayPlan
from mlcore.train_config import TrainConfig

HEADING = ["name", "Shape", "picture"]


def draw_folder(folder, number, rows=()):
    """Write `number` images, bars at odd places, and labels.csv with further `rows`."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    galaxies = []
    for place in range(number):
        pixels = rng.integers(0, 20, (24, 24, 3), dtype=np.uint8)
        patch = (slice(8, 16), slice(8, 16)) if place % 2 == 0 else (slice(11, 13), slice(2, 22))
        pixels[patch] += 100
        Image.fromarray(pixels).save(folder / "images" / f"{place}.png")
        galaxies.append([f"g{place}", "Bar" if place % 2 else "Round", f"images/{place}.png"])
    write_labels(folder, [HEADING, *galaxies, *rows])
    return folder


def write_labels(folder, rows):
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def small_plan(**changes):
    """Return a plan whose network is trained in a second."""
    train = TrainConfig(
        encoder="test_resnet",
        image_size=24,
        crop_fraction=1.0,
        batch_size=8,
        epochs=3,
        steps_per_epoch=8,
        learning_rate=1e-2,
        average_views=1,
        pretrain_steps=2,
        pretrain_batch_size=8,
    )
    config = RoundConfig(train=train, bootstrap_draws=100, dimensions=4, draws=8, folds=2)
    return ReplayPlan(volunteers=30, retirement_votes=20, config=config, **changes)
