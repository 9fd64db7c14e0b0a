"""What look-alikes cost a prediction: galaxies per second, alone and with them, side by side.

The network of the default settings with its 8 views, over noise: its weights do not matter here,
and so it is not trained. Each is asked in turn, so that whatever else the machine does falls on
all of them.
"""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import mlcore.cnn  # noqa: F401 - before torch
from mlcore.images import ImageCache
from mlcore.train_config import TrainConfig
from mlcore.tree import DecisionTree

TITLE = "Prediction with and without look-alikes (default settings, 8 views)"
ROOT = Path(__file__).parents[2]
GALAXIES = int(os.environ.get("LENTICULAR_BENCH_GALAXIES", "512"))
TURNS = int(os.environ.get("LENTICULAR_BENCH_TURNS", "3"))
KNOWN = 64


def table():
    """Return one row for each: its median over the turns."""
    import torch

    from mlcore.cnn.predict import predict

    config = TrainConfig()
    cache = _noise(config)
    models, rates = _models(cache, config), {}
    for _ in range(TURNS):
        for name, model in models.items():
            begun = time.perf_counter()
            predict(model, cache, np.arange(GALAXIES))
            rates.setdefault(name, []).append(GALAXIES / (time.perf_counter() - begun))
    medians = {name: np.median(found) for name, found in rates.items()}
    return [
        {
            "prediction": name,
            f"galaxies/s, {torch.get_num_threads()} threads": f"{rate:,.0f}",
            "of the network alone": f"{rate / medians['network alone']:.2f}",
        }
        for name, rate in medians.items()
    ]


def _models(cache, config):
    """Return a network alone, and with look-alikes taught by a few random votes."""
    from mlcore.cnn.encoder import make_encoder
    from mlcore.cnn.lookalikes import LookalikeBasis, Lookalikes
    from mlcore.cnn.model import CnnModel
    from mlcore.cnn.network import TreeNetwork
    from mlcore.cnn.untaught import Untaught

    tree = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz1.json")
    encoder, origin = make_encoder(config.encoder)
    network = TreeNetwork(encoder, tree, config).eval()
    network.shapes.fit([_images(cache, np.arange(KNOWN))])
    alone = CnnModel(network, tree, config, origin)
    untaught = Untaught(make_encoder(config.encoder)[0], network.shapes)
    basis = LookalikeBasis.learn(untaught, cache, np.arange(KNOWN), config, seed=0)
    votes = np.random.default_rng(0).multinomial(5, [1 / 6] * 6, KNOWN).astype(float)
    both = replace(alone, lookalikes=Lookalikes.taught(*basis, votes, tree))
    return {"network alone": alone, "with look-alikes": both}


def _images(cache, rows):
    from mlcore.cnn.dataset import to_tensor

    return to_tensor(np.array(cache.images[rows]))


def _noise(config):
    shape = (GALAXIES, config.image_size, config.image_size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    names = tuple(str(number) for number in range(GALAXIES))
    return ImageCache(images, names, config.image_size, config.crop_fraction)
