"""Processor time of one image on its way to the network, and in the training step itself.

One thread, one process, nothing ahead of time: what Zoobot's data set takes to decode and
change an image, what ours takes to draw it from the cache and change it in a batch, and what
the bare step takes. On cores that are all busy these add up; trainers come on top
(`training_speed`).
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import training_speed

import mlcore.cnn  # noqa: F401 - before torch

TITLE = "Processor time per image: data and bare step (ConvNeXt-Atto, 64 px, batch 64, one thread)"
IMAGES, BATCHES = 128, 3


def table():
    """Return one row for each path."""
    import torch

    from mlcore.tree import DecisionTree

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    training_speed.WARM, training_speed.STEPS = 1, BATCHES
    tree = DecisionTree.from_file(training_speed.ROOT / "fixtures" / "trees" / "gz1.json")
    counts = np.ones((IMAGES, len(tree.label_cols)))
    with tempfile.TemporaryDirectory() as folder:
        paths = training_speed._pictures(Path(folder))[:IMAGES]
        given = (paths, counts, tree, Path(folder))
        step = 1000 / training_speed.bare_step(*given)[1]
        data = {"Zoobot's": _zoobots(*given), "ours": _ours(*given), "none": 0.0}
    torch.set_num_threads(threads)
    return [_row(name, took, step, data["Zoobot's"]) for name, took in data.items()]


def _row(name, took, step, zoobots):
    return {
        "data": name,
        "data, ms per image": f"{took:.2f}",
        "step, ms per image": f"{step:.2f}",
        "images per processor second": f"{1000 / (took + step):,.0f}",
        "over Zoobot's": f"{(zoobots + step) / (took + step):.2f}",
        "of the bare step": f"{step / (took + step):.0%}",
    }


def _zoobots(paths, counts, tree, _folder):
    import pandas as pd
    from galaxy_datasets.pytorch.galaxy_dataset import CatalogDataset
    from galaxy_datasets.transforms import default_view_config, get_galaxy_transform

    view = default_view_config()
    view.output_size = training_speed.SIZE
    catalogue = pd.DataFrame(counts.astype(np.float32), columns=tree.label_cols)
    catalogue["id_str"] = [path.stem for path in paths]
    catalogue["file_loc"] = [str(path) for path in paths]
    images = CatalogDataset(
        catalog=catalogue, label_cols=tree.label_cols, transform=get_galaxy_transform(view)
    )
    return _milliseconds(lambda number: images[number], training_speed.BATCH, 1)


def _ours(paths, counts, tree, folder):
    from mlcore.cnn.dataset import LabelledGalaxies, TrainingBatches
    from mlcore.images import ImageCache

    config = training_speed._settings()
    ids = [path.stem for path in paths]
    cache = ImageCache.build(
        paths, ids, folder / "cache", size=config.image_size, crop_fraction=config.crop_fraction
    )
    galaxies = LabelledGalaxies(cache, np.arange(len(paths)), counts, tree)
    batches = iter(TrainingBatches(galaxies, config, seed=0))
    return _milliseconds(lambda _number: next(batches), BATCHES, training_speed.BATCH)


def _milliseconds(take, times, images):
    take(0)
    begun = time.process_time()
    for number in range(times):
        take(number)
    return (time.process_time() - begun) * 1000 / (times * images)
