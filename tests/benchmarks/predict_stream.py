"""Prediction and representation of a survey from its image cache: speed, and peak memory.

A cache of noise is mapped from disk and predicted into shards, in a process of its own, at
two sizes: memory that does not grow between them will not grow to a million either. What a
million would take is these figures multiplied, not a measurement.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TITLE = "Prediction and representation, streamed from cache to shards (TrainConfig.small, 1 view)"
GALAXIES = int(os.environ.get("LENTICULAR_BENCH_GALAXIES", "50000"))
ROOT = Path(__file__).parents[2]
MILLION = 1_000_000


def table():
    """Return one row for each size of the cache."""
    return [_row(GALAXIES // 5), _row(GALAXIES)]


def _row(galaxies):
    asked = [sys.executable, __file__, str(galaxies)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}
    said = subprocess.run(asked, check=True, capture_output=True, text=True, env=environment)
    found = json.loads(said.stdout.splitlines()[-1])
    return {
        "galaxies": f"{galaxies:,}",
        "galaxies/s": f"{found['rate']:,.0f}",
        "memory before, MiB": f"{found['before']:,.0f}",
        "peak, MiB": f"{found['peak']:,.0f}",
        "shards, MiB": f"{found['written']:,.0f}",
        "a million would take, minutes": f"{MILLION / found['rate'] / 60:,.0f}",
    }


def measure(galaxies):
    """Print the figures of one size as JSON."""
    import resource
    import time
    from dataclasses import replace

    from mlcore.cnn.encoder import encoder_of
    from mlcore.cnn.model import CnnModel
    from mlcore.cnn.network import TreeNetwork
    from mlcore.cnn.shards import write_shards
    from mlcore.images import ImageCache
    from mlcore.train_config import TrainConfig
    from mlcore.tree import DecisionTree

    def memory():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    tree = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz-decals-5.json")
    config = replace(TrainConfig.small(), average_views=1)
    encoder, origin = encoder_of(config)
    model = CnnModel(TreeNetwork(encoder, tree, config).eval(), tree, config, origin)
    with tempfile.TemporaryDirectory() as folder:
        images = _noise(Path(folder, "images.u8"), galaxies, config.image_size)
        ids = tuple(f"galaxy-{number:07d}" for number in range(galaxies))
        cache = ImageCache(images, ids, config.image_size, config.crop_fraction)
        before, begun = memory(), time.perf_counter()
        write_shards(model, cache, Path(folder, "shards"), source="benchmark")
        rate = galaxies / (time.perf_counter() - begun)
        written = sum(path.stat().st_size for path in Path(folder, "shards").iterdir()) / 2**20
    print(json.dumps({"rate": rate, "before": before, "peak": memory(), "written": written}))


def _noise(path, galaxies, size):
    import numpy as np

    rng, row = np.random.default_rng(0), size * size * 3
    with path.open("wb") as file:
        for start in range(0, galaxies, 1000):
            file.write(rng.integers(0, 256, min(1000, galaxies - start) * row, np.uint8).tobytes())
    return np.memmap(path, np.uint8, "r", shape=(galaxies, size, size, 3))


if __name__ == "__main__":
    measure(int(sys.argv[1]))
