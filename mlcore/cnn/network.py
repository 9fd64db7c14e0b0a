"""Zoobot's finetuneable tree, with our likelihood and a learning-rate schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import torch
from zoobot.pytorch.estimators.define_model import get_pytorch_dirichlet_head
from zoobot.pytorch.training.finetune import FinetuneableZoobotTree

from mlcore.cnn.loss import torch_negative_log_likelihood
from mlcore.cnn.shapes import WIDTH, ShapeFeatures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlcore.cnn.config import TrainConfig
    from mlcore.tree import DecisionTree

_WARM_UP = 0.15


class TreeNetwork(FinetuneableZoobotTree):
    """An encoder under Zoobot's Dirichlet head: alpha = 1 + 100 * sigmoid(W x + b).

    Four things differ from zoobot 2.9.0: the likelihood takes weighted votes and is
    summed over the questions of a galaxy, a frozen encoder keeps its batch statistics,
    the learning rate follows one cycle over the training, and the head sees shape
    features beside the encoder's where the settings say so.

    Parameters
    ----------
    encoder
        Turns (n, channels, size, size) into (n, D).
    tree
        Gives the A outputs.
    config
        Optimiser and schedule.
    """

    def __init__(self, encoder: torch.nn.Module, tree: DecisionTree, config: TrainConfig) -> None:
        super().__init__(
            schema=tree.to_zoobot_schema(),
            encoder=encoder,
            training_mode=config.training_mode,
            layer_decay=config.layer_decay,
            weight_decay=config.weight_decay,
            learning_rate=config.learning_rate,
            head_dropout_prob=config.head_dropout,
            prog_bar=False,
        )
        # Zoobot records its arguments there, and a checkpoint would pickle them.
        self.hparams.clear()
        self.shapes: ShapeFeatures | None = None
        if config.shape_features:
            self._see_shapes(len(config.bands), config.head_dropout)
        self._steps = config.epochs * config.steps_per_epoch
        self._slices = tuple(tree.question_slices.values())
        self._label_cols = tuple(tree.label_cols)
        self.loss = self._negative_log_likelihood
        self.to(memory_format=torch.channels_last)
        self.train()

    def _see_shapes(self, channels: int, dropout: float) -> None:
        self.shapes = ShapeFeatures(channels)
        self.encoder_dim += WIDTH
        self.head = get_pytorch_dirichlet_head(
            encoder_dim=self.encoder_dim,
            output_dim=self.output_dim,
            test_time_dropout=False,
            dropout_rate=dropout,
        )

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return what the head sees of standardised images: shape (n, encoder_dim)."""
        learned: torch.Tensor = self.encoder(images)
        if self.shapes is None:
            return learned
        return torch.cat([learned, self.shapes(images).to(learned)], dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return concentrations, shape (n, A), of standardised images."""
        concentrations: torch.Tensor = self.head(self.features(x))
        return concentrations

    def _negative_log_likelihood(
        self, concentrations: torch.Tensor, votes: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        counts = torch.stack([votes[column] for column in self._label_cols], dim=1)
        # Half precision knows no logarithm of the gamma function that is worth having.
        alphas = concentrations.float()
        by_question = torch_negative_log_likelihood(alphas, counts, self._slices)
        return by_question.sum(dim=1)

    def configure_optimizers(self) -> dict[str, Any]:
        """Return AdamW as Zoobot sets it up, each group on its own one-cycle schedule."""
        optimizer = super().configure_optimizers()
        for group in optimizer.param_groups:
            group["fused"] = True
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in optimizer.param_groups],
            total_steps=self._steps,
            pct_start=_WARM_UP,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def train(self, mode: bool = True) -> Self:
        """Switch to training; a frozen encoder stays as it is, batch statistics included."""
        super().train(mode)
        if self.training_mode == "head_only":
            self.encoder.eval()
        return self
