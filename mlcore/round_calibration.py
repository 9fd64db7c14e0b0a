"""How sure a round's network may be: learnt from galaxies that its like did not see.

One network per fold is trained on the other folds and predicts its own. These predictions
serve twice: the votes that they meet say how far the network and its look-alikes may be
trusted, and how sure they may be together (`mlcore.calibration`); and the search for mislabels
reads them (`mlcore.round_flagging`). The control panel has no part in it.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mlcore.calibration import fit_calibration
from mlcore.cnn.folds import out_of_fold
from mlcore.errors import ArtefactError, UnreadableError
from mlcore.round_catalogue import voted_rows
from mlcore.shard_files import read_checked, write_checked

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.calibration import Calibration
    from mlcore.images import ImageCache
    from mlcore.round_files import RoundFiles
    from mlcore.round_lookalikes import KnownLookalikes

_NAME = "out_of_fold.parquet"


def calibrate(
    files: RoundFiles, cache: ImageCache, start_from: Path | None, known: KnownLookalikes | None
) -> Calibration:
    """Return the calibration of the train stage's model, from the votes on unseen galaxies."""
    found = unseen_concentrations(files, cache, start_from, stage="train", start=0.65, end=1.0)
    _, counts = voted_rows(files, "training", cache)
    if known is None:
        return fit_calibration(counts, found, files.plan.tree)
    places, said = known.places, known.unseen(files.plan)
    return fit_calibration(counts[places], found[places], files.plan.tree, said)


def unseen_concentrations(
    files: RoundFiles,
    cache: ImageCache,
    start_from: Path | None,
    *,
    stage: str,
    start: float,
    end: float,
) -> NDArray[np.float64]:
    """Return the folds' concentrations (n, A) of the training galaxies, not calibrated.

    The train stage's, where it made them; or else `stage` makes them, once, and goes on after
    a kill where it was. What it has made and is spoilt before it is finished is made again.

    Raises
    ------
    ArtefactError
        Where the finished train stage's are damaged, or belong to other galaxies.
    """
    rows, counts = voted_rows(files, "training", cache)
    ids, label_cols = [cache.ids[row] for row in rows], files.plan.tree.label_cols
    folder, theirs = files.folder(stage).path, files.folder("train").path / _NAME
    if stage != "train" and theirs.is_file():
        return _read(theirs, ids, label_cols)
    found = _read_unless_spoilt(folder / _NAME, ids, label_cols)
    if found is None:
        found = out_of_fold(
            cache,
            rows,
            counts,
            files.plan.tree,
            files.plan.config.train,
            folds=files.plan.config.folds,
            directory=folder / "folds",
            seed=files.plan.seed,
            start_from=start_from,
            on_progress=files.part(stage, start, end),
            should_stop=files.should_stop,
        ).astype(np.float64)
        columns = dict(zip(label_cols, found.astype(np.float32).T, strict=True))
        write_checked(pa.table({"id_str": ids, **columns}), folder / _NAME)
    # Also where they were there: a kill may have come before the networks were removed.
    shutil.rmtree(folder / "folds", ignore_errors=True)
    return found


def _read_unless_spoilt(
    path: Path, ids: list[str], label_cols: list[str]
) -> NDArray[np.float64] | None:
    """Return what an unfinished stage has kept; None where it is not there, or is spoilt."""
    if not path.is_file():
        return None
    try:
        return _read(path, ids, label_cols)
    except UnreadableError:
        raise
    except ArtefactError:
        return None


def _read(path: Path, ids: list[str], label_cols: list[str]) -> NDArray[np.float64]:
    table = read_checked(path, columns=["id_str", *label_cols])
    if table["id_str"].to_pylist() != ids:
        raise ArtefactError(f"{path.name} must be about this round's galaxies, is not")
    return np.column_stack([table[name].to_numpy() for name in label_cols]).astype(np.float64)
