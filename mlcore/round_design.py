"""A round's batch under the rule ``design``: each vote where it improves the survey most.

`mlcore.gp.vote_design` places votes one by one. It looks at every galaxy it is given at each
step, so of a large survey some galaxies stand for all. Those that votes are promised on are
beside them, so that no vote is placed where another is on its way to tell the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlcore.gp.vote_design import VoteDesign
from mlcore.gp.vote_regression import RegressionConfig, fit_vote_regression, kernel_basis
from mlcore.round_survey import some_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mlcore.round_plan import RoundPlan
    from mlcore.round_survey import Survey

# Galaxies with votes that are learned from, and others that may be asked about, at the most:
# with both, a batch of 1,000 votes takes half a minute.
LEARNED, OFFERED = 20_000, 6_000
# Galaxies beside these that votes are promised on, at the most.
OWED = 4_000
# Galaxies chosen at a time, which do not know of each other.
BLOCK = 8


def place_votes(
    plan: RoundPlan,
    survey: Survey,
    candidates: NDArray[np.intp],
    features_of: Callable[[NDArray[np.float32]], NDArray[np.float64]],
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Place ``batch`` times ``expected_votes`` votes on candidates outside the panel.

    Parameters
    ----------
    plan
        Gives the tree, the seed and the settings.
    survey
        Every predicted subject.
    candidates
        Rows (m,) of the survey that may be asked about, rising.
    features_of
        From representations (n, D) to features (n, d), not all of them NaN.

    Returns
    -------
    places, wanted
        Places (b,) among the candidates, the first vote's first, and the votes (b,) wanted
        of each, those promised included. No candidates outside the panel give none.
    """
    rng = np.random.default_rng([plan.seed, 1])
    open_rows = candidates[~survey.control[candidates]]
    if not len(open_rows):
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int64)
    drawn = np.union1d(some_of(survey.labelled, LEARNED, rng), some_of(open_rows, OFFERED, rng))
    owed = np.setdiff1d(np.flatnonzero(survey.pending), drawn)
    rows = np.union1d(drawn, some_of(owed, OWED, rng))
    settings = RegressionConfig()
    basis = kernel_basis(features_of(survey.representations[rows]), settings.landmarks, plan.seed)
    counts = survey.counts_of(rows)
    model = fit_vote_regression(basis, counts, plan.tree, settings)
    promised = survey.pending[rows]
    design = VoteDesign(
        basis,
        model.mean_fractions(basis),
        counts,
        survey.votes[rows] + promised,
        plan.tree,
        settings,
    )
    chosen, _ = design.choose(
        plan.config.batch * plan.config.expected_votes,
        max_votes=plan.config.retirement_votes,
        block=BLOCK,
        allowed=np.isin(rows, np.intersect1d(drawn, open_rows)),
    )
    found, first, times = np.unique(chosen, return_index=True, return_counts=True)
    order = np.argsort(first)
    picked = found[order]
    return np.searchsorted(candidates, rows[picked]), times[order] + promised[picked]
