"""The galaxies of sdss_gz1 for benchmarks of few labels: how they are dealt, and scores."""

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlcore.images import ImageCache
from mlcore.simulate.replay import divide, published_answers
from mlcore.simulate.replay_folder import read_labelled_folder
from mlcore.simulate.replay_plan import ReplayPlan
from mlcore.train_config import TrainConfig
from mlcore.tree import DecisionTree

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("LENTICULAR_REAL_DATA", ROOT.parent / "shared" / "data")) / "sdss_gz1"
VOTES = 5
"""Votes, all alike, that stand for a published class where votes are wanted."""
HEADINGS = ("accuracy", "balanced", "elliptical or not")


@dataclass(frozen=True)
class Part:
    """Images and published classes, as places among the tree's answers."""

    cache: ImageCache
    classes: np.ndarray


@dataclass(frozen=True)
class Galaxies:
    """The pool and the test set, a fifth by a hash of the ids, as the replay deals them."""

    pool: Part
    test: Part
    tree: DecisionTree

    @property
    def mirror(self):
        """Which answer each becomes in a mirror."""
        return np.array(self.tree.mirror)

    def few(self, seed, number):
        """Return the rows of the pool that are labelled, and all the others."""
        order = np.random.default_rng([seed, 77]).permutation(len(self.pool.classes))
        return order[:number], order[number:]

    def votes(self, rows):
        """Return the votes (n, A) that stand for the published classes of rows of the pool."""
        return VOTES * np.eye(len(self.mirror))[self.pool.classes[rows]]


def read_galaxies(directory):
    """Deal the galaxies, and cache their images at the default size and crop."""
    survey = divide(read_labelled_folder(REAL), ReplayPlan())
    parts = []
    for name, galaxies in (("pool", survey.pool.galaxies), ("test", survey.test)):
        cache = ImageCache.build(
            [each.image.resolve() for each in galaxies],
            [each.id_str for each in galaxies],
            directory / f"images-{name}",
            size=TrainConfig().image_size,
            crop_fraction=TrainConfig().crop_fraction,
        )
        parts.append(Part(cache, published_answers(galaxies, survey.pool.tree)))
    return Galaxies(*parts, survey.pool.tree)


def with_lookalikes(model, cache, rows, votes, *, encoder, seed):
    """Return a model with look-alikes beside its network, taught by votes (n, A) on rows (n,).

    As in a round, but not recalibrated; `encoder` is what the network began with, or None.
    """
    import mlcore.cnn  # noqa: F401 - before torch

    # isort: split
    from mlcore.cnn.lookalikes import LookalikeBasis, Lookalikes
    from mlcore.cnn.untaught import untaught

    config = model.config
    features = untaught(config, model.network.shapes, encoder)
    basis = LookalikeBasis.learn(features, cache, rows, config, seed=seed)
    taught = Lookalikes.taught(*basis, votes, model.tree, balance=config.lookalike_balance)
    return replace(model, lookalikes=taught)


def score(answers, classes, tree):
    """Return accuracy, its mean over the classes, and that of elliptical or not."""
    elliptical = tree.label_cols.index("gz1-class_elliptical")
    by_class = [np.mean(answers[classes == each] == each) for each in np.unique(classes)]
    binary = np.mean((answers == elliptical) == (classes == elliptical))
    return np.mean(answers == classes), np.mean(by_class), binary


def cells(scores):
    """Return the mean of each score over the seeds, and its standard error."""
    scores = np.atleast_2d(scores)
    number = len(scores)
    spread = scores.std(axis=0, ddof=1) / np.sqrt(number) if number > 1 else [np.nan] * 3
    found = [
        f"{mean:.3f} ± {error:.3f}" for mean, error in zip(scores.mean(0), spread, strict=True)
    ]
    return {**dict(zip(HEADINGS, found, strict=True)), "seeds": str(number)}


@contextmanager
def working_folder():
    """Give a folder: LENTICULAR_BENCH_FOLDER, whose work goes on where it was, or a passing one."""
    kept = os.environ.get("LENTICULAR_BENCH_FOLDER")
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept)
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
