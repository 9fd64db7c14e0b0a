"""Images per second of training: Zoobot's own path, ours, and the bare step, side by side.

All three train ConvNeXt-Atto on 64 pixels, 64 galaxies a step. Zoobot's path is its data
module (two workers), its default views and its trainer; ours is `mlcore.cnn.train.train`
from the image cache; the bare step goes over tensors that are in memory, changed by nobody,
once as it is, once with freed memory kept as ours keeps it, and once with the encoder compiled
too (which needs a C++ compiler). They take turns, so that whatever else the machine does falls on
all of them, each in a process of its own, so that what one changes there speeds up no other. The
first steps are not counted: Zoobot's workers have batches ready by then that were made before. On
a busy machine whoever has more processes gets more of it, so the processor time of an image,
workers included, is told too.
"""

import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

import mlcore.cnn  # noqa: F401 - before torch

TITLE = "Training speed beside Zoobot's own path (ConvNeXt-Atto, 64 px, batch 64)"
ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("LENTICULAR_REAL_DATA", ROOT.parent / "shared" / "data"))
TURNS = int(os.environ.get("LENTICULAR_BENCH_TURNS", "2"))
ENCODER, SIZE, BATCH, IMAGES = "convnext_atto", 64, 64, 2560
WARM, STEPS = 12, 24


def table():
    """Return one row for each path: its median over the turns."""
    import torch

    from mlcore.tree import DecisionTree

    tree = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz1.json")
    counts = np.random.default_rng(1).multinomial(5, [1 / 6] * 6, size=IMAGES).astype(float)
    with tempfile.TemporaryDirectory() as folder:
        given = (_pictures(Path(folder)), counts, tree, Path(folder))
        rates = {each: [] for each in PATHS}
        for _ in range(TURNS):
            for path, found in rates.items():
                found.append(_alone(path, given))
    medians = {path: np.median(found, axis=0) for path, found in rates.items()}
    threads = f"{torch.get_num_threads()} threads"
    return [_row(path, found, medians, threads) for path, found in rates.items()]


def _alone(path, given):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=_fork_from_here) as pool:
        return pool.submit(path, *given).result()


def _fork_from_here():
    # A process that was spawned spawns its workers too, and Zoobot's do not start that way.
    multiprocessing.set_start_method("fork", force=True)


def _row(path, found, medians, threads):
    wall, processor = medians[path]
    return {
        "path": path.__name__.replace("_", " ").replace("zoobots", "Zoobot's"),
        f"images/s, {threads}": f"{wall:,.0f}",
        "each turn": " ".join(f"{rate:,.0f}" for rate, _ in found),
        "over Zoobot's": f"{wall / medians[zoobots_path][0]:.2f}",
        "of the bare step": f"{wall / medians[bare_step][0]:.0%}",
        "images per processor second": f"{processor:,.0f}",
        "over Zoobot's there": f"{processor / medians[zoobots_path][1]:.2f}",
        "of the bare step there": f"{processor / medians[bare_step][1]:.0%}",
    }


def _pictures(folder):
    """Return the first images of sdss_gz1; where they are missing, noise as large."""
    real = sorted((REAL / "sdss_gz1" / "images").glob("*.jpg"))[:IMAGES]
    if len(real) == IMAGES:
        return [path.resolve() for path in real]
    rng = np.random.default_rng(1)
    paths = [folder / f"{number:04d}.jpg" for number in range(IMAGES)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)).save(path)
    return paths


def _settings():
    from mlcore.train_config import TrainConfig

    config = TrainConfig(encoder=ENCODER, image_size=SIZE, batch_size=BATCH)
    return replace(config, epochs=1, steps_per_epoch=WARM + STEPS)


def _now():
    """Return the time, and the processor time of this process and its workers."""
    workers = 0.0
    for worker in multiprocessing.active_children():
        fields = Path(f"/proc/{worker.pid}/stat").read_text().rsplit(")", 1)[1].split()
        workers += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return time.perf_counter(), time.process_time() + workers


def _rates(times):
    """Return images per second, and per processor second, from the times of the steps."""
    passed = np.subtract(times[-1], times[WARM])
    return BATCH * (len(times) - 1 - WARM) / passed


