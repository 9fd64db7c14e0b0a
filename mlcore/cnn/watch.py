"""What is looked at while a network is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from lightning.pytorch.callbacks import Callback

from mlcore.cnn.divergence import require_convergence
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked

if TYPE_CHECKING:
    from collections.abc import Mapping

    import lightning

    from mlcore.cnn.config import TrainConfig
    from mlcore.cnn.dataset import TrainingBatches

_STAGE: Final = "train"
# Between looks at the loss, for each of which a graphics card must be waited for.
_LOOK_STEPS: Final = 50


class Watch(Callback):
    """Reports, stops on request or where nothing is learnt, and gives every epoch its own seed.

    Parameters
    ----------
    config, seed
        Of the training.
    batches
        What it draws, which must know the epoch after a kill.
    is_pretrained
        Whether an encoder pretrained here was the start.
    on_progress, should_stop
        The caller's, or None.
    """

    def __init__(
        self,
        config: TrainConfig,
        seed: int,
        batches: TrainingBatches,
        *,
        is_pretrained: bool,
        on_progress: OnProgress | None,
        should_stop: ShouldStop | None,
    ) -> None:
        self._config, self._seed, self._batches = config, seed, batches
        self._on_progress, self._should_stop = on_progress, should_stop
        rate = f"{config.pretrain_learning_rate:g}"
        self._hint = f", or with another pretrain_learning_rate than {rate}" * is_pretrained
        self.history: list[dict[str, float | int | None]] = []

    def on_train_epoch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Seed what is random in the epoch."""
        torch.manual_seed(self._seed * 100_003 + trainer.current_epoch)

    def on_train_batch_start(self, *_: Any) -> None:
        """Stop on request."""
        stop_if_asked(self._should_stop, _STAGE)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, _network: Any, outputs: Any, *_: Any
    ) -> None:
        """Look at the loss now and then; long epochs would go on in vain."""
        if trainer.global_step % _LOOK_STEPS == 0:
            self._require_convergence(trainer, {"the loss": float(outputs["loss"])})

    def on_validation_end(self, trainer: lightning.Trainer, network: Any) -> None:
        """Look at loss and weights before the best epoch is kept."""
        self._require_convergence(trainer, _losses(trainer), network)

    def on_train_epoch_end(self, trainer: lightning.Trainer, network: Any) -> None:
        """Look at loss and weights before the epoch is kept, and report it."""
        done, of = trainer.current_epoch + 1, self._config.epochs
        losses = _losses(trainer)
        self._require_convergence(trainer, losses, network)
        self.history.append({"epoch": done, "val_loss": None, **losses})
        self._batches.epoch = done
        said = ", ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
        report(self._on_progress, _STAGE, done / of, f"epoch {done} of {of}: {said}")

    def _require_convergence(
        self,
        trainer: lightning.Trainer,
        losses: Mapping[str, float],
        network: torch.nn.Module | None = None,
    ) -> None:
        require_convergence(
            "learning_rate",
            self._config.learning_rate,
            step=trainer.global_step,
            losses=losses,
            weights=network.state_dict().values() if network is not None else (),
            hint=self._hint,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what a checkpoint kept."""
        self.history = list(state_dict["history"])
        self._batches.epoch = len(self.history)


def _losses(trainer: lightning.Trainer) -> dict[str, float]:
    """Return those of the epoch that are known by now."""
    return {
        name: float(trainer.callback_metrics[f"finetuning/{name}"])
        for name in ("train_loss", "val_loss")
        if f"finetuning/{name}" in trainer.callback_metrics
    }
