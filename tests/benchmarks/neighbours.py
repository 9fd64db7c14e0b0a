"""How long the search for galaxies that look alike takes, at the end of a round."""

from __future__ import annotations

import time

import numpy as np

from mlcore.neighbours import SHARD, Pool, nearest

TITLE = "Finding the eight galaxies that look most like each"
SIZES, DIMENSIONS = (1_500, 50_000, 1_000_000), 40


def table() -> list[dict[str, str]]:
    """Time one shard of each survey, and say what all of it would take."""
    return [_row(size) for size in SIZES]


def _row(size: int) -> dict[str, str]:
    features = np.random.default_rng(0).standard_normal((size, DIMENSIONS))
    begun = time.perf_counter()
    pool = Pool.draw(lambda rows: features[rows], size, seed=0)
    drawn = time.perf_counter()
    rows = np.arange(min(SHARD, size))
    nearest(features[rows], rows, pool)
    spent = drawn - begun + (time.perf_counter() - drawn) * size / len(rows)
    return {
        "galaxies": f"{size:,}",
        "searched among": f"{len(pool.rows):,}",
        "seconds": f"{spent:,.1f}",
        "timed on": f"{len(rows):,}",
    }
