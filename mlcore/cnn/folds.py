"""Predictions by networks that never saw the votes of the galaxy they predict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlcore.cnn.predict import predict
from mlcore.cnn.train import check_rows, train
from mlcore.errors import InvalidInputError, NotEnoughVotesError
from mlcore.progress import OnProgress, ShouldStop, report
from mlcore.votes.likelihood import check_counts

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.cnn.config import TrainConfig
    from mlcore.images import ImageCache
    from mlcore.tree import DecisionTree


def out_of_fold(
    cache: ImageCache,
    rows: NDArray[np.intp],
    counts: NDArray[np.float64],
    tree: DecisionTree,
    config: TrainConfig,
    *,
    folds: int,
    directory: Path,
    seed: int,
    start_from: Path | None = None,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> NDArray[np.float32]:
    """Train one network per fold on the other folds, and predict that fold with it.

    Each network starts from `start_from`, which may have seen the images of every galaxy
    but nobody's votes.

    Parameters
    ----------
    cache, rows, counts, tree, config
        See `mlcore.cnn.train.train`; rows are unique, since a repeated galaxy would be on
        both sides. Galaxies without votes are predicted too.
    folds
        At least 2, and at most as many as there are galaxies.
    directory
        One folder per fold; finished folds are kept after a kill.
    seed
        Of the division into folds and of each training.

    Returns
    -------
    ndarray
        Concentrations, float32, shape (n, A).

    Raises
    ------
    InvalidInputError
        For a bad number of folds, or a repeated row, or what `train` refuses.
    NotEnoughVotesError
        When all votes lie in one fold.
    """
    counts, rows = check_counts(counts, tree), check_rows(rows, cache)
    if len(np.unique(rows)) != len(rows):
        raise InvalidInputError("rows must be unique, one is repeated")
    if not 2 <= folds <= max(len(rows), 2):
        raise InvalidInputError(f"folds must be from 2 to {len(rows)} galaxies, is {folds}")
    if len(rows) < folds:
        raise NotEnoughVotesError(f"rows must have at least {folds} galaxies, has {len(rows)}")
    fold_of = np.random.default_rng(seed).permutation(len(rows)) % folds
    concentrations = np.empty(counts.shape, np.float32)
    for fold in range(folds):
        inside = fold_of == fold
        model = train(
            cache,
            rows[~inside],
            counts[~inside],
            tree,
            config,
            directory=directory / f"fold-{fold}",
            seed=seed + fold,
            start_from=start_from,
            on_progress=_of_fold(on_progress, fold, folds),
            should_stop=should_stop,
        )
        found = predict(model, cache, rows[inside], should_stop=should_stop)
        concentrations[inside] = found.concentrations
    return concentrations


def _of_fold(on_progress: OnProgress | None, fold: int, folds: int) -> OnProgress:
    def scaled(stage: str, fraction: float, message: str) -> None:
        said = f"fold {fold + 1} of {folds}, {message}"
        report(on_progress, stage, (fold + fraction) / folds, said)

    return scaled
