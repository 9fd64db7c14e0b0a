"""Training and prediction, images per second, with the settings of the demonstration."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

TITLE = "Training and prediction of the CNN (TrainConfig.small and the default)"
IMAGES = 512
ROOT = Path(__file__).parents[2]


def table() -> list[dict[str, str]]:
    """Train for two epochs and predict everything, for each settings."""
    from mlcore.train_config import TrainConfig

    return [_measured("small", TrainConfig.small()), _measured("default", TrainConfig())]


def _measured(name: str, config) -> dict[str, str]:
    from dataclasses import replace

    from mlcore.cnn.predict import predict
    from mlcore.cnn.train import train
    from mlcore.images import ImageCache
    from mlcore.tree import DecisionTree

    rng = np.random.default_rng(1)
    tree = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz1.json")
    counts = rng.multinomial(5, [1 / 6] * 6, size=IMAGES).astype(float)
    config = replace(config, epochs=2, steps_per_epoch=min(config.steps_per_epoch, 20))
    with tempfile.TemporaryDirectory() as folder:
        paths = _pictures(Path(folder), rng)
        cache = ImageCache.build(
            paths,
            [path.stem for path in paths],
            Path(folder, "cache"),
            size=config.image_size,
            crop_fraction=config.crop_fraction,
        )
        rows = np.arange(IMAGES)
        begun = time.perf_counter()
        model = train(cache, rows, counts, tree, config, directory=Path(folder, "train"), seed=1)
        trained = time.perf_counter()
        predict(model, cache, rows)
        ended = time.perf_counter()
    seen = config.epochs * config.steps_per_epoch * config.batch_size
    views = config.average_views * IMAGES
    return {
        "settings": f"{name}: {config.encoder}, {config.image_size} px, batch {config.batch_size}",
        "trained, images/s": f"{seen / (trained - begun):,.0f}",
        "predicted, galaxies/s": f"{IMAGES / (ended - trained):,.0f}",
        "views/s": f"{views / (ended - trained):,.0f}",
    }


def _pictures(folder: Path, rng: np.random.Generator) -> list[Path]:
    paths = [folder / f"{number:04d}.png" for number in range(IMAGES)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (128, 128, 3), dtype=np.uint8)).save(path)
    return paths
