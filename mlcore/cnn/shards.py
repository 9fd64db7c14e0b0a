"""Predictions of a whole survey as Parquet shards: resumable, and read as a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlcore.cnn.predict import Predictions, predict
from mlcore.errors import ArtefactError, InvalidInputError
from mlcore.files import read_json, write_json
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked
from mlcore.shard_files import is_whole, read_checked, write_checked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.cnn.model import CnnModel
    from mlcore.images import ImageCache

_STAGE = "predict"
_CONTENTS = "shards.json"


@dataclass(frozen=True)
class Shard:
    """Part of a survey's predictions, in the cache's order.

    Attributes
    ----------
    ids
        n ids.
    label_cols
        Names of the A columns.
    predictions
        Shapes (n, A) and (n, D).
    """

    ids: tuple[str, ...]
    label_cols: tuple[str, ...]
    predictions: Predictions


def write_shards(
    model: CnnModel,
    cache: ImageCache,
    directory: Path,
    *,
    shard_size: int = 4096,
    source: str,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Path:
    """Predict every image of the cache into ``shard-00000.parquet`` and so on.

    Columns: ``id_str``, ``<label column>_concentration`` (float32) and ``representation``
    (list of D float32). ``shards.json``, written last, names the shards.

    Parameters
    ----------
    model, cache
        See `mlcore.cnn.predict.predict`; an empty cache gives no shard.
    directory
        Whole shards of the same `source` that are there are kept; others are replaced.
    shard_size
        Galaxies per shard, at least 1; memory grows with it.
    source
        Names the model and the images, as a checksum of both would.

    Returns
    -------
    Path
        `directory`.

    Raises
    ------
    InvalidInputError
        For a `shard_size` below 1, or what `predict` refuses.
    CancelledError
        After `should_stop` said so; whole shards stay.
    """
    if shard_size < 1:
        raise InvalidInputError(f"shard_size must be at least 1, is {shard_size}")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / _CONTENTS).unlink(missing_ok=True)
    starts = range(0, len(cache), shard_size)
    for number, start in enumerate(starts):
        stop_if_asked(should_stop, _STAGE)
        ids = cache.ids[start : start + shard_size]
        if not is_whole(_path(directory, number), source=source, length=len(ids)):
            rows = np.arange(start, start + len(ids))
            shard = Shard(
                ids,
                tuple(model.tree.label_cols),
                predict(model, cache, rows, should_stop=should_stop),
            )
            _write(shard, _path(directory, number), source)
        done = start + len(ids)
        said = f"{done} of {len(cache)} galaxies predicted"
        report(on_progress, _STAGE, done / len(cache), said)
    contents = {"source": source, "shards": len(starts), "galaxies": len(cache)}
    write_json(directory / _CONTENTS, contents)
    return directory


def _path(directory: Path, number: int) -> Path:
    return directory / f"shard-{number:05d}.parquet"


def _write(shard: Shard, path: Path, source: str) -> None:
    found = shard.predictions
    columns: dict[str, Any] = {"id_str": pa.array(shard.ids, pa.string())}
    for name, values in zip(shard.label_cols, found.concentrations.T, strict=True):
        columns[f"{name}_concentration"] = pa.array(np.ascontiguousarray(values))
    width = found.representations.shape[1]
    flat = pa.array(found.representations.ravel())
    columns["representation"] = pa.FixedSizeListArray.from_arrays(flat, width)
    write_checked(pa.table(columns), path, source=source)


def read_shards(directory: Path) -> Iterator[Shard]:
    """Yield the shards in order, one in memory at a time.

    Raises
    ------
    ArtefactError
        When the set is unfinished, or a shard is missing or damaged.
    """
    contents = read_json(directory / _CONTENTS)
    for number in range(int(contents.get("shards", 0))):
        path = _path(directory, number)
        try:
            yield _shard_of(read_checked(path))
        except (ArtefactError, KeyError) as error:
            raise ArtefactError(f"{path} must be a shard of predictions: {error}") from error


def _shard_of(table: pa.Table) -> Shard:
    names = [name for name in table.column_names if name.endswith("_concentration")]
    answers = np.column_stack([table[name].to_numpy() for name in names])
    lists = table["representation"].combine_chunks()
    flat: NDArray[np.float32] = lists.flatten().to_numpy()
    return Shard(
        tuple(table["id_str"].to_pylist()),
        tuple(name.removesuffix("_concentration") for name in names),
        Predictions(answers, flat.reshape(len(table), lists.type.list_size)),
    )
