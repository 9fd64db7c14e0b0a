"""What an ensemble adds to honest uncertainty, and what it costs, on the pool of sdss_gz1.

One network, and several from other seeds mixed: nats per galaxy and the coverage of 90%
intervals on galaxies of the pool that neither was taught, before any recalibration. Seeds label
other galaxies and train other networks; means, with half of the 95% interval.
"""

import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import _galaxies
import numpy as np
from whole_rounds import SEEDS, WORKERS, interval, one_thread

from mlcore.train_config import TrainConfig

TITLE = "One network and an ensemble: sdss_gz1, pool alone, 500 labels, without recalibration"
NETWORKS = int(os.environ.get("LENTICULAR_BENCH_NETWORKS", "3"))
EPOCHS = int(os.environ.get("LENTICULAR_BENCH_EPOCHS", "6"))
LABELS, ASKED = 500, 800
HEADINGS = {
    "accuracy": 3,
    "nats per vote": 3,
    "coverage of 90% intervals": 3,
    "mean total concentration": 1,
    "training, s of one core": 0,
    "prediction, galaxies/s": 0,
}
"""What is told, and to how many places."""


def table():
    """Return one row for each number of networks."""
    if not _galaxies.REAL.is_dir():
        return [{"networks": f"not measured: {_galaxies.REAL} is not there"}]
    with _galaxies.working_folder() as folder:
        _galaxies.read_galaxies(folder)
        with ProcessPoolExecutor(WORKERS, get_context("spawn"), one_thread) as pool:
            found = np.array(list(pool.map(_seed, [folder] * SEEDS, range(SEEDS))))
    one, several = found.transpose(1, 2, 0)
    named, rows = {"1": one, str(NETWORKS): several, "difference": several - one}, []
    for networks, figures in named.items():
        told = zip(HEADINGS.items(), figures, strict=True)
        cells = {heading: interval(values, places) for (heading, places), values in told}
        rows.append({"networks": networks, **cells, "seeds": str(SEEDS)})
    return rows


def _seed(folder, seed):
    """Return the figures (2, 6) of one network and of all, by one seed."""
    kept = folder / f"uncertainty-{EPOCHS}-{NETWORKS}-{seed}.npy"
    if not kept.is_file():
        galaxies = _galaxies.read_galaxies(folder)
        model, seconds = _trained(galaxies, folder / f"ensemble-{EPOCHS}-{NETWORKS}-{seed}", seed)
        one = replace(model, others=())
        both = [(one, seconds / NETWORKS), (model, seconds)]
        np.save(kept, [_figures(each, took, galaxies, seed) for each, took in both])
    return np.load(kept)


def _trained(galaxies, directory, seed):
    """Return the networks, and the processor seconds that they took."""
    from mlcore.cnn.train import train

    config = replace(
        TrainConfig(), ensemble=NETWORKS, epochs=EPOCHS, pretrain_steps=0, average_views=4
    )
    labelled, _ = galaxies.few(seed, LABELS)
    votes, begun = galaxies.votes(labelled), time.process_time()
    model = train(
        galaxies.pool.cache,
        labelled,
        votes,
        galaxies.tree,
        config,
        directory=directory,
        seed=seed,
    )
    return model, time.process_time() - begun


def _figures(model, seconds, galaxies, seed):
    from mlcore.cnn.predict import predict
    from mlcore.evaluation.figures import evaluate

    _, rest = galaxies.few(seed, LABELS)
    asked = rest[:ASKED]
    begun = time.process_time()
    found = predict(model, galaxies.pool.cache, asked).concentrations.astype(float)
    took = time.process_time() - begun
    (question,) = evaluate(galaxies.votes(asked), found, galaxies.tree).questions.values()
    accuracy = np.mean(found.argmax(axis=1) == galaxies.pool.classes[asked])
    total = found.sum(axis=1).mean()
    return [accuracy, question.nll_per_vote, question.coverage, total, seconds, ASKED / took]
