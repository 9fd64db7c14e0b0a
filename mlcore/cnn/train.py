"""Training on votes through Zoobot and Lightning; a killed training goes on where it was."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
import torch
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch.utils import deterministic as torch_deterministic

from mlcore.cnn.dataset import LabelledGalaxies, PlainBatches, TrainingBatches, to_tensor
from mlcore.cnn.encoder import EncoderOrigin, encoder_of
from mlcore.cnn.model import CnnModel
from mlcore.cnn.network import TreeNetwork
from mlcore.cnn.operators import lightning_precision
from mlcore.cnn.watch import Watch
from mlcore.cnn.weights import file_sha256, load_weights, read_checkpoint
from mlcore.errors import ArtefactError, InvalidInputError, NotEnoughVotesError
from mlcore.files import read_json, write_json
from mlcore.memory import keeping_freed_memory
from mlcore.progress import OnProgress, ShouldStop, report
from mlcore.votes.likelihood import check_counts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.cnn.config import TrainConfig
    from mlcore.images import ImageCache
    from mlcore.tree import DecisionTree

_VAL_LOSS = "finetuning/val_loss"
# Fewer held-out galaxies than this say nothing about when to stop.
_LEAST_VALIDATION = 10
_SHAPE_IMAGES = 4096
# Between the seeds of an ensemble's networks; those of folds are neighbours.
_SEED_STEP = 7919


def train(
    cache: ImageCache,
    rows: NDArray[np.intp],
    counts: NDArray[np.float64],
    tree: DecisionTree,
    config: TrainConfig,
    *,
    directory: Path,
    seed: int,
    start_from: Path | None = None,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> CnnModel:
    """Train `FinetuneableZoobotTree` on the votes of some galaxies.

    Parameters
    ----------
    cache
        Images, of `config.image_size` and `config.crop_fraction`.
    rows
        Rows of the cache, shape (n,).
    counts
        Their votes, shape (n, A); weighted votes are allowed. Galaxies without any vote
        are left out. One class alone, or three galaxies, are trained on as they are; a
        validation split of fewer than 10 galaxies is not made.
    tree, config
        What for, and how.
    directory
        Keeps the state of an unfinished training and, under ``model``, the finished one,
        which a second call with the same arguments returns.
    seed
        Of initialisation, draws and dropout: on one machine the result is the same.
    start_from
        An encoder from `mlcore.cnn.pretrain.pretrain`.

    Raises
    ------
    NotEnoughVotesError
        When no galaxy has a vote.
    InvalidInputError
        For shapes that differ, counts that are negative or not finite, rows outside the
        cache, or a cache of another size.
    ArtefactError
        When `start_from` does not hold this encoder.
    FitError
        When a loss or a weight is not finite; no such weight is kept.
    CancelledError
        After `should_stop` said so; finished epochs stay on disk.
    """
    galaxies = _voted(cache, rows, counts, tree, config)
    task = _Task(galaxies, config, directory, seed, start_from)
    if not task.is_finished():
        task.discard_other_work()
        model = _learn(task, on_progress, should_stop)
        model.save(directory / "model")
    # Also where the model was there: a kill may have left them, and they are no result.
    for left in (task.checkpoints, *task.members):
        shutil.rmtree(left, ignore_errors=True)
    return CnnModel.load(directory / "model")


def _learn(task: _Task, on_progress: OnProgress | None, should_stop: ShouldStop | None) -> CnnModel:
    if not task.members:
        with _as_a_guest(), keeping_freed_memory(), torch.random.fork_rng(devices=[]):
            return _fit(task, on_progress, should_stop)
    first, *others = [
        train(
            task.galaxies.cache,
            task.galaxies.rows,
            task.galaxies.counts,
            task.galaxies.tree,
            replace(task.config, ensemble=1),
            directory=directory,
            seed=task.seed + number * _SEED_STEP,
            start_from=task.start_from,
            on_progress=_of_member(on_progress, number, len(task.members)),
            should_stop=should_stop,
        )
        for number, directory in enumerate(task.members)
    ]
    networks = tuple(each.network for each in others)
    return replace(first, config=task.config, others=networks)


def _of_member(on_progress: OnProgress | None, number: int, of: int) -> OnProgress:
    def scaled(stage: str, fraction: float, message: str) -> None:
        said = f"network {number + 1} of {of}, {message}"
        report(on_progress, stage, (number + fraction) / of, said)

    return scaled


@dataclass(frozen=True)
class _Task:
    galaxies: LabelledGalaxies
    config: TrainConfig
    directory: Path
    seed: int
    start_from: Path | None

    @property
    def checkpoints(self) -> Path:
        return self.directory / "checkpoints"

    @property
    def members(self) -> tuple[Path, ...]:
        """Folders of an ensemble's networks; none for a network alone."""
        of = self.config.ensemble
        return tuple(self.directory / f"network-{number}" for number in range(of) if of > 1)

    def key(self) -> str:
        """Name everything that the result depends on."""
        galaxies = self.galaxies
        weights = file_sha256(self.start_from) if self.start_from else None
        named = [galaxies.tree.checksum, self.config.to_dict(), self.seed, weights]
        named.append([galaxies.cache.ids[row] for row in galaxies.rows])
        digest = hashlib.sha256(json.dumps(named, sort_keys=True).encode())
        digest.update(np.ascontiguousarray(galaxies.counts, dtype=np.float64).tobytes())
        # Shape features are fitted to the whole cache.
        digest.update(json.dumps(galaxies.cache.ids).encode())
        return digest.hexdigest()

    def _is_ours(self) -> bool:
        try:
            return read_json(self.directory / "training.json").get("key") == self.key()
        except ArtefactError:
            return False

    def is_finished(self) -> bool:
        try:
            CnnModel.load(self.directory / "model")
        except ArtefactError:
            return False
        return self._is_ours()

    def whole_checkpoint(self) -> Path | None:
        """Return where to go on; None, and no checkpoint is left, where one is damaged."""
        if not all(read_checkpoint(path, "state_dict") for path in self.checkpoints.glob("*.ckpt")):
            shutil.rmtree(self.checkpoints)
        last = self.checkpoints / "last.ckpt"
        return last if last.is_file() else None

    def discard_other_work(self) -> None:
        if not self._is_ours():
            shutil.rmtree(self.checkpoints, ignore_errors=True)
            shutil.rmtree(self.directory / "model", ignore_errors=True)
            self.directory.mkdir(parents=True, exist_ok=True)
            write_json(self.directory / "training.json", {"key": self.key()})


