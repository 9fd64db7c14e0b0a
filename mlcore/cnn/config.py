"""The settings of the network; see `mlcore.train_config`, where they can be had without torch."""

from __future__ import annotations

from mlcore.train_config import TrainConfig

__all__ = ["TrainConfig"]
