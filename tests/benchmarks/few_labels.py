"""Few labels on real galaxies: the network beside what is usual, with the same 500 labels.

The galaxies of sdss_gz1 are dealt by a hash of their ids: a fifth is the test set, on which
nothing was chosen; settings were compared on the rest, the pool. The published class of 500
galaxies of the pool is given to each method, as five votes that agree where it takes votes;
another seed labels other galaxies. The encoder is pretrained once, on the images of the
pool without any label.
"""

import hashlib
import os
import sys
from dataclasses import replace
from functools import cache, partial

import _galaxies
import numpy as np
from _shape_and_hog import shape_and_hog
from whole_rounds import interval

import mlcore.cnn  # noqa: F401 - before torch
from mlcore.train_config import TrainConfig

LABELS = int(os.environ.get("LENTICULAR_BENCH_LABELS", "500"))
SEEDS = int(os.environ.get("LENTICULAR_BENCH_SEEDS", "8"))
TITLE = f"sdss_gz1 with {LABELS} labels: test set, mean and standard error over the seeds"
STRENGTH = 0.01
OURS = TrainConfig()
ALONE = replace(OURS, lookalikes=False)
SCRATCH = "network from scratch"
NETWORK = "ours, network alone: pretrained, shape features"
TRAINED = {
    SCRATCH: replace(ALONE, shape_features=False, pretrain_steps=0),
    "ours, network alone: from scratch, shape features": replace(ALONE, pretrain_steps=0),
    "ours, network alone: pretrained, no shape features": replace(ALONE, shape_features=False),
    NETWORK: ALONE,
    "ours: network and look-alikes, nothing pretrained": replace(OURS, pretrain_steps=0),
    "ours: network and look-alikes": OURS,
}


def table():
    """Return one row for each method."""
    if not _galaxies.REAL.is_dir():
        return [{"method": f"not measured: {_galaxies.REAL} is not there"}]
    with _galaxies.working_folder() as folder:
        galaxies = _galaxies.read_galaxies(folder)
        encoder = pretrained(galaxies, folder)
        methods = {**_cheap_methods(galaxies), **_our_methods(galaxies, folder, encoder)}
        found = {name: _scores(name, answer, galaxies, folder) for name, answer in methods.items()}
    return [_row(name, scores, found[SCRATCH]) for name, scores in found.items()]


def _row(name, scores, scratch):
    """Return the row of a method's scores (seeds, 3), beside those of the network from scratch.

    The differences are paired by seed, with half of their 95% interval, by Student's t.
    """
    gains = (scores - scratch).T[:2]
    return {
        "method": name,
        **_galaxies.cells(scores),
        **{
            f"{heading}, over from scratch": "" if name == SCRATCH else interval(gain)
            for heading, gain in zip(_galaxies.HEADINGS, gains, strict=False)
        },
    }


def _scores(name, answer, galaxies, folder):
    """Return the scores (seeds, 3) of a method that answers after labels chosen by a seed."""
    scores = []
    for seed in range(SEEDS):
        kept = folder / f"answers-{LABELS}" / f"{name}-{seed}.npy"
        if not kept.is_file():
            kept.parent.mkdir(exist_ok=True)
            np.save(kept, answer(seed))
        scores.append(_galaxies.score(np.load(kept), galaxies.test.classes, galaxies.tree))
    print(name, *_galaxies.cells(scores).values(), file=sys.stderr, flush=True)
    return np.array(scores)


def _cheap_methods(galaxies):
    named = {
        "PCA + random forest": (_pixels, _forest, False),
        "shape and HOG + SVM": (shape_and_hog, _machine, False),
        "shape and HOG + SVM, mirror images too": (shape_and_hog, _machine, True),
    }
    methods = {}
    for name, (measure, make, mirrored) in named.items():
        there = cache(partial(_measured, galaxies, measure, mirrored=mirrored))
        methods[name] = partial(_cheap, galaxies, there, partial(make, None))
        methods[f"{name}, class weights"] = partial(
            _cheap, galaxies, there, partial(make, "balanced")
        )
    return methods


def _our_methods(galaxies, folder, encoder):
    frozen = "ours, encoder frozen: linear on its features and shapes"
    return {
        frozen: partial(_frozen, galaxies, folder, encoder, None),
        f"{frozen}, class weights": partial(_frozen, galaxies, folder, encoder, "balanced"),
        **{name: partial(_trained, galaxies, folder, encoder, name) for name in TRAINED},
    }


def _pixels(images):
    return images.reshape(len(images), -1) / 255.0


