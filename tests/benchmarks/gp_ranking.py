"""Whether quick scores put galaxies in the order of the exact ones.

The reference is the information of five votes from 512 draws of latents whose variance
goes through every labelled galaxy. Beside the quick score: what its two savings cost one by
one, the way it was done before, and chance. Means over surveys drawn by their seeds, with half of
the 95% interval.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from _drawn_votes import DIMENSIONS, DrawnVotes
from scipy.stats import spearmanr
from whole_rounds import interval

from mlcore.gp.acquisition import (
    BaldRule,
    InformationRule,
    RandomRule,
    score_candidates,
)
from mlcore.gp.bulk import BulkLatents
from mlcore.gp.fit import VoteGPConfig, fit_vote_gp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlcore.gp.acquisition import AcquisitionRule, LatentModel
    from mlcore.gp.model import VoteGP

TITLE = "Do quick scores keep the exact order?"
LABELS, CANDIDATES, TOP, REFERENCE_DRAWS = 500, 4000, 200, 512
SEEDS = int(os.environ.get("LENTICULAR_BENCH_SEEDS", "8"))


class SlowLatents:
    """A GP's latents in double precision, answer by answer."""

    def __init__(self, gp: VoteGP) -> None:
        self.latent = gp.latent
        self.scatter_variance = np.zeros(gp.n_answers)


def table(
    labels: int = LABELS,
    candidates: int = CANDIDATES,
    top: int = TOP,
    draws: int = REFERENCE_DRAWS,
    seeds: int = SEEDS,
) -> list[dict[str, str]]:
    """Score the same galaxies in several ways, and compare the orders."""
    found = [_agreement(labels, candidates, top, draws, seed) for seed in range(seeds)]
    return [
        {
            "score": way,
            "Spearman's rank correlation": interval(np.array([each[way][0] for each in found]), 4),
            f"of the best {top}": interval(np.array([each[way][1] for each in found])),
            "seeds": str(seeds),
        }
        for way in found[0]
    ]


def _agreement(
    labels: int, candidates: int, top: int, draws: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Return by way of scoring its rank correlation with the reference, and how many it shares."""
    rng = np.random.default_rng(seed)
    known = DrawnVotes.draw(labels, rng)
    quick, exact = (
        fit_vote_gp(
            known.features, known.counts, known.tree, VoteGPConfig(landmarks=landmarks), seed=seed
        )
        for landmarks in (256, labels)
    )
    features = rng.standard_normal((candidates, DIMENSIONS))

    def score(model: LatentModel, rule: AcquisitionRule) -> NDArray[np.float64]:
        return score_candidates(model, features, known.tree, rule)

    reference = score(SlowLatents(exact), BaldRule(5, draws, seed + 7))
    ways = {
        "closed form, quick latents (as rounds do)": score(
            BulkLatents.of(quick), InformationRule()
        ),
        "closed form, exact latents": score(SlowLatents(exact), InformationRule()),
        "32 draws, 256 landmarks (before)": score(SlowLatents(quick), BaldRule(5, 32, seed + 1)),
        "32 draws, exact latents": score(SlowLatents(exact), BaldRule(5, 32, seed + 1)),
        "chance": score(SlowLatents(quick), RandomRule(seed + 1)),
    }
    return {way: _likeness(scores, reference, top) for way, scores in ways.items()}


def _likeness(
    scores: NDArray[np.float64], reference: NDArray[np.float64], top: int
) -> tuple[float, float]:
    best, ours = (set(np.argsort(-each)[:top].tolist()) for each in (reference, scores))
    return float(spearmanr(scores, reference)[0]), len(best & ours) / top
