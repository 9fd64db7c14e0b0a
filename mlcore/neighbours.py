"""Galaxies that look alike: the nearest of each in the network's representation.

Distances are Euclidean between reduced, standardised representations
(`mlcore.gp.reduce.Reducer`), as in Walmsley et al. 2022 (MNRAS 513, 1581). The search is
exhaustive and goes block by block: candidates are picked in single precision, with as many
to spare as are wanted, and ordered by their exact distance. Beside the features of those
searched among (16 MB) it holds some 30 MB. Its time grows with galaxies times those searched
among, so that above `SEARCHED` galaxies it looks only among that many, drawn at random;
everyone still gets neighbours. ``python tests/benchmarks neighbours`` prints what that costs: on
2 busy cores 0.1 s for 1,500 galaxies, and about 12 minutes for a million.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlcore.errors import InvalidInputError
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked
from mlcore.shard_files import is_whole, write_checked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Features = Callable[[slice], NDArray[np.float64]]

NEIGHBOURS = 8
SEARCHED = 50_000
SHARD = 8192
_QUERIES, _BLOCK, _GROUP = 256, 8192, 32
_STAGE = "acquire"


@dataclass(frozen=True)
class Pool:
    """The galaxies that neighbours are looked for among.

    Attributes
    ----------
    rows
        Their rows in the survey, rising, shape (m,).
    features
        float64, finite, shape (m, d).
    """

    rows: NDArray[np.intp]
    features: NDArray[np.float64]

    @classmethod
    def draw(cls, features: Features, n: int, *, seed: int, searched: int = SEARCHED) -> Pool:
        """Take all n galaxies, or `searched` of them at random where there are more.

        Galaxies with a NaN or infinite feature are left out.

        Raises
        ------
        InvalidInputError
            For a `searched` below 1.
        """
        if searched < 1:
            raise InvalidInputError(f"searched must be at least 1, is {searched}")
        rows = np.arange(n)
        if n > searched:
            rng = np.random.default_rng(seed)
            rows = np.sort(rng.choice(n, size=searched, replace=False, shuffle=False))
        parts = [np.empty((0, features(slice(0, 0)).shape[1]))]
        for start in range(0, n, _BLOCK):
            inside = rows[(rows >= start) & (rows < start + _BLOCK)] - start
            parts.append(features(slice(start, min(start + _BLOCK, n)))[inside])
        found = np.concatenate(parts)
        finite = np.isfinite(found).all(axis=1)
        return cls(rows[finite], found[finite])


def nearest(
    queries: NDArray[np.float64], query_rows: NDArray[np.intp], pool: Pool, k: int = NEIGHBOURS
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the k nearest galaxies of the pool, nearest first; exact.

    Parameters
    ----------
    queries
        Features, shape (q, d). A row with a NaN or infinite value has no neighbours.
    query_rows
        Their rows in the survey, shape (q,): no galaxy is its own neighbour.
    pool
        Where to look.
    k
        How many, at least 1.

    Returns
    -------
    rows, distances
        Shape (q, k). Equal distances come in the order of the survey; where there are
        fewer than k neighbours the rows end in -1 and the distances in infinity.

    Raises
    ------
    InvalidInputError
        For a `k` below 1, or queries of another width than the pool's.
    """
    if k < 1:
        raise InvalidInputError(f"k must be at least 1, is {k}")
    width = pool.features.shape[1]
    if queries.ndim != 2 or queries.shape[1] != width:
        raise InvalidInputError(f"queries must be (q, {width}), is {queries.shape}")
    rows = np.full((len(queries), k), -1, dtype=np.intp)
    distances = np.full((len(queries), k), np.inf)
    finite = np.flatnonzero(np.isfinite(queries).all(axis=1))
    for start in range(0, len(finite), _QUERIES):
        part = finite[start : start + _QUERIES]
        rows[part], distances[part] = _nearest(queries[part], query_rows[part], pool, k)
    return rows, distances


