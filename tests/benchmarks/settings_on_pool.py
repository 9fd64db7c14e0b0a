"""Settings of the small-data path, compared on the pool of a replay alone.

Trained on the votes of random galaxies of the pool, as many as a replay's last round has,
and scored against the published classes of the rest of the pool. The replay's test set is
never read, so that a choice made here leaves it clean.
"""

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from _galaxies import REAL, cells, score

from mlcore.cnn.predict import predict
from mlcore.cnn.train import train
from mlcore.images import ImageCache
from mlcore.simulate.replay import divide, published_answers
from mlcore.simulate.replay_folder import read_labelled_folder
from mlcore.simulate.replay_plan import ReplayPlan

TITLE = "Settings of the small-data path, on the pool of sdss_gz1 alone (mean and standard error)"
SEEDS = int(os.environ.get("LENTICULAR_BENCH_SEEDS", "2"))
# Galaxies with votes to learn from, five on each.
VOTED = 1464
DEFAULT = ReplayPlan().config.train
SETTINGS = {
    "the default": {},
    "whole image": {"crop_fraction": 1.0},
    "central half": {"crop_fraction": 0.5},
    "no class balance": {"class_balance": 0.0},
    "twice the class balance": {"class_balance": 0.6},
    "one view": {"average_views": 1},
    "convnext_atto": {"encoder": "convnext_atto"},
}


def table():
    """Return one row for each setting."""
    if not REAL.is_dir():
        return [{"settings": f"not measured: {REAL} is not there"}]
    found = read_labelled_folder(REAL)
    with tempfile.TemporaryDirectory() as directory:
        return [_row(name, found, Path(directory)) for name in SETTINGS]


def _row(name, found, directory):
    config = replace(DEFAULT, **SETTINGS[name])
    scores = np.array([_scores(found, config, seed, directory) for seed in range(SEEDS)])
    row = {"settings": name, **cells(scores)}
    print(row, file=sys.stderr, flush=True)
    return row


def _scores(found, config, seed, directory):
    plan = ReplayPlan(seed=seed)
    pool = divide(found, plan).pool
    order = np.random.default_rng([seed, 5]).permutation(len(pool.galaxies))
    voted, rest = np.split(order, [VOTED])
    cache = ImageCache.build(
        [galaxy.image.resolve() for galaxy in pool.galaxies],
        pool.ids,
        directory / f"images-{config.image_size}-{config.crop_fraction:g}",
        size=config.image_size,
        crop_fraction=config.crop_fraction,
    )
    asked = np.full(len(order), plan.votes_per_galaxy)
    counts = pool.counts(asked)[voted].astype(np.float64)
    with tempfile.TemporaryDirectory() as work:
        model = train(cache, voted, counts, pool.tree, config, directory=Path(work), seed=seed)
    answers = predict(model, cache, rest).concentrations.argmax(axis=1)
    return score(answers, published_answers(pool.galaxies, pool.tree)[rest], pool.tree)
