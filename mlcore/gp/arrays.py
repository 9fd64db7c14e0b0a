"""Array types and the checks that every entry point of the package shares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlcore.errors import InvalidInputError

FAR = 1e6

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def as_matrix(values: npt.ArrayLike, name: str) -> Floats:
    """Return `values` as a float64 matrix (rows, columns).

    Raises
    ------
    InvalidInputError
        If `values` does not have two dimensions.
    """
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2:
        raise InvalidInputError(f"{name} must have 2 dimensions, has {matrix.ndim}")
    return matrix


def as_features(values: npt.ArrayLike) -> Floats:
    """Return features (m, d) as float64 within FAR of 0; infinite ones become NaN.

    Standardised features beyond it are all equally unlike the others, and their squares
    would overflow.

    Raises
    ------
    InvalidInputError
        If `values` does not have two dimensions.
    """
    matrix = as_matrix(values, "features")
    return np.where(np.isfinite(matrix), np.clip(matrix, -FAR, FAR), np.nan)


def as_counts(values: npt.ArrayLike, width: int) -> Floats:
    """Return vote counts (n, `width`) as float64.

    Raises
    ------
    InvalidInputError
        If a count is negative, NaN or infinite, or the width is not `width`.
    """
    counts = as_matrix(values, "counts")
    if counts.shape[1] != width:
        raise InvalidInputError(f"counts must have {width} columns, has {counts.shape[1]}")
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise InvalidInputError("counts must be finite and at least 0, but some are not")
    return counts


def require_at_least(name: str, value: float, minimum: float) -> None:
    """Raise InvalidInputError unless `value` is a number of at least `minimum`."""
    if not value >= minimum:
        raise InvalidInputError(f"{name} must be at least {minimum}, is {value}")
