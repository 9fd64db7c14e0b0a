"""Vote counts as Gaussian regression targets with known noise.

Milios et al. 2018, "Dirichlet-based Gaussian Processes for Large-scale Calibrated
Classification" (NeurIPS 31): a Dirichlet is a normalised vector of independent
Gamma(alpha_a, 1) variables, and each Gamma is matched in mean and variance by a
log-normal with

    noise = log(1 + 1 / alpha),    y = log(alpha) - noise / 2.

We subtract log(sum alpha) of the galaxy from its targets. The softmax of a draw
does not see the shift, and without it the GP would try to explain how many votes
a galaxy has by how it looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mlcore.gp.arrays import Floats

# A target known better than this adds nothing but ill-conditioned matrices.
SMALLEST_NOISE = 1e-4


def base_concentrations(counts: Floats, strength: float) -> Floats:
    """Return the prior concentrations (K,) that every galaxy's votes are added to.

    They are `strength` votes, shared out as the whole survey's votes are, with a
    floor of one tenth of an even share, so that an answer nobody has given yet
    stays possible.

    Parameters
    ----------
    counts
        Votes (n, K) on one question; n may be 0, which gives an even share.
    strength
        Prior votes per galaxy, above 0.
    """
    n_answers = counts.shape[1]
    pooled = counts.sum(axis=0) + 1.0
    shares = 0.9 * pooled / pooled.sum() + 0.1 / n_answers
    concentrations: Floats = strength * shares
    return concentrations


def dirichlet_targets(counts: Floats, prior: Floats) -> tuple[Floats, Floats]:
    """Return targets and noise variances on the log-fraction scale.

    Parameters
    ----------
    counts
        Votes (n, K) on one question, finite and at least 0.
    prior
        Prior concentrations (K,), above 0.

    Returns
    -------
    targets, noise
        Each (n, K). The noise falls with the votes: it is log(1 + 1 / alpha).
    """
    alpha = counts + prior
    noise = np.maximum(np.log1p(1.0 / alpha), SMALLEST_NOISE)
    targets = np.log(alpha) - noise / 2 - np.log(alpha.sum(axis=1, keepdims=True))
    return targets, noise