def _nearest(
    queries: NDArray[np.float64], query_rows: NDArray[np.intp], pool: Pool, k: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Keep the best k of what was best so far and of each block."""
    places = np.full((len(queries), k), -1, dtype=np.intp)
    squares = np.full((len(queries), k), np.inf)
    for start in range(0, len(pool.rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        near, theirs = _nearest_of_block(queries, query_rows, pool, block, k)
        places, squares = _best(
            np.concatenate([places, near], axis=1), np.concatenate([squares, theirs], axis=1), k
        )
    rows = np.where(places >= 0, pool.rows[places] if len(pool.rows) else -1, -1)
    return rows, np.sqrt(squares)


def _nearest_of_block(
    queries: NDArray[np.float64],
    query_rows: NDArray[np.intp],
    pool: Pool,
    block: slice,
    k: int,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the k nearest of a block: places in the pool, and squared distances."""
    features, rows = pool.features[block], pool.rows[block]
    # |b|^2 - 2ab orders as the distance does; what rounding blurs, the exact distance mends.
    rough = np.full((len(queries), -(-len(rows) // _GROUP) * _GROUP), np.inf, dtype=np.float32)
    rough[:, : len(rows)] = queries.astype(np.float32) @ (-2 * features.T).astype(np.float32)
    rough[:, : len(rows)] += (features**2).sum(axis=1)
    own = np.searchsorted(rows, query_rows)
    inside = np.flatnonzero(rows[np.minimum(own, len(rows) - 1)] == query_rows)
    rough[inside, own[inside]] = np.inf
    near = _smallest(rough, 2 * k)
    is_real = np.take_along_axis(rough, near, axis=1) < np.inf
    near = np.where(is_real, near, 0)
    squares = ((queries[:, None, :] - features[near]) ** 2).sum(axis=2)
    squares[~is_real] = np.inf
    return _best(np.where(is_real, near + (block.start or 0), -1), squares, k)


def _smallest(values: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Return the columns of the k smallest values of each row, in any order.

    They are in the k groups of columns with the smallest minima, which is quick to find out.
    """
    minima = values.reshape(len(values), _GROUP, -1).min(axis=1)
    n_groups = minima.shape[1]
    kept = min(k, n_groups)
    groups = np.argpartition(minima, kept - 1, axis=1)[:, :kept]
    columns = groups[:, None, :] + n_groups * np.arange(_GROUP)[:, None]
    columns = columns.reshape(len(values), -1)
    among = np.take_along_axis(values, columns, axis=1)
    best = np.argpartition(among, min(k, among.shape[1]) - 1, axis=1)[:, :k]
    return np.take_along_axis(columns, best, axis=1)


def _best(
    places: NDArray[np.intp], squares: NDArray[np.float64], k: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    order = np.lexsort((places, squares), axis=1)[:, :k]
    return np.take_along_axis(places, order, axis=1), np.take_along_axis(squares, order, axis=1)


def write_neighbours(
    ids: Sequence[str],
    features: Features,
    directory: Path,
    *,
    source: str,
    seed: int,
    searched: int = SEARCHED,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> dict[str, Any]:
    """Write the neighbours of every galaxy into ``shard-00000.parquet`` and so on.

    Columns: ``id_str``, ``neighbour`` (list of ids, nearest first; empty for a galaxy
    without finite features) and ``distance`` (list of float32).

    Parameters
    ----------
    ids
        n ids.
    features
        Gives the features (rows, d) of a slice of the survey.
    directory
        Whole shards of the same `source` that are there are kept; others are replaced.
    source
        Names what the features come from, as a checksum would.
    seed, searched
        As in `Pool.draw`.

    Returns
    -------
    dict
        ``galaxies``, and ``searched``: among how many was looked.

    Raises
    ------
    CancelledError
        After `should_stop` said so; whole shards stay.
    """
    directory.mkdir(parents=True, exist_ok=True)
    pool: Pool | None = None
    for number, start in enumerate(range(0, len(ids), SHARD)):
        stop_if_asked(should_stop, _STAGE)
        path, rows = directory / f"shard-{number:05d}.parquet", slice(start, start + SHARD)
        if not is_whole(path, source=source, length=len(ids[rows])):
            pool = pool or Pool.draw(features, len(ids), seed=seed, searched=searched)
            write_checked(_table(ids, rows, features(rows), pool), path, source=source)
        done = min(start + SHARD, len(ids))
        report(on_progress, _STAGE, done / len(ids), f"{done:,} of {len(ids):,} galaxies compared")
    return {"galaxies": len(ids), "searched": min(len(ids), searched)}


def _table(ids: Sequence[str], rows: slice, features: NDArray[np.float64], pool: Pool) -> pa.Table:
    found, distances = nearest(features, np.arange(rows.start, rows.start + len(features)), pool)
    near = [[ids[row] for row in each if row >= 0] for each in found.tolist()]
    far = [each[each < np.inf] for each in distances]
    return pa.table(
        {
            "id_str": pa.array(ids[rows], pa.string()),
            "neighbour": pa.array(near, pa.list_(pa.string())),
            "distance": pa.array(far, pa.list_(pa.float32())),
        }
    )