def _forest(weights):
    from sklearn.decomposition import PCA
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    forest = RandomForestClassifier(400, class_weight=weights, random_state=0)
    return make_pipeline(PCA(50, random_state=0), forest)


def _machine(weights):
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    machine = make_pipeline(StandardScaler(), SVC(class_weight=weights))
    scoring = "balanced_accuracy" if weights else "accuracy"
    return GridSearchCV(machine, {"svc__C": [1.0, 10.0]}, cv=3, scoring=scoring)


def _measured(galaxies, measure, *, mirrored):
    """Return features of the pool, of its mirror images if asked for, and of the test set."""
    pool = np.array(galaxies.pool.cache.images)
    sides = [measure(pool), measure(pool[:, :, ::-1])] if mirrored else [measure(pool)]
    return sides, measure(np.array(galaxies.test.cache.images))


def _cheap(galaxies, measured, make, seed):
    sides, test = measured()
    labelled, _ = galaxies.few(seed, LABELS)
    told = galaxies.pool.classes[labelled]
    classes = [told, galaxies.mirror[told]][: len(sides)]
    taught = np.concatenate([side[labelled] for side in sides])
    return make().fit(taught, np.concatenate(classes)).predict(test)


def pretrained(galaxies, folder):
    """Return the weights of the encoder that learnt from the pool without labels."""
    from mlcore.cnn.pretrain import pretrain

    return pretrain(galaxies.pool.cache, OURS, directory=folder / "pretrained", seed=0)


def _frozen(galaxies, folder, encoder, weights, seed):
    """Answers of a logistic regression on the encoder's features and the shape features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    pool, test = _embedded(galaxies, folder, encoder)
    classes, mirror = galaxies.pool.classes, galaxies.mirror
    labelled, _ = galaxies.few(seed, LABELS)
    taught = np.concatenate([pool[labelled, 0], pool[labelled, 1]])
    told = np.concatenate([classes[labelled], mirror[classes[labelled]]])
    scaler = StandardScaler().fit(taught)
    model = LogisticRegression(C=STRENGTH, max_iter=400, class_weight=weights)
    model.fit(scaler.transform(taught), told)
    said = np.zeros((2, len(test), len(mirror)))
    for side in range(2):
        said[side][:, model.classes_] = model.predict_proba(scaler.transform(test[:, side]))
    return (said[0] + said[1][:, mirror]).argmax(axis=1)


def _embedded(galaxies, folder, encoder):
    """Return features (n, 2, D) of the pool and the test set: each galaxy, and mirrored."""
    from mlcore.cnn.dataset import to_tensor
    from mlcore.cnn.shapes import ShapeFeatures
    from mlcore.cnn.untaught import untaught

    kept = [folder / f"features-{part}.npy" for part in ("pool", "test")]
    if not all(path.is_file() for path in kept):
        shapes = ShapeFeatures(3).fit(to_tensor(np.array(galaxies.pool.cache.images)).split(256))
        features = untaught(OURS, shapes, encoder)
        for path, part in zip(kept, (galaxies.pool, galaxies.test), strict=True):
            np.save(path, features.of_rows(part.cache, np.arange(len(part.classes)), OURS, 8))
    return tuple(np.load(path) for path in kept)


def _trained(galaxies, folder, encoder, name, seed):
    """Answers of a network trained on the votes, as a round trains it but not recalibrated."""
    from mlcore.cnn.predict import predict

    config, model = TRAINED[name], network(galaxies, folder, encoder, name, seed)
    if config.lookalikes:
        labelled, _ = galaxies.few(seed, LABELS)
        model = _galaxies.with_lookalikes(
            replace(model, config=config),
            galaxies.pool.cache,
            labelled,
            galaxies.votes(labelled),
            encoder=encoder if config.pretrain_steps else None,
            seed=seed,
        )
    test = galaxies.test.cache
    return predict(model, test, np.arange(len(test))).concentrations.argmax(axis=1)


def network(galaxies, folder, encoder, name, seed):
    """Return the network of a method of `TRAINED` after a seed's labels, without look-alikes."""
    from mlcore.cnn.train import train

    # What look-alikes would heed is nothing to the network, which others share.
    config = replace(TRAINED[name], lookalikes=False, lookalike_balance=0.0)
    labelled, _ = galaxies.few(seed, LABELS)
    same = f"{LABELS}-{seed}-{config.to_dict()}"
    return train(
        galaxies.pool.cache,
        labelled,
        galaxies.votes(labelled),
        galaxies.tree,
        config,
        directory=folder / f"trained-{hashlib.sha256(same.encode()).hexdigest()[:12]}",
        seed=seed,
        start_from=encoder if config.pretrain_steps else None,
    )
