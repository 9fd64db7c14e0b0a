"""Bootstrap over galaxies: the votes on one galaxy stay together (Efron & Tibshirani 1993)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlcore.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 400


def resampled_sums(
    columns: NDArray[np.float64], *, seed: int, draws: int = DRAWS
) -> NDArray[np.float64]:
    """Return the columns' sums over galaxies drawn with replacement, shape (draws, m).

    Parameters
    ----------
    columns
        A row per galaxy, shape (n, m); no rows give zeros, NaN stays NaN.
    seed, draws
        Of the drawing; at least one draw.
    """
    if draws < 1:
        raise InvalidInputError(f"draws must be at least 1, is {draws}")
    rng, n = np.random.default_rng(seed), len(columns)
    sums = np.zeros((draws, columns.shape[1]))
    for draw in range(draws if n else 0):
        sums[draw] = np.bincount(rng.integers(0, n, n), minlength=n) @ columns
    return sums
