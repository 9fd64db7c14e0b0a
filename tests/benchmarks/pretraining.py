"""What an encoder learns from unlabelled images in equal time, objective by objective.

Each is given the same processor time on the pool of sdss_gz1. Then it is frozen, and a
logistic regression on its features is taught by 500 published classes and asked about the
rest of the pool: the test set is never read.
"""

import os
import sys
import time
from dataclasses import replace

import _galaxies
import numpy as np

import mlcore.cnn  # noqa: F401 - before torch

TITLE = "Pretraining objectives at equal processor time (frozen, linear probe, 500 labels, pool)"
SECONDS = float(os.environ.get("LENTICULAR_BENCH_SECONDS", "240"))
SEEDS = int(os.environ.get("LENTICULAR_BENCH_SEEDS", "2"))
CHOSEN = os.environ.get("LENTICULAR_BENCH_OBJECTIVES", "")
PROBES, LABELS, STRENGTH = 4, 500, 0.01
WARM, TIMED = 2, 4


def table():
    """Return one row for each objective, and those for random weights and no encoder."""
    from mlcore.cnn.objectives import OBJECTIVES

    if not _galaxies.REAL.is_dir():
        return [{"objective": f"not measured: {_galaxies.REAL} is not there"}]
    with _galaxies.working_folder() as folder:
        galaxies = _galaxies.read_galaxies(folder)
        shapes = shape_features(galaxies)
        rows = [_row("none: shape features alone", galaxies, [(0, shapes)], shapes)]
        for name in CHOSEN.split() or ("random weights", *OBJECTIVES):
            runs = [pretrained(name, galaxies, folder, seed) for seed in range(SEEDS)]
            rows.append(_row(name, galaxies, runs, shapes))
            print(*rows[-1].values(), file=sys.stderr, flush=True)
        return rows


def _row(name, galaxies, runs, shapes):
    alone = [probe(features, galaxies, seed) for _, features in runs for seed in range(PROBES)]
    beside = [
        probe(np.concatenate([features, shapes], axis=2), galaxies, seed)
        for _, features in runs
        for seed in range(PROBES)
    ]
    joint = _galaxies.cells(beside)
    return {
        "objective": name,
        "steps": str(runs[0][0]),
        **_galaxies.cells(alone),
        **{f"{heading}, with shapes": joint[heading] for heading in _galaxies.HEADINGS[:2]},
    }


def pretrained(name, galaxies, folder, seed):
    """Return the steps that an objective made in its time, and what its encoder then sees."""
    import torch

    from mlcore.cnn.encoder import encoder_of
    from mlcore.cnn.pretrain import pretrain
    from mlcore.cnn.weights import load_weights
    from mlcore.train_config import TrainConfig

    kept = folder / f"{name.replace(' ', '-')}-{SECONDS:g}-{seed}"
    kept.mkdir(exist_ok=True)
    steps = 0 if name == "random weights" else _steps(name, galaxies, kept)
    if not (kept / "features.npy").is_file():
        torch.manual_seed(seed)
        encoder = encoder_of(TrainConfig())[0]
        if steps:
            config = replace(TrainConfig(), pretrain_objective=name, pretrain_steps=steps)
            load_weights(encoder, pretrain(galaxies.pool.cache, config, directory=kept, seed=seed))
        np.save(kept / "features.npy", embedded(encoder, galaxies.pool.cache))
    return steps, np.load(kept / "features.npy")


def _steps(name, galaxies, kept):
    """Return how many steps the time is enough for, measured once."""
    from mlcore.train_config import TrainConfig

    measured = kept / "steps"
    if not measured.is_file():
        config = replace(TrainConfig(), pretrain_objective=name)
        steps = max(1, round(SECONDS / _seconds_per_step(galaxies, config, kept / "timing")))
        measured.write_text(str(steps))
    return int(measured.read_text())


def _seconds_per_step(galaxies, config, folder):
    from mlcore.cnn.pretrain import pretrain

    times = []
    pretrain(
        galaxies.pool.cache,
        replace(config, pretrain_steps=WARM + TIMED),
        directory=folder,
        seed=0,
        on_progress=lambda *_: times.append(time.process_time()),
    )
    return (times[-1] - times[WARM - 1]) / TIMED


def embedded(encoder, cache):
    """Return features (n, 2, D) of each galaxy and its mirror image, over two quarter turns."""
    import torch

    from mlcore.cnn.dataset import to_tensor

    encoder.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(cache), 256):
            images = to_tensor(np.array(cache.images[start : start + 256]))
            sides = [
                (encoder(side) + encoder(torch.rot90(side, 1, (2, 3)))) / 2
                for side in (images, images.flip(3))
            ]
            found.append(torch.stack(sides, dim=1).numpy())
    return np.concatenate(found)


def shape_features(galaxies):
    """Return the shape features (n, 2, 40) of each galaxy and its mirror image."""
    from mlcore.cnn.dataset import to_tensor
    from mlcore.cnn.shapes import ShapeFeatures

    images = to_tensor(np.array(galaxies.pool.cache.images))
    shapes = ShapeFeatures(3).fit(images.split(256))
    return np.stack([shapes(side).numpy() for side in (images, images.flip(3))], axis=1)


def probe(features, galaxies, seed):
    """Return the scores of a logistic regression on features (n, 2, D) of the pool."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    labelled, rest = galaxies.few(seed, LABELS)
    classes, mirror = galaxies.pool.classes, galaxies.mirror
    taught = np.concatenate([features[labelled, 0], features[labelled, 1]])
    scaler = StandardScaler().fit(taught)
    model = LogisticRegression(C=STRENGTH, max_iter=300)
    model.fit(
        scaler.transform(taught), np.concatenate([classes[labelled], mirror[classes[labelled]]])
    )
    said = np.zeros((2, len(rest), len(mirror)))
    for side in range(2):
        said[side][:, model.classes_] = model.predict_proba(scaler.transform(features[rest, side]))
    answers = (said[0] + said[1][:, mirror]).argmax(axis=1)
    return _galaxies.score(answers, classes[rest], galaxies.tree)