def zoobots_path(paths, counts, tree, folder):
    """Its data module, views and trainer, as its own examples put them together."""
    import lightning
    import pandas as pd
    from galaxy_datasets.pytorch.galaxy_datamodule import CatalogDataModule
    from galaxy_datasets.transforms import (
        default_view_config,
        get_galaxy_transform,
        minimal_view_config,
    )
    from zoobot.pytorch.training.finetune import FinetuneableZoobotTree, get_trainer

    from mlcore.cnn.encoder import make_encoder

    views = [default_view_config(), minimal_view_config()]
    for view in views:
        view.output_size = SIZE
    catalogue = pd.DataFrame(counts.astype(np.float32), columns=tree.label_cols)
    catalogue["id_str"] = [path.stem for path in paths]
    catalogue["file_loc"] = [str(path) for path in paths]
    module = CatalogDataModule(
        label_cols=tree.label_cols,
        train_catalog=catalogue,
        val_catalog=catalogue[:BATCH],
        train_transform=get_galaxy_transform(views[0]),
        test_transform=get_galaxy_transform(views[1]),
        batch_size=BATCH,
        num_workers=2,
    )
    model = FinetuneableZoobotTree(schema=tree.to_zoobot_schema(), encoder=make_encoder(ENCODER)[0])
    clock = _clock(lightning.pytorch.callbacks.Callback)
    trainer = get_trainer(
        str(folder / "zoobot"),
        max_epochs=1,
        limit_train_batches=WARM + STEPS,
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.callbacks.append(clock)
    trainer.fit(model, module)
    return _rates(clock.times)


def _clock(base):
    class Clock(base):
        def __init__(self):
            self.times = []

        def on_train_batch_end(self, *_):
            self.times.append(_now())

    return Clock()


def our_path(paths, counts, tree, folder):
    """`train` from the image cache, which a round builds once."""
    from mlcore.cnn.train import train
    from mlcore.images import ImageCache

    config, times = _settings(), []
    ids = [path.stem for path in paths]
    cache = ImageCache.build(
        paths, ids, folder / "cache", size=SIZE, crop_fraction=config.crop_fraction
    )

    def look_at_the_clock():
        times.append(_now())
        return False

    with tempfile.TemporaryDirectory(dir=folder) as work:
        train(
            cache,
            np.arange(IMAGES),
            counts,
            tree,
            config,
            directory=Path(work),
            seed=1,
            should_stop=look_at_the_clock,
        )
    return _rates(times)


def bare_step(_paths, counts, tree, _folder):
    """Forward, loss, backward and AdamW on one batch that is there already."""
    return _bare(counts, tree, _as_it_is)


def bare_step_memory_kept(_paths, counts, tree, _folder):
    """Do the same while freed memory is kept, as `train` does."""
    from mlcore.memory import keeping_freed_memory

    with keeping_freed_memory():
        return _bare(counts, tree, _as_it_is)


def bare_step_memory_kept_compiled(_paths, counts, tree, _folder):
    """Do the same with the encoder compiled; the first steps, which are not counted, compile."""
    import torch

    from mlcore.memory import keeping_freed_memory

    with keeping_freed_memory():
        return _bare(counts, tree, torch.compile)


def _as_it_is(encoder):
    return encoder


def _bare(counts, tree, prepare):
    import torch

    from mlcore.cnn.encoder import make_encoder
    from mlcore.cnn.network import TreeNetwork

    config, times = _settings(), []
    network = TreeNetwork(make_encoder(ENCODER)[0], tree, config)
    network.encoder = prepare(network.encoder)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate)
    images = torch.randn(BATCH, 3, SIZE, SIZE).contiguous(memory_format=torch.channels_last)
    votes = torch.from_numpy(counts[:BATCH].astype(np.float32))
    votes = dict(zip(tree.label_cols, votes.unbind(1), strict=True))
    for _ in range(WARM + STEPS + 1):
        optimizer.zero_grad()
        network.loss(network(images), votes).mean().backward()
        optimizer.step()
        times.append(_now())
    return _rates(times)


PATHS = (zoobots_path, our_path, bare_step, bare_step_memory_kept, bare_step_memory_kept_compiled)
