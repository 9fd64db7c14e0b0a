"""Drawn galaxies for the benchmarks of the Gaussian process, and their votes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from mlcore.gp.acquisition import asked_probability
from mlcore.tree import DecisionTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

TREE = Path(__file__).parents[2] / "fixtures" / "trees" / "gz-decals-5.json"
DIMENSIONS, VOLUNTEERS = 40, 10


@dataclass(frozen=True)
class DrawnVotes:
    """Features (n, d) drawn from a normal, fractions linear in them on the logit scale."""

    tree: DecisionTree
    features: NDArray[np.float64]
    counts: NDArray[np.float64]

    @classmethod
    def draw(cls, n: int, rng: np.random.Generator) -> DrawnVotes:
        """Draw n galaxies, each seen by ten volunteers who walk the tree."""
        tree = DecisionTree.from_file(TREE)
        features = rng.standard_normal((n, DIMENSIONS))
        taste = 0.4 * rng.standard_normal((DIMENSIONS, len(tree.label_cols)))
        slices = list(tree.question_slices.values())
        fractions = np.hstack([softmax(features @ taste[:, part], axis=1) for part in slices])
        asked = rng.binomial(VOLUNTEERS, np.minimum(asked_probability(fractions, tree), 1.0))
        votes = [
            rng.multinomial(asked[:, place], fractions[:, part])
            for place, part in enumerate(slices)
        ]
        return cls(tree, features, np.hstack(votes).astype(np.float64))
