"""Votes whose concentrations are known, on the tiny tree's first question."""

import numpy as np


def simulated(rng, n=4000, votes=20):
    """Return votes and concentrations of n galaxies, shape (n, 5)."""
    concentrations = np.ones((n, 5)) + rng.gamma(2, 3, (n, 5))
    counts = np.zeros((n, 5))
    truth = rng.beta(concentrations[:, 0], concentrations[:, 1])
    counts[:, 0] = rng.binomial(votes, truth)
    counts[:, 1] = votes - counts[:, 0]
    return counts, concentrations
