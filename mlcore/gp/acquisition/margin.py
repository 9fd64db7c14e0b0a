"""The margin between the two likeliest answers (Scheffer et al. 2001)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mlcore.gp.acquisition.asked import sum_over_questions

if TYPE_CHECKING:
    from mlcore.gp.acquisition.beliefs import Beliefs
    from mlcore.gp.arrays import Floats


@dataclass(frozen=True)
class MarginRule:
    """Prefer galaxies whose two likeliest answers are expected to be close."""

    counts_votes: ClassVar[bool] = False

    def score(self, beliefs: Beliefs) -> Floats:
        """Return 1 less the margin (m,), summed over the questions asked."""
        fractions = beliefs.fractions()
        slices = beliefs.tree.question_slices.values()
        scores = [_closeness(fractions[:, columns]) for columns in slices]
        return sum_over_questions(scores, fractions, beliefs.tree)


def _closeness(fractions: Floats) -> Floats:
    ordered = np.sort(fractions, axis=1)
    # A question with one answer leaves no doubt.
    second = ordered[:, -2] if fractions.shape[1] > 1 else 0.0
    closeness: Floats = 1.0 - (ordered[:, -1] - second)
    return closeness
