"""How long the Gaussian process takes to learn from votes and to score a survey.

Beside it, on some of the same candidates and in the same run, the way it was done before:
latents in double precision, and information from 32 draws.

LENTICULAR_BENCH_CANDIDATES=10000000 scores as many instead of a million, to see that time
grows with their number alone and memory does not.
"""

from __future__ import annotations

import os
import resource
import time
from typing import TYPE_CHECKING

import numpy as np
from _drawn_votes import DIMENSIONS, DrawnVotes

from mlcore.gp.acquisition import BaldRule, InformationRule, score_candidates
from mlcore.gp.bulk import BulkLatents
from mlcore.gp.fit import fit_vote_gp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlcore.gp.acquisition import AcquisitionRule, LatentModel
    from mlcore.gp.model import VoteGP
    from mlcore.tree import DecisionTree

    # Numbers of galaxies with votes, and of candidates.
    Sizes = tuple[tuple[int, int], ...]

TITLE = "Scoring galaxies by what their votes would teach"
CANDIDATES = int(os.environ.get("LENTICULAR_BENCH_CANDIDATES", "1000000"))
SIZES = ((1000, CANDIDATES), (5000, CANDIDATES))
# As many are scored in the old way.
BEFORE = 20_000
# Candidates are handed over in blocks of this size, as a training round does.
BLOCK = 8192


class OldLatents:
    """A GP's latents as they were, one question after the other in double precision."""

    def __init__(self, gp: VoteGP) -> None:
        self.latent = gp.latent
        self.scatter_variance = BulkLatents.of(gp).scatter_variance


def table(sizes: Sizes = SIZES, before: int = BEFORE) -> list[dict[str, str]]:
    """Fit on drawn galaxies, score others, and time both."""
    return [row for labels, candidates in sizes for row in _rows(labels, candidates, before)]


def _rows(labels: int, candidates: int, before: int) -> Iterator[dict[str, str]]:
    known = DrawnVotes.draw(labels, np.random.default_rng(0))
    begun = time.perf_counter()
    gp = fit_vote_gp(known.features, known.counts, known.tree, seed=0)
    fitted = time.perf_counter() - begun
    spent = time.process_time()
    new = _time(BulkLatents.of(gp), InformationRule(), known.tree, candidates)
    spent = time.process_time() - spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    old = _time(OldLatents(gp), BaldRule(), known.tree, before)
    yield {
        "labels": f"{labels:,}",
        "answers": str(len(known.tree.label_cols)),
        "seconds to fit": f"{fitted:.1f}",
        "candidates": f"{candidates:,}",
        "seconds to score": f"{new:.1f}",
        "processor seconds": f"{spent:.1f}",
        "scored per second": f"{candidates / new:,.0f}",
        "before, per second": f"{before / old:,.0f}",
        "ratio": f"{candidates / new * old / before:.1f}",
        "peak memory, MiB": f"{peak:,.0f}",
    }


def _time(model: LatentModel, rule: AcquisitionRule, tree: DecisionTree, number: int) -> float:
    rng, begun = np.random.default_rng(1), time.perf_counter()
    drawing = 0.0
    for start in range(0, number, BLOCK):
        paused = time.perf_counter()
        block = rng.standard_normal((min(BLOCK, number - start), DIMENSIONS))
        drawing += time.perf_counter() - paused
        score_candidates(model, block, tree, rule)
    return time.perf_counter() - begun - drawing
