"""Whether quick scores put galaxies in the order of the exact ones.

The reference is the information of five votes from 512 draws of latents whose variance
goes through every labelled galaxy. Beside the quick score: what its two savings cost one by
one, the way it was done before, and chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from _drawn_votes import DIMENSIONS, DrawnVotes
from scipy.stats import spearmanr

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
) -> list[dict[str, str]]:
    """Score the same galaxies in several ways, and compare the orders."""
    known = DrawnVotes.draw(labels, np.random.default_rng(0))
    quick, exact = (
        fit_vote_gp(
            known.features, known.counts, known.tree, VoteGPConfig(landmarks=landmarks), seed=0
        )
        for landmarks in (256, labels)
    )
    features = np.random.default_rng(1).standard_normal((candidates, DIMENSIONS))

    def score(model: LatentModel, rule: AcquisitionRule) -> NDArray[np.float64]:
        return score_candidates(model, features, known.tree, rule)

    reference = score(SlowLatents(exact), BaldRule(5, draws, 7))
    ways = {
        "closed form, quick latents (as rounds do)": score(
            BulkLatents.of(quick), InformationRule()
        ),
        "closed form, exact latents": score(SlowLatents(exact), InformationRule()),
        "32 draws, 256 landmarks (before)": score(SlowLatents(quick), BaldRule(5, 32, 1)),
        "32 draws, exact latents": score(SlowLatents(exact), BaldRule(5, 32, 1)),
        "chance": score(SlowLatents(quick), RandomRule(1)),
    }
    return [_row(way, scores, reference, top) for way, scores in ways.items()]


def _row(
    way: str, scores: NDArray[np.float64], reference: NDArray[np.float64], top: int
) -> dict[str, str]:
    best, ours = (set(np.argsort(-each)[:top].tolist()) for each in (reference, scores))
    return {
        "score": way,
        "Spearman's rank correlation": f"{spearmanr(scores, reference)[0]:.4f}",
        f"of the best {top}": f"{len(best & ours) / top:.2f}",
    }
