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

from mlcore.cnn.predict import predict
from mlcore.cnn.train import train
from mlcore.images import ImageCache
from mlcore.simulate.replay import divide
from mlcore.simulate.replay_folder import read_labelled_folder
from mlcore.simulate.replay_plan import ReplayPlan

TITLE = "Settings of the small-data path, on the pool of sdss_gz1 alone (mean and standard error)"
SEEDS = int(os.environ.get("LENTICULAR_BENCH_SEEDS", "2"))
ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("LENTICULAR_REAL_DATA", ROOT.parent / "shared" / "data"))
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
HEADINGS = ("accuracy", "balanced", "commonest or not")


def table():
    """Return one row for each setting."""
    folder = REAL / "sdss_gz1"
    if not folder.is_dir():
        return [{"settings": f"not measured: {folder} is not there"}]
    found = read_labelled_folder(folder)
    with tempfile.TemporaryDirectory() as directory:
        return [_row(name, found, Path(directory)) for name in SETTINGS]


def _row(name, found, directory):
    config = replace(DEFAULT, **SETTINGS[name])
    scores = np.array([_scores(found, config, seed, directory) for seed in range(SEEDS)])
    spread = scores.std(axis=0, ddof=1) / np.sqrt(SEEDS) if SEEDS > 1 else [np.nan] * 3
    cells = [
        f"{mean:.3f} ± {error:.3f}" for mean, error in zip(scores.mean(axis=0), spread, strict=True)
    ]
    print(name, *cells, file=sys.stderr, flush=True)
    return {"settings": name, **dict(zip(HEADINGS, cells, strict=True)), "seeds": str(SEEDS)}


def _scores(found, config, seed, directory):
    plan = ReplayPlan(seed=seed)
    pool = divide(found, plan).pool
    sizes = plan.sizes(len(pool.galaxies))
    order = np.random.default_rng([seed, 5]).permutation(len(pool.galaxies))
    voted, rest = np.split(order, [sizes.panel + sizes.first + sizes.later])
    cache = ImageCache.build(
        [galaxy.image.resolve() for galaxy in pool.galaxies],
        pool.ids,
        directory / f"images-{config.image_size}-{config.crop_fraction:g}",
        size=config.image_size,
        crop_fraction=config.crop_fraction,
    )
    counts = pool.counts(voted)[voted].astype(np.float64)
    with tempfile.TemporaryDirectory() as work:
        model = train(cache, voted, counts, pool.tree, config, directory=Path(work), seed=seed)
    answers = predict(model, cache, rest).concentrations.argmax(axis=1)
    return _agreement(answers, _published(pool)[rest])


def _published(pool):
    place = {answer.slug: place for place, answer in enumerate(pool.tree.questions[0].answers)}
    return np.array([place[galaxy.class_slug] for galaxy in pool.galaxies])


def _agreement(answers, truth):
    """Return accuracy, its mean over the classes, and that of the commonest class or not."""
    commonest = np.bincount(truth).argmax()
    by_class = [np.mean(answers[truth == each] == each) for each in np.unique(truth)]
    binary = np.mean((answers == commonest) == (truth == commonest))
    return np.mean(answers == truth), np.mean(by_class), binary
