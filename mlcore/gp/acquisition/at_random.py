"""Chance: the rule that every other is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from mlcore.gp.acquisition.beliefs import Beliefs
    from mlcore.gp.arrays import Floats


@dataclass
class RandomRule:
    """Every galaxy is as good as any other.

    Parameters
    ----------
    seed
        Of the generator, which moves on with every call.
    """

    seed: int
    counts_votes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def score(self, beliefs: Beliefs) -> Floats:
        """Return uniform numbers (m,)."""
        return self._rng.random(len(beliefs))
