"""How long the Gaussian process takes to learn from votes and to score a survey."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from mlcore.gp.acquisition import InformationRule, asked_probability, score_candidates
from mlcore.gp.fit import fit_vote_gp
from mlcore.tree import DecisionTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

TITLE = "Scoring galaxies by what their votes would teach"
TREE = Path(__file__).parents[2] / "fixtures" / "trees" / "gz-decals-5.json"
LABELS, CANDIDATES, DIMENSIONS, VOLUNTEERS = 1000, 100_000, 40, 10
# Candidates are handed over in blocks of this size, as a training round does.
BLOCK = 8192


def table() -> list[dict[str, str]]:
    """Fit on drawn galaxies, score others, and time both."""
    tree = DecisionTree.from_file(TREE)
    rng = np.random.default_rng(0)
    features = rng.standard_normal((LABELS, DIMENSIONS))
    counts = _votes(features, tree, rng)
    begun = time.perf_counter()
    gp = fit_vote_gp(features, counts, tree, seed=0)
    fitted = time.perf_counter()
    candidates = rng.standard_normal((CANDIDATES, DIMENSIONS))
    for start in range(0, CANDIDATES, BLOCK):
        block = candidates[start : start + BLOCK]
        score_candidates(gp, block, tree, InformationRule(), seed=0)
    scored = time.perf_counter()
    return [
        {
            "labels": f"{LABELS:,}",
            "answers": str(len(tree.label_cols)),
            "seconds to fit": f"{fitted - begun:.1f}",
            "candidates": f"{CANDIDATES:,}",
            "seconds to score": f"{scored - fitted:.1f}",
            "scored per second": f"{CANDIDATES / (scored - fitted):,.0f}",
        }
    ]


def _votes(
    features: NDArray[np.float64], tree: DecisionTree, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw the votes (n, A) of volunteers who walk the tree."""
    taste = 0.4 * rng.standard_normal((features.shape[1], len(tree.label_cols)))
    fractions = np.hstack(
        [softmax(features @ taste[:, columns], axis=1) for columns in tree.question_slices.values()]
    )
    asked = rng.binomial(VOLUNTEERS, np.minimum(asked_probability(fractions, tree), 1.0))
    votes = [
        rng.multinomial(asked[:, place], fractions[:, columns])
        for place, columns in enumerate(tree.question_slices.values())
    ]
    return np.hstack(votes).astype(np.float64)
