"""How many votes to ask of a galaxy, and what they leave open about its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlcore.errors import InvalidInputError
from mlcore.gp.acquisition.asked import asked_probability
from mlcore.gp.acquisition.information import taught
from mlcore.gp.arrays import require_at_least

if TYPE_CHECKING:
    import numpy.typing as npt

    from mlcore.gp.acquisition.beliefs import Beliefs
    from mlcore.gp.arrays import Floats, Ints


def votes_wanted(
    beliefs: Beliefs,
    *,
    min_votes: int = 3,
    max_votes: int = 40,
    price: npt.ArrayLike = 0.02,
) -> Ints:
    """Return how many votes (m,) to ask of each galaxy, those promised included.

    Votes are added while the next one is expected to teach at least `price`. It never
    teaches more than the one before.

    Parameters
    ----------
    min_votes, max_votes
        Limits, both included; at least 1. What is promised is never taken back.
    price
        What one vote must teach, in nats, above 0: one number, or one for each galaxy.

    Raises
    ------
    InvalidInputError
        If the limits are not in order or a price is not above 0.
    """
    require_at_least("min_votes", min_votes, 1)
    require_at_least("max_votes", max_votes, min_votes)
    least = np.asarray(price, dtype=np.float64)
    if not (least > 0).all():
        raise InvalidInputError(f"price must be above 0, is {least.min()}")
    told = np.stack([taught(beliefs, n) for n in range(min_votes, max_votes + 1)])
    worth = np.diff(told, axis=0) >= least
    wanted: Ints = min_votes + np.logical_and.accumulate(worth, axis=0).sum(axis=0)
    return np.maximum(wanted, beliefs.promised)


def vote_noise(beliefs: Beliefs, n_votes: npt.ArrayLike) -> Floats:
    """Return the noise (m,) of what votes say of the smooth function, relative to its variance.

    With noise r, the votes explain 1 / (1 + r) of the variance; it is the share explained
    of each answer, 1 / (1 + (scatter + 1 / (n P(asked) p)) / variance), averaged over
    answers by their variance. No votes have infinite noise.

    Parameters
    ----------
    n_votes
        Volunteers, one number or (m,), at least 0.
    """
    fractions = beliefs.fractions()
    asked = asked_probability(fractions, beliefs.tree)
    widths = [part.stop - part.start for part in beliefs.tree.question_slices.values()]
    votes = np.reshape(n_votes, (-1, 1)) * np.repeat(asked, widths, axis=1) * fractions
    seen = votes * beliefs.variance / (1.0 + votes * (beliefs.variance + beliefs.scatter))
    weights = np.maximum(beliefs.variance, np.finfo(float).tiny)
    explained = (weights * seen).sum(axis=1) / weights.sum(axis=1)
    with np.errstate(divide="ignore"):
        noise: Floats = 1.0 / explained - 1.0
    return noise
