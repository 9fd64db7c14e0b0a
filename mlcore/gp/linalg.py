"""Cholesky factors that never fail silently, whatever the galaxies look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import LinAlgError, cholesky

from mlcore.errors import FitError

if TYPE_CHECKING:
    from mlcore.gp.arrays import Floats

# Shares of the mean variance added to the diagonal, one after the other, until it works.
JITTERS = (0.0, 1e-8, 1e-6, 1e-4, 1e-2)


def factorise(matrix: Floats, name: str) -> Floats:
    """Return the lower Cholesky factor (n, n) of a covariance matrix (n, n).

    Where rounding has made the matrix indefinite (near-duplicate galaxies do), its
    diagonal is raised, by at most 1% of its mean.

    Parameters
    ----------
    matrix
        Symmetric, positive semi-definite up to rounding.
    name
        What the matrix is, for the error.

    Raises
    ------
    FitError
        If the matrix is not finite, or is indefinite even then.
    """
    if not np.isfinite(matrix).all():
        raise FitError(f"{name} must be finite, is not")
    size = float(np.trace(matrix)) / max(len(matrix), 1)
    for jitter in JITTERS:
        try:
            root: Floats = cholesky(matrix + jitter * size * np.eye(len(matrix)), lower=True)
        except LinAlgError:
            continue
        return root
    raise FitError(f"{name} must be positive definite, is not even with 1% more variance")
