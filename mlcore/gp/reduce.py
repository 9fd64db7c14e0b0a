"""From CNN representations to the few standardised dimensions that the GP sees.

IncrementalPCA (Ross et al. 2008) to at most 40 dimensions, which did better than
10, 20 and 200 in Walmsley et al. 2022 (MNRAS 513, 1581), then each component is
divided by its standard deviation. The representations are read in chunks, so a
memory-mapped array of any length will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import IncrementalPCA

from mlcore.errors import ArtefactError, InvalidInputError
from mlcore.gp.arrays import Floats, Ints, require_at_least
from mlcore.progress import ShouldStop, stop_if_asked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_DIMENSIONS = 40
CHUNK_ROWS = 4096
# A column whose spread is below this share of its size carries nothing but rounding.
CONSTANT_COLUMN = 1e-7
WEAK_COMPONENT = 1e-6


@dataclass(frozen=True)
class Reducer:
    """A fitted reduction from D representation columns to d <= 40 dimensions.

    Parameters
    ----------
    n_columns
        D, the width of the representations it was fitted on.
    columns
        Indices (C,) of the representation columns kept.
    mean
        Mean (C,) of the kept columns.
    components
        Principal directions (d, C), orthonormal.
    scale
        Standard deviation (d,) along each direction.
    """

    n_columns: int
    columns: Ints
    mean: Floats
    components: Floats
    scale: Floats

    @property
    def n_dimensions(self) -> int:
        """Return d, the width of what `transform` gives."""
        return len(self.scale)

    @classmethod
    def fit(
        cls,
        representations: npt.NDArray[np.floating],
        *,
        max_dimensions: int = MAX_DIMENSIONS,
        chunk_rows: int = CHUNK_ROWS,
        should_stop: ShouldStop | None = None,
    ) -> Reducer:
        """Fit on representations (n, D), read twice in chunks of at least `chunk_rows`.

        The chunks that directions are learnt from have at least 2 d galaxies, as the first of
        them must show as many directions as are wanted.

        Galaxies with no finite value at all (an image that failed) are skipped.
        Then every column with a NaN or infinite value, and every column that is
        constant, is dropped. Directions without variance are dropped too, so
        d <= min(max_dimensions, C, n - 1).

        Raises
        ------
        InvalidInputError
            If fewer than 2 galaxies or no columns are left.
        CancelledError
            If `should_stop` says so between two chunks.
        """
        require_at_least("max_dimensions", max_dimensions, 1)
        require_at_least("chunk_rows", chunk_rows, 1)
        if representations.ndim != 2:
            raise InvalidInputError(
                f"representations must have 2 dimensions, has {representations.ndim}"
            )
        columns, n_rows = _usable_columns(representations, chunk_rows, should_stop)
        n_dimensions = min(max_dimensions, len(columns), n_rows - 1)
        pca = IncrementalPCA(n_components=n_dimensions)
        for rows in _joined_chunks(representations, max(chunk_rows, 2 * n_dimensions)):
            stop_if_asked(should_stop, "reducing representations")
            pca.partial_fit(rows[:, columns])
        spread = np.sqrt(pca.explained_variance_)
        kept = spread > WEAK_COMPONENT * spread[0]
        return cls(
            n_columns=representations.shape[1],
            columns=columns,
            mean=np.asarray(pca.mean_),
            components=np.asarray(pca.components_)[kept],
            scale=spread[kept],
        )

    def transform(self, representations: npt.NDArray[np.floating]) -> Floats:
        """Return the reduced, standardised features (n, d) of representations (n, D).

        A galaxy with a non-finite value in a kept column gets a row of NaN, for
        which the GP falls back to its prior. No galaxies give (0, d).

        Raises
        ------
        InvalidInputError
            If the width is not the one that was fitted.
        """
        if representations.ndim != 2 or representations.shape[1] != self.n_columns:
            raise InvalidInputError(
                f"representations must be (n, {self.n_columns}), is {representations.shape}"
            )
        features = np.full((len(representations), self.n_dimensions), np.nan)
        for start in range(0, len(representations), CHUNK_ROWS):
            rows = np.asarray(representations[start : start + CHUNK_ROWS], dtype=np.float64)
            rows = rows[:, self.columns]
            finite = np.isfinite(rows).all(axis=1)
            reduced = (rows[finite] - self.mean) @ self.components.T / self.scale
            features[start : start + CHUNK_ROWS][finite] = reduced
        return features

    def save(self, path: Path) -> None:
        """Write the reduction to `path` as .npz: plain arrays, nothing executable."""
        with path.open("wb") as file:
            np.savez(
                file,
                n_columns=np.array(self.n_columns),
                columns=self.columns,
                mean=self.mean,
                components=self.components,
                scale=self.scale,
            )

    @classmethod
    def load(cls, path: Path) -> Reducer:
        """Read what `save` wrote.

        Raises
        ------
        ArtefactError
            If the file is missing, damaged or not a reduction.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return cls(
                    n_columns=int(stored["n_columns"]),
                    columns=stored["columns"],
                    mean=stored["mean"],
                    components=stored["components"],
                    scale=stored["scale"],
                )
        except (OSError, KeyError, ValueError, BadZipFile) as error:
            raise ArtefactError(f"{path.name} is not a stored reducer: {error}") from error


def _usable_columns(
    representations: npt.NDArray[np.floating], chunk_rows: int, should_stop: ShouldStop | None
) -> tuple[Ints, int]:
    """Return the columns worth keeping and the number of galaxies with any value."""
    width = representations.shape[1]
    broken = np.zeros(width, dtype=bool)
    lowest, highest = np.full(width, np.inf), np.full(width, -np.inf)
    n_rows = 0
    for rows in _chunks(representations, chunk_rows):
        stop_if_asked(should_stop, "reducing representations")
        n_rows += len(rows)
        broken |= ~np.isfinite(rows).all(axis=0)
        lowest = np.minimum(lowest, rows.min(axis=0, initial=np.inf))
        highest = np.maximum(highest, rows.max(axis=0, initial=-np.inf))
    if n_rows < 2:
        raise InvalidInputError(f"representations must have at least 2 galaxies, has {n_rows}")
    size = np.maximum(np.abs(lowest), np.abs(highest))
    with np.errstate(invalid="ignore"):
        varied = highest - lowest > CONSTANT_COLUMN * size
    columns = np.flatnonzero(varied & ~broken)
    if len(columns) == 0:
        raise InvalidInputError("representations must have a column that is finite and varies")
    return columns, n_rows


def _chunks(representations: npt.NDArray[np.floating], chunk_rows: int) -> Iterator[Floats]:
    """Yield float64 chunks without the galaxies that have no finite value."""
    for start in range(0, len(representations), chunk_rows):
        rows = np.asarray(representations[start : start + chunk_rows], dtype=np.float64)
        yield rows[np.isfinite(rows).any(axis=1)]


def _joined_chunks(representations: npt.NDArray[np.floating], chunk_rows: int) -> Iterator[Floats]:
    """Yield chunks of at least `chunk_rows` galaxies, as IncrementalPCA's first must be large."""
    held = np.empty((0, representations.shape[1]))
    for rows in _chunks(representations, chunk_rows):
        held = np.concatenate([held, rows])
        if len(held) >= 2 * chunk_rows:
            yield held[:chunk_rows]
            held = held[chunk_rows:]
    yield held