def _voted(
    cache: ImageCache,
    rows: NDArray[np.intp],
    counts: NDArray[np.float64],
    tree: DecisionTree,
    config: TrainConfig,
) -> LabelledGalaxies:
    check_cache(cache, config)
    counts, rows = check_counts(counts, tree), check_rows(rows, cache)
    if len(rows) != len(counts):
        raise InvalidInputError(f"rows must be as many as counts ({len(counts)}), are {len(rows)}")
    voted = counts.sum(axis=1) > 0
    if not voted.any():
        raise NotEnoughVotesError(f"counts must have a galaxy with votes, none of {len(rows)} has")
    return LabelledGalaxies(cache, rows[voted], counts[voted], tree)


def check_cache(cache: ImageCache, config: TrainConfig) -> None:
    """Raise InvalidInputError unless the cache has the size and crop of `config`."""
    asked, found = (config.image_size, config.crop_fraction), (cache.size, cache.crop_fraction)
    if asked != found:
        raise InvalidInputError(f"cache must have (size, crop_fraction) {asked}, has {found}")


def check_rows(rows: NDArray[np.intp], cache: ImageCache) -> NDArray[np.intp]:
    """Return rows as an integer array, shape (n,); InvalidInputError outside the cache."""
    rows = np.asarray(rows, dtype=np.intp).reshape(-1)
    outside = rows[(rows < 0) | (rows >= len(cache))]
    if len(outside):
        raise InvalidInputError(f"rows must be in [0, {len(cache)}), one is {outside[0]}")
    return rows


