"""Galaxies of known class whose labels have been spoilt on purpose, in four ways.

Every kind gives 2.5% of the galaxies a wrong label. *Uniform* and *confusable flips* are
published labels, one for each galaxy and taken for certain: another class at random, or the
one that a forest trained on the true classes most often takes the galaxy's class for.
*Low votes* are two to five simulated votes on every galaxy, those of the planted on another
class. *Careless volunteers*: five votes on every galaxy, of which on the planted all but one
come from people who click without looking, so that their majority is wrong.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_predict

from mlcore.cnn.rings import ring_features
from mlcore.gp.reduce import Reducer
from mlcore.images import ImageCache
from mlcore.simulate.answers import answer_fractions
from mlcore.simulate.galaxies import draw_truth
from mlcore.simulate.render import render
from mlcore.simulate.replay_folder import read_labelled_folder
from mlcore.tree import DecisionTree

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("LENTICULAR_REAL_DATA", ROOT.parent / "shared" / "data"))
KEPT = Path(os.environ.get("LENTICULAR_BENCH_WORK", tempfile.gettempdir())) / "lenticular-mislabels"
SHARE = 0.025
KINDS = ("uniform flips", "confusable flips", "low votes", "careless volunteers")
MAIN_CLASSES = {"elliptical": 0, "spiral-clockwise": 1, "spiral-anticlockwise": 1, "edge-on": 2}
# What a crowd answers about elliptical, spiral and edge-on: GZ1_CONFUSION without the rest.
CROWD = np.array([[0.91, 0.03, 0.06], [0.08, 0.88, 0.04], [0.09, 0.04, 0.87]])
SIZE, COMPONENTS, DRAWN, DRAWN_SEED = 48, 40, 2500, 2027


@dataclass(frozen=True)
class Galaxies:
    """A survey: ids, true classes (n,), crowd fractions (n, K), and features.

    These are principal components of the pixels (n, p) and of the rings (n, d), and the rings
    themselves (n, D), which are the same of every survey.
    """

    name: str
    ids: tuple
    truth: np.ndarray
    crowd: np.ndarray
    pixels: np.ndarray
    rings: np.ndarray
    shapes: np.ndarray
    confused_with: np.ndarray

    @property
    def n_classes(self):
        """K."""
        return self.crowd.shape[1]


@dataclass(frozen=True)
class Spoilt:
    """Labels (n,) as published, the votes (n, K) behind them, and which are wrong (n,)."""

    labels: np.ndarray
    counts: np.ndarray
    wrong: np.ndarray


def real_galaxies(part="judged", *, spirals_together=False):
    """Return the three main classes of sdss_gz1, or None where it is not there.

    Dealt by a hash of the id: methods were chosen on "chosen-on", four galaxies in ten, and
    figures are of "judged", the other six. With `spirals_together` edge-on galaxies count as
    spirals, so that there are two classes.
    """
    if not (REAL / "sdss_gz1").is_dir():
        return None
    found = read_labelled_folder(REAL / "sdss_gz1").galaxies
    kept = [
        galaxy
        for galaxy in found
        if galaxy.class_slug in MAIN_CLASSES and part_of(galaxy.id_str) == part
    ]
    ids, paths = [galaxy.id_str for galaxy in kept], [galaxy.image.resolve() for galaxy in kept]
    cache = ImageCache.build(paths, ids, KEPT / f"sdss_gz1-{part}", size=SIZE, crop_fraction=0.625)
    truth = np.array([MAIN_CLASSES[galaxy.class_slug] for galaxy in kept])
    crowd = CROWD[truth]
    if not spirals_together:
        return _galaxies("sdss_gz1", ids, truth, crowd, cache.images)
    crowd = np.column_stack([crowd[:, 0], crowd[:, 1:].sum(axis=1)])
    return _galaxies("sdss_gz1, two classes", ids, np.minimum(truth, 1), crowd, cache.images)


def part_of(id_str):
    """Return which part a galaxy belongs to."""
    digest = hashlib.sha256(f"lenticular-mislabels {id_str}".encode()).digest()
    return "chosen-on" if digest[0] < 0.4 * 256 else "judged"


def drawn_galaxies(n=DRAWN, seed=DRAWN_SEED):
    """Return drawn galaxies and the first question of the Galaxy Zoo DECaLS tree."""
    tree = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz-decals-5.json")
    first = tree.question_slices[tree.start]
    truths = [draw_truth(seed, index) for index in range(n)]
    crowd = np.array([answer_fractions(truth, tree)[first] for truth in truths])
    images = _drawn_images(truths, KEPT / f"drawn-{n}-{seed}.npy")
    return _galaxies("drawn", list(range(n)), crowd.argmax(axis=1), crowd, images)


def _drawn_images(truths, path):
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.stack([render(truth, SIZE) for truth in truths]))
    return np.load(path)


def _galaxies(name, ids, truth, crowd, images):
    rows = np.arange(len(images))
    flat = np.asarray(images, dtype=np.float32).reshape(len(images), -1) / 255.0
    pixels = PCA(COMPONENTS, random_state=0).fit_transform(flat)
    raw = ring_features(np.asarray(images), rows)
    rings = Reducer.fit(raw).transform(raw)
    guessed = cross_val_predict(forest(0), pixels, truth, cv=5)
    table = np.zeros((crowd.shape[1],) * 2)
    np.add.at(table, (truth, guessed), 1.0)
    np.fill_diagonal(table, -1.0)
    return Galaxies(name, tuple(ids), truth, crowd, pixels, rings, raw, table.argmax(axis=1))


def forest(seed):
    """Return the forest that is given to everybody."""
    return RandomForestClassifier(100, min_samples_leaf=2, random_state=seed)


def spoil(galaxies, kind, seed):
    """Return the labels of one seed of one kind."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    n, k = galaxies.crowd.shape
    chosen = rng.permutation(n)[: round(SHARE * n)]
    other = (galaxies.truth + rng.integers(1, k, n)) % k
    if kind == "confusable flips":
        other = galaxies.confused_with[galaxies.truth]
    wrong = np.isin(np.arange(n), chosen)
    if kind.endswith("flips"):
        labels = np.where(wrong, other, galaxies.truth)
        return Spoilt(labels, np.eye(k)[labels], wrong)
    votes = rng.integers(2, 6, n) if kind == "low votes" else np.full(n, 5)
    fractions = galaxies.crowd.copy()
    if kind == "low votes":
        fractions[chosen] = _of_class(galaxies, other[chosen], rng)
        counts = rng.multinomial(votes, fractions)
    else:
        counts = rng.multinomial(votes, fractions)
        for row in chosen:
            counts[row] = _careless(galaxies.truth[row], fractions[row], rng)
    # A tie is settled by lot, as a catalogue that must give one label would.
    labels = (counts + rng.random(counts.shape) * 0.5).argmax(axis=1)
    return Spoilt(labels, counts.astype(float), wrong)


def _of_class(galaxies, classes, rng):
    """Return the crowd's fractions on random galaxies of these classes."""
    return np.array([rng.choice(galaxies.crowd[galaxies.truth == each]) for each in classes])


def _careless(truth, fractions, rng):
    """Return five votes, four of them careless, whose majority is not the truth."""
    k = len(fractions)
    while True:
        first = np.eye(k)[0]
        manner = first if rng.random() < 0.5 else np.full(k, 1 / k)
        counts = rng.multinomial(4, manner) + rng.multinomial(1, fractions)
        if counts[truth] < counts.max():
            return counts
