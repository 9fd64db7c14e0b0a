"""A tiny survey that a tiny network can learn in a second."""

from dataclasses import replace

import mlcore.cnn  # noqa: F401 - before torch

# isort: split
import numpy as np
import pytest
import torch

from mlcore.cnn.config import TrainConfig
from mlcore.images import ImageCache


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Small tensors are faster on one thread, and other tests may run beside these."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def config():
    """The smallest settings that learn the tiny survey."""
    return TrainConfig(
        encoder="test_resnet",
        image_size=24,
        crop_fraction=1.0,
        batch_size=8,
        epochs=3,
        steps_per_epoch=8,
        learning_rate=3e-3,
        average_views=4,
        predict_batch_size=16,
        pretrain_steps=4,
        pretrain_batch_size=8,
    )


@pytest.fixture(scope="session")
def bars_and_blobs():
    """Forty images, (40, 24, 24, 3) uint8: even rows are round, odd ones are lines."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 20, (40, 24, 24, 3), dtype=np.uint8)
    images[0::2, 8:16, 8:16] += 100
    images[1::2, 11:13, 2:22] += 200
    return images


@pytest.fixture(scope="session")
def cache(bars_and_blobs):
    """The same, as a cache in memory."""
    return ImageCache(bars_and_blobs, tuple(f"g{row}" for row in range(40)), 24, 1.0)


@pytest.fixture(scope="session")
def counts():
    """Five votes each, shape (40, 5): round, or spiral and clockwise."""
    votes = np.zeros((40, 5))
    votes[0::2, 0] = 5
    votes[1::2, 1] = votes[1::2, 2] = 5
    return votes


@pytest.fixture(scope="session")
def rows():
    """Every row of the cache."""
    return np.arange(40)


@pytest.fixture
def stop_after():
    """Return a should_stop that answers yes from call number n + 1 on."""

    def make(calls):
        asked = []

        def should_stop():
            asked.append(None)
            return len(asked) > calls

        return should_stop

    return make


@pytest.fixture(scope="session")
def trained(*, cache, rows, counts, handed_tree, config, tmp_path_factory):
    """One model of the tiny survey."""
    from mlcore.cnn.train import train

    directory = tmp_path_factory.mktemp("trained")
    longer = replace(config, epochs=6)
    return train(cache, rows, counts, handed_tree, longer, directory=directory, seed=1)