def _fit(task: _Task, on_progress: OnProgress | None, should_stop: ShouldStop | None) -> CnnModel:
    torch.manual_seed(task.seed)
    network, origin = _start(task)
    training, validation = _split(task)
    batches = TrainingBatches(training, task.config, task.seed)
    watch = Watch(
        task.config,
        task.seed,
        batches,
        is_pretrained=task.start_from is not None,
        on_progress=on_progress,
        should_stop=should_stop,
    )
    trainer = _trainer(task, watch, validates=validation is not None)
    trainer.fit(
        network,
        batches,
        PlainBatches(validation, task.config) if validation else None,
        ckpt_path=task.whole_checkpoint(),
        weights_only=True,
    )
    _take_best(network, trainer)
    return CnnModel(network.eval(), training.tree, task.config, origin, tuple(watch.history))


def _start(task: _Task) -> tuple[TreeNetwork, EncoderOrigin]:
    encoder, origin = encoder_of(task.config)
    if task.start_from is not None:
        load_weights(encoder, task.start_from)
        reason = "self-supervised on the survey's own images"
        origin = replace(origin, source="pretrained-here", reason=reason)
    elif origin.source == "scratch":
        origin = replace(origin, reason=f"{origin.reason}; not pretrained, taught by votes alone")
    network = TreeNetwork(encoder, task.galaxies.tree, task.config)
    if network.shapes is not None:
        network.shapes.fit(_unlabelled(task))
    return network, origin


def _unlabelled(task: _Task) -> Iterator[torch.Tensor]:
    """Yield images from all over the cache, enough of them to know how they vary."""
    cache = task.galaxies.cache
    few = min(len(cache), _SHAPE_IMAGES)
    rows = np.linspace(0, len(cache) - 1, few, dtype=np.intp)
    for part in np.array_split(rows, -(-few // task.config.predict_batch_size)):
        yield to_tensor(cache.images[part], task.config.bands)


def _split(task: _Task) -> tuple[LabelledGalaxies, LabelledGalaxies | None]:
    galaxies, held_out = (
        task.galaxies,
        int(len(task.galaxies.rows) * task.config.validation_fraction),
    )
    if held_out < _LEAST_VALIDATION:
        return galaxies, None
    order = np.random.default_rng(task.seed).permutation(len(galaxies.rows))
    return _some(galaxies, np.sort(order[held_out:])), _some(galaxies, np.sort(order[:held_out]))


def _some(galaxies: LabelledGalaxies, places: NDArray[np.intp]) -> LabelledGalaxies:
    return replace(galaxies, rows=galaxies.rows[places], counts=galaxies.counts[places])


def _trainer(task: _Task, watch: Watch, *, validates: bool) -> lightning.Trainer:
    callbacks: list[Callback] = [watch]
    if validates:
        best = ModelCheckpoint(
            task.checkpoints,
            filename="best",
            monitor=_VAL_LOSS,
            enable_version_counter=False,
            save_weights_only=True,
        )
        callbacks += [EarlyStopping(_VAL_LOSS, patience=task.config.patience), best]
    # After the best, whose score it holds.
    callbacks.append(
        ModelCheckpoint(
            task.checkpoints, filename="last", enable_version_counter=False, save_top_k=1
        )
    )
    return lightning.Trainer(
        max_epochs=task.config.epochs,
        devices=1,
        deterministic="warn",
        logger=False,
        callbacks=callbacks,
        default_root_dir=task.directory,
        precision=lightning_precision(task.config.precision),
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def _take_best(network: TreeNetwork, trainer: lightning.Trainer) -> None:
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor and callback.best_model_path:
            state = torch.load(callback.best_model_path, weights_only=True)["state_dict"]
            network.load_state_dict(state)


@contextmanager
def _as_a_guest() -> Iterator[None]:
    """Keep Lightning's remarks and advice out of the log, and its switches to itself."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    # Any, because torch's stubs do not know the switch. It would write NaN over every new
    # tensor, to show who reads what nobody wrote.
    filling: Any = torch_deterministic
    fills = filling.fill_uninitialized_memory
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    filling.fill_uninitialized_memory = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PossibleUserWarning)
            warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
            # `Watch` says it, and what to do.
            warnings.filterwarnings("ignore", "Encountered `nan` values", UserWarning)
            warnings.filterwarnings("ignore", "Checkpoint directory .* not empty", UserWarning)
            yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        filling.fill_uninitialized_memory = fills
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
