"""Prediction and representation of a survey from its image cache: speed, memory, and a kill.

A cache of noise is mapped from disk and predicted into shards, in a process of its own, at
two sizes: memory that does not grow between them does not grow with the survey. At the
larger size the process is killed halfway, and another goes on in the same folder.

Pages of the mapped cache count as a process's while they are in memory, though the system
takes them back when it wants them. Its own memory is what is left without them, and is read
from outside every 20 ms.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TITLE = "Prediction and representation, streamed from cache to shards (TrainConfig.small, 1 view)"
GALAXIES = int(os.environ.get("LENTICULAR_BENCH_GALAXIES", "50000"))
ROOT = Path(__file__).parents[2]
SHARD = 4096
EVERY = 0.02
PROGRAM = __file__


def table():
    """Return one row for each size of the cache."""
    return [_row(GALAXIES // 5, killed=False), _row(GALAXIES, killed=True)]


def _row(galaxies, *, killed):
    with tempfile.TemporaryDirectory() as folder:
        _write_noise(Path(folder), galaxies)
        shards = Path(folder, "shards")
        half = galaxies // shard_size(galaxies) // 2
        seen = [_watched(galaxies, folder, kill_at=half if killed else None)]
        before = _written(shards)
        if killed:
            seen.append(_watched(galaxies, folder))
        kept = sum(_written(shards).get(path) == when for path, when in before.items())
        size = sum(path.stat().st_size for path in shards.iterdir()) / 2**20
    last = seen[-1]
    return {
        "galaxies": f"{galaxies:,}",
        "galaxies/s": f"{last['rate']:,.0f}",
        "own memory before, MiB": f"{last['before']:,.0f}",
        "own peak, MiB": f"{max(each['own'] for each in seen):,.0f}",
        "peak with pages of the cache, MiB": f"{max(each['all'] for each in seen):,.0f}",
        "shards, MiB": f"{size:,.0f}",
        "kept after a kill": f"{kept} of {len(before)} shards" if killed else "not killed",
    }


def shard_size(galaxies):
    """Return how many galaxies go into a shard: as in a round, or an eighth of few."""
    return min(SHARD, max(galaxies // 8, 1))


def _written(shards):
    return {path: path.stat().st_mtime_ns for path in shards.glob("*.parquet")}


def _watched(galaxies, folder, kill_at=None):
    """Predict in another process; return its speed, and its peak memory in MiB.

    With `kill_at` it is killed once there are as many shards.
    """
    asked = [sys.executable, PROGRAM, str(galaxies), folder]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}
    seen = {"own": 0.0, "all": 0.0}
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True, env=environment) as process:
        seen |= json.loads(process.stdout.readline())
        while process.poll() is None:
            for name, now in _memory(process.pid).items():
                seen[name] = max(seen[name], now)
            if kill_at is not None and len(_written(Path(folder, "shards"))) >= kill_at:
                process.kill()
            time.sleep(EVERY)
        said = process.stdout.read()
    if process.returncode not in (0, -signal.SIGKILL):
        sys.exit(f"the prediction must end well, ended with {process.returncode}")
    return seen | json.loads(said or "{}")


def _memory(pid):
    """Return a process's own memory and all of it, in MiB; nothing once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    sizes = dict(line.split(":", 1) for line in lines)
    names = {"own": "RssAnon", "all": "VmRSS"}
    return {name: int(sizes[key].split()[0]) / 1024 for name, key in names.items() if key in sizes}


def _write_noise(folder, galaxies):
    import numpy as np

    rng, row = np.random.default_rng(0), 64 * 64 * 3
    with Path(folder, "images.u8").open("wb") as file:
        file.writelines(
            rng.bytes(min(1000, galaxies - start) * row) for start in range(0, galaxies, 1000)
        )


def measure(galaxies, folder):
    """Predict the noise in `folder`; print memory once all is ready, and the speed at the end."""
    from dataclasses import replace

    import numpy as np

    from mlcore.cnn.encoder import encoder_of
    from mlcore.cnn.model import CnnModel
    from mlcore.cnn.network import TreeNetwork
    from mlcore.cnn.shards import write_shards
    from mlcore.images import ImageCache
    from mlcore.train_config import TrainConfig
    from mlcore.tree import DecisionTree

    tree = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz-decals-5.json")
    config = replace(TrainConfig.small(), average_views=1)
    encoder, origin = encoder_of(config)
    model = CnnModel(TreeNetwork(encoder, tree, config).eval(), tree, config, origin)
    shape = (galaxies, config.image_size, config.image_size, 3)
    images = np.memmap(folder / "images.u8", np.uint8, "r", shape=shape)
    ids = tuple(f"galaxy-{number:07d}" for number in range(galaxies))
    cache = ImageCache(images, ids, config.image_size, config.crop_fraction)
    size = shard_size(galaxies)
    left = galaxies - size * len(_written(folder / "shards"))
    print(json.dumps({"before": _memory(os.getpid())["own"]}), flush=True)
    begun = time.perf_counter()
    write_shards(model, cache, folder / "shards", shard_size=size, source="benchmark")
    print(json.dumps({"rate": left / (time.perf_counter() - begun)}))


if __name__ == "__main__":
    measure(int(sys.argv[1]), Path(sys.argv[2]))
