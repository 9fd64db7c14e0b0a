"""How sure a round's published model is: coverage of 90% intervals, before and after.

Whole rounds up to the train stage: a network and look-alikes learn from the votes, the networks of
two folds predict the galaxies that they did not see, and from the votes on those follow how far
network and look-alikes are trusted and how sure they may be together. The control panel, which no
stage learns from, is predicted by the network alone as it was trained, by both joined as they
are, and by the model as it is published. Means over the seeds, with half of the 95% interval.
"""

import csv
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _galaxies import REAL, working_folder
from whole_rounds import interval

from mlcore.evaluation.figures import evaluate
from mlcore.round_files import SUBJECTS
from mlcore.round_plan import RoundConfig, RoundPlan
from mlcore.simulate.answers import answer_fractions
from mlcore.simulate.replay import divide
from mlcore.simulate.replay_folder import read_labelled_folder
from mlcore.simulate.replay_plan import ReplayPlan
from mlcore.simulate.survey import draw_survey, read_truths
from mlcore.simulate.votes_crowd import draw_votes
from mlcore.train_config import TrainConfig
from mlcore.tree import DecisionTree

TITLE = "The published model on the control panel: coverage of 90% intervals and nats per vote"
SEEDS = int(os.environ.get("LENTICULAR_BENCH_SEEDS", "8"))
ROOT = Path(__file__).parents[2]
DRAWN, DRAWN_TRAINING, REAL_TRAINING, REAL_TEST = 1500, 1100, 831, 800
MODELS = ("network alone", "joined", "published")


def table():
    """Return a row per question of the drawn survey, and one of sdss_gz1 where it is there."""
    with working_folder() as folder:
        rows = _rows("drawn", folder / "calibration-drawn", _drawn)
        if REAL.is_dir():
            return [*rows, *_rows("sdss_gz1", folder / "calibration-real", _real)]
        return [*rows, {**dict.fromkeys(rows[0], "not there"), "survey": "sdss_gz1"}]


@dataclass(frozen=True)
class Trial:
    """Galaxies with votes (n, A) and images, of which some are the control panel."""

    ids: list[str]
    paths: list[Path]
    counts: np.ndarray
    control: np.ndarray
    tree: DecisionTree
    train: TrainConfig


def _drawn(directory, seed):
    """Simulated votes on drawn galaxies: one to eight to learn from, ten to judge by."""
    tree = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz-decals-5.json")
    files = draw_survey(directory / "survey", DRAWN, 2026)
    truths = dict(read_truths(files.truth))
    rng = np.random.default_rng(seed)
    training = rng.permutation(DRAWN)[:DRAWN_TRAINING]
    votes = np.full(DRAWN, 10)
    votes[training] = rng.integers(1, 9, DRAWN_TRAINING)
    fractions = np.array([answer_fractions(truth, tree) for truth in truths.values()])
    record = draw_votes(fractions, tree, volunteers=120, votes=10, seed=seed)
    with files.manifest.open(encoding="utf-8", newline="") as file:
        named = {row["external_id"]: row["file"] for row in csv.DictReader(file)}
    paths = [files.manifest.parent / named[name] for name in truths]
    control = ~np.isin(np.arange(DRAWN), training)
    config = replace(TrainConfig.small(), epochs=6, steps_per_epoch=20, pretrain_steps=30)
    return Trial(list(truths), paths, record.counts(votes), control, tree, config)


def _real(_directory, seed):
    """Simulated votes on the galaxies of sdss_gz1, five on each, as in a replay."""
    plan = ReplayPlan(seed=seed)
    pool = divide(read_labelled_folder(REAL), plan).pool
    order = np.random.default_rng([seed, 5]).permutation(len(pool.galaxies))
    training, test = np.split(order, [REAL_TRAINING, REAL_TRAINING + REAL_TEST])[:2]
    asked = np.zeros(len(pool.galaxies), dtype=np.int64)
    asked[np.concatenate([training, test])] = plan.votes_per_galaxy
    return Trial(
        list(pool.ids),
        [each.image.resolve() for each in pool.galaxies],
        pool.counts(asked),
        np.isin(np.arange(len(asked)), test),
        pool.tree,
        replace(plan.config.train, epochs=8, average_views=4),
    )


def _rows(survey, directory, make):
    """Return a row per question, from the figures (seeds, Q, 3, 2) of all seeds."""
    directory.mkdir(exist_ok=True)
    trials = [make(directory, seed) for seed in range(SEEDS)]
    found = np.array([_figures(each, directory, seed) for seed, each in enumerate(trials)])
    by_question = zip(trials[0].tree.question_slices, found.transpose(1, 3, 2, 0), strict=True)
    return [{"survey": survey, "question": slug, **_cells(each)} for slug, each in by_question]


def _cells(figures):
    """Return the cells of one question's figures (2, 3, seeds)."""
    heads = [f"{what}, {model}" for what in ("coverage", "nats per vote") for model in MODELS]
    cells = dict(zip(heads, map(interval, figures.reshape(len(heads), -1)), strict=True))
    return cells | {"seeds": str(SEEDS)}


def _figures(trial, directory, seed):
    """Return coverage and nats per vote (Q, 3, 2) by each of the models, on the panel."""
    kept = directory / f"figures-{seed}.npy"
    if not kept.is_file():
        np.save(kept, [_judged(trial, each) for each in _predicted(trial, directory, seed)])
    return np.load(kept).transpose(1, 0, 2)


def _judged(trial, concentrations):
    votes = trial.counts[trial.control].astype(float)
    questions = evaluate(votes, concentrations.astype(float), trial.tree).questions
    return [(each.coverage, each.nll_per_vote) for each in questions.values()]


def _predicted(trial, directory, seed):
    """Yield what each of the models predicts (m, A) of the panel, after a round's train stage."""
    import mlcore.cnn  # noqa: F401 - before torch

    # isort: split
    from mlcore.calibration import IDENTITY
    from mlcore.cnn.model import CnnModel
    from mlcore.cnn.predict import predict
    from mlcore.images import ImageCache
    from mlcore.training_round import run_round

    folder = directory / f"round-{seed}"
    _write_input(trial, folder)
    config = RoundConfig(train=trial.train, folds=2)
    run_round(RoundPlan(trial.tree, seed, config, directory / "shared"), folder, until="train")
    published = CnnModel.load(folder / "train" / "model")
    joined = replace(published, calibration=IDENTITY)
    cache = ImageCache.build(
        trial.paths,
        trial.ids,
        directory / "images",
        size=trial.train.image_size,
        crop_fraction=trial.train.crop_fraction,
    )
    for model in (replace(joined, lookalikes=None), joined, published):
        yield predict(model, cache, np.flatnonzero(trial.control)).concentrations


def _write_input(trial, folder):
    (folder / SUBJECTS).parent.mkdir(parents=True, exist_ok=True)
    columns = {
        "id_str": trial.ids,
        "file_loc": [str(path) for path in trial.paths],
        "control": trial.control,
        "retired": np.zeros(len(trial.ids), dtype=bool),
        "pending": np.zeros(len(trial.ids), dtype=np.int32),
        **dict(zip(trial.tree.label_cols, trial.counts.astype(np.int32).T, strict=True)),
    }
    pq.write_table(pa.table(columns), folder / SUBJECTS)
