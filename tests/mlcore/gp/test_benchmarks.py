"""The benchmarks of the Gaussian process run, on next to nothing."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[3] / "tests" / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    """Import a benchmark as its runner does."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def test_scoring_is_timed_beside_the_old_way(benchmark):
    [row] = benchmark("gp_scoring").table(((40, 300),), before=100)
    assert (row["labels"], row["answers"], row["candidates"]) == ("40", "34", "300")
    assert float(row["ratio"]) > 0
    assert float(row["peak memory, MiB"].replace(",", "")) > 10


def test_orders_are_compared_with_the_exact_one(benchmark):
    rows = benchmark("gp_ranking").table(60, 120, 20, 32, 1)
    found = [float(row["Spearman's rank correlation"]) for row in rows]
    assert min(found[:4]) > 0.9 > found[4]
    assert all(0 <= float(row["of the best 20"]) <= 1 for row in rows)


def test_sparse_ways_are_compared_and_absent_data_is_told(benchmark, tmp_path):
    rows = benchmark("gp_sparse").table(2, 120, tmp_path)
    assert [row["galaxies"] for row in rows] == ["drawn", "no real data here"]
    assert -2 < float(rows[0]["fitc"]) < 0
    assert set(rows[0]) == set(rows[1])


def test_sparse_ways_are_compared_on_labelled_images(benchmark, tmp_path):
    rng, kinds = np.random.default_rng(0), ["elliptical", "edge-on", "merger"]
    lines = ["objid,gz1_class,file"]
    for number in range(40):
        pixels = rng.integers(0, 255, (256, 256, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        lines.append(f"{number},{kinds[number % 3]},{number}.png")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    rows = benchmark("gp_sparse").table(1, 40, tmp_path)
    assert [row["galaxies"] for row in rows] == ["drawn", "sdss_gz1"]
    assert -3 < float(rows[1]["svgp"]) < 0
