"""How much look-alikes should heed rare answers, by the pool of sdss_gz1 without its labels.

The networks of `few_labels`, from scratch and ours, taught by the same 500 labels, are asked about
the rest of the pool; beside ours stand look-alikes that heed rare answers more and more. The test
set is never read. Gains are over the network from scratch, paired by seed, with a 95% interval.
"""

from functools import partial

import few_labels
import numpy as np
from _galaxies import REAL, read_galaxies, score, working_folder
from whole_rounds import interval

import mlcore.cnn  # noqa: F401 - before torch
from mlcore.calibration import IDENTITY

TITLE = (
    f"Look-alikes that heed rare answers: sdss_gz1, {few_labels.LABELS} labels, rest of the pool"
)
BALANCES = (0.0, 0.3, 0.5, 0.7, 1.0)
ALONE = "the network alone"


def table():
    """Return one row for each balance, and one without look-alikes."""
    if not REAL.is_dir():
        return [{"lookalike_balance": f"not measured: {REAL} is not there"}]
    with working_folder() as folder:
        galaxies = read_galaxies(folder)
        encoder = few_labels.pretrained(galaxies, folder)
        found = [_seed(galaxies, folder, encoder, seed) for seed in range(few_labels.SEEDS)]
    return [_row(name, np.array([each[name] for each in found])) for name in found[0]]


def _row(name, found):
    """Return the row of scores (seeds, 5): both accuracies, both gains, and nats."""
    means = found.mean(axis=0)
    return {
        "lookalike_balance": name,
        "accuracy": f"{means[0]:.3f}",
        "balanced": f"{means[1]:.3f}",
        "accuracy, over from scratch": interval(found[:, 2]),
        "balanced, over from scratch": interval(found[:, 3]),
        "nats per galaxy": f"{means[4]:.3f}",
        "seeds": str(len(found)),
    }


def _seed(galaxies, folder, encoder, seed):
    """Return the scores (5,) by the name of the row."""
    from mlcore.cnn.predict import predict

    _, rest = galaxies.few(seed, few_labels.LABELS)
    network = partial(few_labels.network, galaxies, folder, encoder)
    ours = network(few_labels.NETWORK, seed)
    cache, classes = galaxies.pool.cache, galaxies.pool.classes[rest]
    blank = predict(network(few_labels.SCRATCH, seed), cache, rest).concentrations
    scratch = np.array(score(blank.argmax(axis=1), classes, galaxies.tree))[:2]
    said = predict(ours, cache, rest).concentrations

    def scores(shares):
        shares = shares / shares.sum(axis=1, keepdims=True)
        own = np.array(score(shares.argmax(axis=1), classes, galaxies.tree))[:2]
        nats = -np.log(np.maximum(shares[np.arange(len(rest)), classes], 1e-6)).mean()
        return np.array([*own, *(own - scratch), nats])

    found = {}
    for balance, fractions in _lookalikes(galaxies, ours, encoder, seed):
        found[f"{balance:g}"] = scores(IDENTITY.apply(said, galaxies.tree, fractions))
    return found | {ALONE: scores(said)}


def _lookalikes(galaxies, network, encoder, seed):
    """Yield each balance, and what look-alikes say (n, A) with it of the rest of the pool."""
    from mlcore.cnn.lookalikes import LookalikeBasis, Lookalikes
    from mlcore.cnn.untaught import untaught

    config, cache = few_labels.OURS, galaxies.pool.cache
    labelled, rest = galaxies.few(seed, few_labels.LABELS)
    features = untaught(config, network.network.shapes, encoder)
    basis, known = LookalikeBasis.learn(features, cache, labelled, config, seed=seed)
    seen = features.of_rows(cache, rest, config, 2)
    reduced = basis.reducer.transform(seen.reshape(-1, seen.shape[2]))
    asked = basis.kernel.of(reduced).reshape(*seen.shape[:2], -1)
    votes = galaxies.votes(labelled)
    for balance in BALANCES:
        taught = Lookalikes.taught(basis, known, votes, galaxies.tree, balance=balance)
        yield balance, taught.of_known(asked)
