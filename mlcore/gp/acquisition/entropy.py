"""The entropy of one vote (Shannon 1948; uncertainty sampling, Lewis & Gale 1994)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from scipy.special import entr

from mlcore.gp.acquisition.asked import sum_over_questions

if TYPE_CHECKING:
    from mlcore.gp.acquisition.beliefs import Beliefs
    from mlcore.gp.arrays import Floats


@dataclass(frozen=True)
class EntropyRule:
    """Prefer galaxies whose next vote is the least certain, whatever the cause."""

    counts_votes: ClassVar[bool] = False

    def score(self, beliefs: Beliefs) -> Floats:
        """Return the entropy (m,) of one vote in nats, summed over the questions asked."""
        fractions = beliefs.fractions()
        slices = beliefs.tree.question_slices.values()
        scores = [entr(fractions[:, columns]).sum(axis=1) for columns in slices]
        return sum_over_questions(scores, fractions, beliefs.tree)
