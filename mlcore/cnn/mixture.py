"""What several networks say together: one Dirichlet with the mean and spread of their mixture.

Networks of other seeds agree where they were taught and differ where they guess; the
mixture of their distributions is as wide as that (deep ensembles; Lakshminarayanan et al.
2017, arXiv:1612.01474).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

# Networks that are certain of different answers leave a mixture on the corners, which no
# Dirichlet has.
_LEAST_TOTAL: Final = 1e-2


def mixed_concentrations(
    concentrations: NDArray[np.float32], slices: Iterable[slice]
) -> NDArray[np.float32]:
    """Return the Dirichlets that match the mean and the summed variance of the mixtures.

    Parameters
    ----------
    concentrations
        Of m networks and n galaxies, shape (m, n, A), positive; m >= 1.
    slices
        The columns of each question; together all A.

    Returns
    -------
    ndarray
        float32, shape (n, A). One network alone comes back as it is; no galaxies give no
        rows; NaN where a network says NaN.
    """
    alphas = np.asarray(concentrations, dtype=np.float64)
    mixed = np.empty(alphas.shape[1:])
    for columns in slices:
        mixed[:, columns] = _mixed(alphas[:, :, columns])
    return mixed.astype(np.float32)


def _mixed(alphas: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matching concentrations (n, K) of one question's (m, n, K)."""
    totals = alphas.sum(axis=2, keepdims=True)
    means = alphas / totals
    mean = means.mean(axis=0)
    within = (means * (1 - means) / (totals + 1)).mean(axis=0)
    spread = (within + means.var(axis=0)).sum(axis=1, keepdims=True)
    # Of a Dirichlet the variances sum to sum(mean * (1 - mean)) / (total + 1).
    total = (mean * (1 - mean)).sum(axis=1, keepdims=True) / spread - 1
    return np.asarray(mean * np.maximum(total, _LEAST_TOTAL))
