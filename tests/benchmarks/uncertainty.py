"""What an ensemble adds to honest uncertainty, and what it costs, on the pool of sdss_gz1.

One network, and several from other seeds mixed: nats per galaxy and the coverage of 90%
intervals on galaxies of the pool that neither was taught, before any recalibration.
"""

import os
import time
from dataclasses import replace

import _galaxies
import numpy as np

import mlcore.cnn  # noqa: F401 - before torch
from mlcore.train_config import TrainConfig

TITLE = "One network and an ensemble: sdss_gz1, pool alone, 500 labels, without recalibration"
NETWORKS = int(os.environ.get("LENTICULAR_BENCH_NETWORKS", "3"))
EPOCHS = int(os.environ.get("LENTICULAR_BENCH_EPOCHS", "6"))
LABELS, ASKED, SEED = 500, 800, 0


def table():
    """Return one row for each number of networks."""
    if not _galaxies.REAL.is_dir():
        return [{"networks": f"not measured: {_galaxies.REAL} is not there"}]
    with _galaxies.working_folder() as folder:
        galaxies = _galaxies.read_galaxies(folder)
        model, seconds = _trained(galaxies, folder)
        one = replace(model, others=())
        return [_row(one, seconds / NETWORKS, galaxies), _row(model, seconds, galaxies)]


def _trained(galaxies, folder):
    from mlcore.cnn.train import train

    config = replace(
        TrainConfig(), ensemble=NETWORKS, epochs=EPOCHS, pretrain_steps=0, average_views=4
    )
    labelled, _ = galaxies.few(SEED, LABELS)
    begun = time.process_time()
    model = train(
        galaxies.pool.cache,
        labelled,
        galaxies.votes(labelled),
        galaxies.tree,
        config,
        directory=folder / "ensemble",
        seed=SEED,
    )
    return model, time.process_time() - begun


def _row(model, seconds, galaxies):
    from mlcore.cnn.predict import predict
    from mlcore.evaluation.figures import evaluate

    _, rest = galaxies.few(SEED, LABELS)
    asked = rest[:ASKED]
    begun = time.process_time()
    found = predict(model, galaxies.pool.cache, asked).concentrations.astype(float)
    took = time.process_time() - begun
    (question,) = evaluate(galaxies.votes(asked), found, galaxies.tree).questions.values()
    accuracy = np.mean(found.argmax(axis=1) == galaxies.pool.classes[asked])
    return {
        "networks": str(len(model.networks)),
        "accuracy": f"{accuracy:.3f}",
        "nats per vote": f"{question.nll_per_vote:.3f}",
        "coverage of 90% intervals": f"{question.coverage:.3f}",
        "mean total concentration": f"{found.sum(axis=1).mean():.1f}",
        "training, s of one core": f"{seconds:,.0f}",
        "prediction, galaxies/s": f"{ASKED / took:,.0f}",
    }
