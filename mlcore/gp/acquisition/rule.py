"""What an acquisition rule is, and how a survey is scored with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from mlcore.gp.acquisition.beliefs import Beliefs, LatentModel, believe
from mlcore.memory import keeping_freed_memory
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked

if TYPE_CHECKING:
    from mlcore.gp.arrays import Floats, Ints
    from mlcore.tree import DecisionTree

# Galaxies scored at a time: their kernel then stays in the processor's cache.
CHUNK = 512


class AcquisitionRule(Protocol):
    """A rule that scores galaxies: the higher, the sooner it is asked about.

    Attributes
    ----------
    counts_votes
        Whether scores are information per vote, so that a batch can be made diverse and
        votes counted out; otherwise a batch is simply what scores best.
    """

    counts_votes: ClassVar[bool]

    def score(self, beliefs: Beliefs) -> Floats:
        """Return a score (m,) for each galaxy, finite and at least 0."""


def score_candidates(
    model: LatentModel,
    features: Floats,
    tree: DecisionTree,
    rule: AcquisitionRule,
    *,
    counts: Floats | None = None,
    promised: Ints | None = None,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Floats:
    """Return scores (m,) of candidates with features (m, d), in bounded memory.

    Parameters
    ----------
    counts, promised
        As in `believe`.

    Raises
    ------
    CancelledError
        If `should_stop` says so between two chunks.
    """
    scores = np.empty(len(features))
    with keeping_freed_memory():
        for start in range(0, len(features), CHUNK):
            stop_if_asked(should_stop, "scoring candidates")
            rows = slice(start, min(start + CHUNK, len(features)))
            beliefs = believe(
                model,
                features[rows],
                tree,
                counts=None if counts is None else counts[rows],
                promised=None if promised is None else promised[rows],
            )
            scores[rows] = rule.score(beliefs)
            said = f"{rows.stop:,} galaxies scored"
            report(on_progress, "acquire", rows.stop / len(features), said)
    return scores
