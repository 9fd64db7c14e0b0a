"""Self-supervised pretraining on the survey's own unlabelled images.

What is learned from them is the affair of `mlcore.cnn.objectives`; this is how: in steps
that go on after a kill. Half the galaxies of a step are flipped, all views of one alike.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from mlcore.cnn.dataset import to_tensor
from mlcore.cnn.divergence import require_convergence
from mlcore.cnn.encoder import encoder_of
from mlcore.cnn.objectives import Objective, make_objective
from mlcore.cnn.operators import best_device
from mlcore.cnn.train import check_cache
from mlcore.cnn.weights import (
    are_whole_weights,
    file_sha256,
    load_weights,
    read_checkpoint,
    save_weights,
    write_checkpoint,
)
from mlcore.errors import ArtefactError, InvalidInputError, NotEnoughVotesError
from mlcore.files import read_json, write_json
from mlcore.memory import keeping_freed_memory
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked

if TYPE_CHECKING:
    from pathlib import Path

    from mlcore.images import ImageCache
    from mlcore.train_config import TrainConfig

_STAGE = "pretrain"
_CHECKPOINT_STEPS = 50
_WEIGHT_DECAY = 0.05
_WARM_UP = 0.1
# How the settings of TrainConfig that an encoder depends on start.
_OF_ENCODER = ("encoder", "image_size", "crop_fraction", "bands", "pretrain")


def pretrain(
    cache: ImageCache,
    config: TrainConfig,
    *,
    directory: Path,
    seed: int,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
    start_from: Path | None = None,
) -> Path:
    """Train an encoder without labels and return its safetensors file.

    Parameters
    ----------
    cache
        The survey's images, at least two. Leave out images that a test set must not have
        shown to any stage.
    config
        `encoder`, `image_size`, `crop_fraction` and the `pretrain_` settings.
    directory
        Gets ``encoder.safetensors``. A killed run goes on from its last 50 steps; a
        finished one of the same images, settings, seed and start is returned as it is.
    seed
        Of initialisation and draws: on one machine the result is the same.
    start_from
        An earlier encoder of the same architecture to go on from.

    Raises
    ------
    NotEnoughVotesError
        For fewer than two images.
    InvalidInputError
        For a cache of another size or crop, or settings that ask for no pretraining.
    ArtefactError
        When `start_from` does not hold this encoder.
    FitError
        When a loss or a weight is not finite; no such weight is kept.
    CancelledError
        After `should_stop` said so.
    """
    check_cache(cache, config)
    if config.pretrain_steps < 1:
        raise InvalidInputError(f"pretrain_steps must be at least 1, is {config.pretrain_steps}")
    if len(cache) < 2:
        raise NotEnoughVotesError(f"cache must have at least 2 images, has {len(cache)}")
    directory.mkdir(parents=True, exist_ok=True)
    key = _key(cache, config, seed, start_from)
    finished = directory / "encoder.safetensors"
    if not _is_finished(directory, key):
        with keeping_freed_memory(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            learner = _Learner.start(cache, config, seed, start_from)
            learner.resume(directory / "pretrain.partial", key)
            learner.run(directory / "pretrain.partial", key, on_progress, should_stop)
        save_weights(learner.encoder, finished)
        write_json(directory / "encoder.json", {"key": key, "sha256": file_sha256(finished)})
        (directory / "pretrain.partial").unlink(missing_ok=True)
    return finished


def encoder_settings(config: TrainConfig) -> dict[str, Any]:
    """Return the settings, as JSON values, that a pretrained encoder depends on."""
    names = [each.name for each in fields(config) if each.name.startswith(_OF_ENCODER)]
    return {name: getattr(config, name) for name in names}


def _key(cache: ImageCache, config: TrainConfig, seed: int, start_from: Path | None) -> str:
    weights = file_sha256(start_from) if start_from else None
    named = json.dumps([encoder_settings(config), seed, weights, cache.ids], sort_keys=True)
    return hashlib.sha256(named.encode()).hexdigest()


def _recorded(directory: Path) -> dict[str, Any]:
    try:
        return read_json(directory / "encoder.json")
    except ArtefactError:
        return {}


def _is_finished(directory: Path, key: str) -> bool:
    weights = directory / "encoder.safetensors"
    if not are_whole_weights(weights):
        return False
    return _recorded(directory) == {"key": key, "sha256": file_sha256(weights)}


@dataclass
class _Learner:
    """Encoder, objective, optimiser and schedule, with the step they have come to."""

    cache: ImageCache
    config: TrainConfig
    seed: int
    encoder: nn.Module
    objective: Objective
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    step: int = 0

    @classmethod
    def start(
        cls, cache: ImageCache, config: TrainConfig, seed: int, start_from: Path | None
    ) -> _Learner:
        # Any, because torch's stubs do not know that a module takes a memory format.
        encoder: Any = encoder_of(config)[0]
        if start_from is not None:
            load_weights(encoder, start_from)
        encoder.to(memory_format=torch.channels_last)
        objective = make_objective(config, int(encoder.num_features))
        encoder.to(best_device())
        objective.to(best_device())
        rate = config.pretrain_learning_rate
        parameters = [*encoder.parameters(), *objective.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=_WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=rate, total_steps=config.pretrain_steps + 1, pct_start=_WARM_UP
        )
        return cls(cache, config, seed, encoder, objective, optimizer, schedule)

    def _parts(self) -> dict[str, Any]:
        return {
            "encoder": self.encoder,
            "objective": self.objective,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
        }

    def resume(self, path: Path, key: str) -> None:
        if not path.is_file():
            return
        saved = read_checkpoint(path, "encoder", "objective")
        if saved.get("key") == key:
            for name, part in self._parts().items():
                part.load_state_dict(saved[name])
            self.step = saved["step"]

    def _checkpoint(self, path: Path, key: str) -> None:
        states = {name: part.state_dict() for name, part in self._parts().items()}
        write_checkpoint(path, {"key": key, "step": self.step, **states})

    def run(
        self,
        path: Path,
        key: str,
        on_progress: OnProgress | None,
        should_stop: ShouldStop | None,
    ) -> None:
        of = self.config.pretrain_steps
        while self.step < of:
            stop_if_asked(should_stop, _STAGE)
            loss = self._learn()
            self._require_convergence(loss)
            if self.step % _CHECKPOINT_STEPS == 0:
                self._checkpoint(path, key)
            said = f"step {self.step} of {of}: {self.config.pretrain_objective} loss {loss:.3f}"
            report(on_progress, _STAGE, self.step / of, said)

    def _require_convergence(self, loss: float) -> None:
        """Look at the loss, and at the weights before they are kept."""
        is_kept = self.step % _CHECKPOINT_STEPS == 0 or self.step == self.config.pretrain_steps
        states = (self.encoder.state_dict(), self.objective.state_dict()) if is_kept else ()
        require_convergence(
            "pretrain_learning_rate",
            self.config.pretrain_learning_rate,
            step=self.step,
            losses={"the loss": loss},
            weights=[each for state in states for each in state.values()],
        )

    def _learn(self) -> float:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.step)
        loss = self.objective.loss(self.encoder, self._draw(generator), generator)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        return loss.item()

    def _draw(self, generator: torch.Generator) -> torch.Tensor:
        size = min(self.config.pretrain_batch_size, len(self.cache))
        rows = torch.randperm(len(self.cache), generator=generator)[:size]
        images = to_tensor(self.cache.images[rows.numpy()], self.config.bands)
        flipped = torch.rand(size, 1, 1, 1, generator=generator) < 0.5
        return torch.where(flipped, images.flip(3), images)
