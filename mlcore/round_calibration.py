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
import pyarrow.parquet as pq

from mlcore.calibration import fit_calibration
from mlcore.cnn.folds import out_of_fold
from mlcore.errors import ArtefactError
from mlcore.files import replacing
from mlcore.round_catalogue import voted_rows

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
    a kill where it was.

    Raises
    ------
    ArtefactError
        Where those that are there belong to other galaxies.
    """
    rows, counts = voted_rows(files, "training", cache)
    ids = [cache.ids[row] for row in rows]
    folder = files.folder(stage).path
    for kept in (files.folder("train").path / _NAME, folder / _NAME):
        if kept.is_file():
            # A kill may have come before the networks were removed.
            shutil.rmtree(folder / "folds", ignore_errors=True)
            return _read(kept, ids, files.plan.tree.label_cols)
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
    )
    columns = dict(zip(files.plan.tree.label_cols, found.T, strict=True))
    with replacing(folder / _NAME) as partial:
        pq.write_table(pa.table({"id_str": ids, **columns}), partial)
    shutil.rmtree(folder / "folds")
    return found.astype(np.float64)


def _read(path: Path, ids: list[str], label_cols: list[str]) -> NDArray[np.float64]:
    try:
        table = pq.read_table(path, columns=["id_str", *label_cols])
    except (OSError, pa.ArrowInvalid) as error:
        raise ArtefactError(f"{path.name} must be a Parquet file, is not: {error}") from error
    if table["id_str"].to_pylist() != ids:
        raise ArtefactError(f"{path.name} must be about this round's galaxies, is not")
    return np.column_stack([table[name].to_numpy() for name in label_cols]).astype(np.float64)
