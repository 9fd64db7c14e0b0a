"""FITC or SVGP: which predicts the votes of galaxies that neither has seen?

Drawn galaxies, and real ones: the pixels of ``sdss_gz1`` reduced to 40 dimensions, with
votes drawn about the published class (68% of them right). A fifth is held out: at random,
or by a hash of the id. Everything else is the same: targets, kernel, landmarks.
"""

from __future__ import annotations

import csv
import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from _drawn_votes import DIMENSIONS
from PIL import Image
from scipy.special import logsumexp, softmax
from sklearn.decomposition import PCA

from mlcore.gp.fit import VoteGPConfig, fit_vote_gp
from mlcore.tree import DecisionTree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

TITLE = "Sparse Gaussian processes: held-out log likelihood, nats per vote"
REAL = Path(os.environ.get("LENTICULAR_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))
SEEDS, GALAXIES, PIXELS = 8, 1500, 32
KINDS = {
    "elliptical": 0,
    "edge-on": 1,
    "spiral-anticlockwise": 2,
    "spiral-clockwise": 2,
    "merger": 3,
    "dont-know": 3,
}
CONFIGS = {
    "exact": VoteGPConfig(max_exact=10**6),
    "fitc": VoteGPConfig(max_exact=1),
    "svgp": VoteGPConfig(max_exact=1, sparse="svgp"),
}

Votes = tuple["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.bool_]"]


def table(
    seeds: int = SEEDS, galaxies: int = GALAXIES, folder: Path = REAL / "sdss_gz1"
) -> list[dict[str, str]]:
    """Compare the three on drawn galaxies, and on real ones where they are at hand."""
    rows = [_row("drawn", [drawn(seed, galaxies) for seed in range(seeds)])]
    if not (folder / "labels.csv").is_file():
        return [*rows, dict.fromkeys(rows[0], "-") | {"galaxies": "no real data here"}]
    pixels, kinds, test = _real_galaxies(folder, galaxies)
    return [*rows, _row("sdss_gz1", [_real(pixels, kinds, test, seed) for seed in range(seeds)])]


def drawn(seed: int, galaxies: int) -> Votes:
    """Return features, votes and which are held out."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((galaxies, DIMENSIONS))
    truth = softmax(features @ (0.4 * rng.standard_normal((DIMENSIONS, 3))), axis=1)
    return features, rng.multinomial(10, truth).astype(np.float64), rng.random(galaxies) < 0.2


def _real_galaxies(
    folder: Path, galaxies: int
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]:
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:galaxies]
    ids = [hashlib.sha256(row["objid"].encode()).hexdigest() for row in rows]
    return (
        np.stack([_pixels(folder / row["file"]) for row in rows]),
        np.array([KINDS[row["gz1_class"]] for row in rows]),
        np.array([int(each, 16) % 5 == 0 for each in ids]),
    )


def _pixels(path: Path) -> NDArray[np.float32]:
    with Image.open(path) as image:
        small = image.crop((64, 64, 192, 192)).resize((PIXELS, PIXELS))
    return np.asarray(small, dtype=np.float32).ravel()


def _real(
    pixels: NDArray[np.float32], kinds: NDArray[np.int64], test: NDArray[np.bool_], seed: int
) -> Votes:
    rng = np.random.default_rng(seed)
    dimensions = min(DIMENSIONS, int((~test).sum()) - 1)
    pca = PCA(dimensions, random_state=seed).fit(pixels[~test])
    features = pca.transform(pixels) / np.sqrt(pca.explained_variance_)
    seen = np.full((4, 4), 0.08) + np.eye(4) * 0.68
    counts = rng.multinomial(rng.integers(3, 15, len(kinds)), (seen / seen.sum(1))[kinds])
    return features.astype(np.float64), counts.astype(np.float64), test


def _row(name: str, surveys: list[Votes]) -> dict[str, str]:
    found = np.array([list(_compare(survey, seed)) for seed, survey in enumerate(surveys)])
    likelihood, seconds = found[:, :, 0], found[:, :, 1].mean(axis=0)
    better = likelihood[:, 1] - likelihood[:, 2]
    margin = 1.96 * better.std(ddof=1) / np.sqrt(len(better)) if len(better) > 1 else np.nan
    return {
        "galaxies": name,
        "seeds": str(len(surveys)),
        **{way: f"{likelihood[:, place].mean():.4f}" for place, way in enumerate(CONFIGS)},
        "fitc less svgp (95%)": f"{better.mean():.4f} ± {margin:.4f}",
        **{f"{way}, seconds": f"{seconds[place]:.1f}" for place, way in enumerate(CONFIGS)},
    }


def _compare(survey: Votes, seed: int) -> Iterator[tuple[float, float]]:
    features, counts, test = survey
    answers = [{"slug": f"a{a}", "text": {"en": "a"}, "next": None} for a in range(counts.shape[1])]
    question = {"slug": "shape", "text": {"en": "shape"}, "answers": answers}
    tree = DecisionTree.from_dict(
        {"slug": "one", "name": "One", "start": "shape", "questions": [question]}
    )
    for config in CONFIGS.values():
        begun = time.perf_counter()
        gp = fit_vote_gp(features[~test], counts[~test], tree, config, seed=seed)
        fitted = time.perf_counter() - begun
        draws = gp.sample_fractions(features[test], 128, seed, scatter=True)
        logs = logsumexp((np.log(draws) * counts[test]).sum(axis=2), axis=0) - np.log(len(draws))
        yield float(logs.sum() / counts[test].sum()), fitted
