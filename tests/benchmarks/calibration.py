"""Coverage of 90% intervals before and after recalibration, on galaxies kept apart.

A round's own recipe: a network learns from the training galaxies, the networks of two folds
predict those that they did not see, one scale per question is fitted to their votes, and the
network's intervals are judged on other galaxies.
"""

import csv
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlcore.calibration import fit_calibration
from mlcore.cnn.folds import out_of_fold
from mlcore.cnn.predict import predict
from mlcore.cnn.pretrain import pretrain
from mlcore.cnn.train import train
from mlcore.evaluation.figures import evaluate
from mlcore.images import ImageCache
from mlcore.simulate.answers import answer_fractions
from mlcore.simulate.replay import divide
from mlcore.simulate.replay_folder import read_labelled_folder
from mlcore.simulate.replay_plan import ReplayPlan
from mlcore.simulate.survey import draw_survey, read_truths
from mlcore.simulate.votes_crowd import draw_votes
from mlcore.train_config import TrainConfig
from mlcore.tree import DecisionTree

TITLE = "Recalibration: coverage of 90% intervals and nats per vote, before and after"
SEED = int(os.environ.get("LENTICULAR_BENCH_SEED", "1"))
ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("LENTICULAR_REAL_DATA", ROOT.parent / "shared" / "data"))
DRAWN, DRAWN_TRAINING, REAL_TRAINING, REAL_TEST = 1500, 1100, 831, 800


def table():
    """Return a row per question of the drawn survey, and one of sdss_gz1 where it is there."""
    with tempfile.TemporaryDirectory() as directory:
        rows = _drawn(Path(directory, "drawn"))
        if (REAL / "sdss_gz1").is_dir():
            return [*rows, *_real(Path(directory, "real"))]
        blank = dict.fromkeys(rows[0], "not there")
        return [*rows, {**blank, "survey": "sdss_gz1"}]


@dataclass(frozen=True)
class Trial:
    """Galaxies with votes, dealt into those to learn from and those to judge by."""

    survey: str
    cache: ImageCache
    counts: np.ndarray
    parts: list[np.ndarray]
    tree: DecisionTree
    config: TrainConfig
    directory: Path
    start_from: Path | None = None


def _drawn(directory):
    """Simulated votes on drawn galaxies: one to eight to learn from, ten to judge by."""
    tree = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz-decals-5.json")
    files = draw_survey(directory / "survey", DRAWN, 2026)
    truths = dict(read_truths(files.truth))
    rng = np.random.default_rng(SEED)
    order = rng.permutation(DRAWN)
    votes = np.full(DRAWN, 10)
    votes[order[:DRAWN_TRAINING]] = rng.integers(1, 9, DRAWN_TRAINING)
    fractions = np.array([answer_fractions(truth, tree) for truth in truths.values()])
    record = draw_votes(fractions, tree, volunteers=120, votes=10, seed=SEED)
    config = replace(TrainConfig.small(), epochs=6, steps_per_epoch=20, pretrain_steps=30)
    with files.manifest.open(encoding="utf-8", newline="") as file:
        named = {row["external_id"]: row["file"] for row in csv.DictReader(file)}
    paths = [files.manifest.parent / named[name] for name in truths]
    cache = _cache(paths, list(truths), config, directory)
    start_from = pretrain(cache, config, directory=directory / "pretrained", seed=0)
    parts = np.split(order, [DRAWN_TRAINING])
    return _rows(
        Trial("drawn", cache, record.counts(votes), parts, tree, config, directory, start_from)
    )


def _real(directory):
    """Simulated votes on the galaxies of sdss_gz1, five on each, as in a replay."""
    plan = ReplayPlan(seed=SEED)
    pool = divide(read_labelled_folder(REAL / "sdss_gz1"), plan).pool
    order = np.random.default_rng([SEED, 5]).permutation(len(pool.galaxies))
    parts = np.split(order, [REAL_TRAINING, REAL_TRAINING + REAL_TEST])[:2]
    config = replace(plan.config.train, epochs=8, average_views=4)
    paths = [each.image.resolve() for each in pool.galaxies]
    cache = _cache(paths, pool.ids, config, directory)
    asked = np.zeros(len(pool.galaxies), dtype=np.int64)
    asked[np.concatenate(parts)] = plan.votes_per_galaxy
    counts = pool.counts(asked).astype(float)
    return _rows(Trial("sdss_gz1", cache, counts, parts, pool.tree, config, directory))


def _cache(paths, ids, config, directory):
    size, crop = config.image_size, config.crop_fraction
    return ImageCache.build(paths, ids, directory / "cache", size=size, crop_fraction=crop)


def _rows(trial):
    training, test = trial.parts
    counts, tree = trial.counts, trial.tree
    given = (trial.cache, training, counts[training], tree, trial.config)
    more = {"seed": SEED, "start_from": trial.start_from}
    model = train(*given, directory=trial.directory / "train", **more)
    unseen = out_of_fold(*given, folds=2, directory=trial.directory / "folds", **more)
    fitted = fit_calibration(counts[training], unseen.astype(float), tree)
    found = predict(model, trial.cache, test).concentrations.astype(float)
    before, after = (
        evaluate(counts[test], each, tree).questions
        for each in (found, found * fitted.factors(tree))
    )
    return [
        {
            "survey": trial.survey,
            "question": slug,
            "votes fitted to": f"{fitted.questions[slug].votes:.0f}",
            "scale": f"{fitted.questions[slug].scale:.3g}",
            "coverage before": f"{before[slug].coverage:.3f}",
            "coverage after": f"{after[slug].coverage:.3f}",
            "nats per vote before": f"{before[slug].nll_per_vote:.3f}",
            "nats per vote after": f"{after[slug].nll_per_vote:.3f}",
        }
        for slug in tree.question_slices
    ]
