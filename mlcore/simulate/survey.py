"""A drawn survey on disk: images, a manifest to import, and the truth beside it.

The manifest is what a site imports. The truth is a file of its own that only
tests and benchmarks read: nothing in the manifest, the ids or the file names
tells a galaxy's kind.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from mlcore.errors import CatalogueError, InvalidInputError
from mlcore.simulate.galaxies import GalaxyTruth, draw_truth
from mlcore.simulate.render import MAX_SIZE, MIN_SIZE, render

OnProgress: TypeAlias = Callable[[str, float, str], None]

JPEG_QUALITY = 92
MANIFEST_COLUMNS = (
    "external_id", "file", "ra", "dec",
    "magnitude", "redshift", "radius_arcsec", "#seeing_arcsec", "#field_arcsec",
)  # fmt: skip
_ARROW_TYPES = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "str": pa.string()}
_TRUTH_SCHEMA = pa.schema(
    [pa.field("external_id", pa.string())]
    + [pa.field(field.name, _ARROW_TYPES[str(field.type)]) for field in fields(GalaxyTruth)]
)
_CHUNK = 1024


@dataclass(frozen=True, slots=True)
class SurveyFiles:
    """Where a drawn survey lies.

    Attributes
    ----------
    manifest
        CSV with `MANIFEST_COLUMNS`; files are relative to its folder, and a ``#``
        hides a column from volunteers.
    truth
        Parquet: ``external_id`` and every field of `GalaxyTruth`.
    images
        Folder of the images.
    """

    manifest: Path
    truth: Path
    images: Path


def draw_survey(
    directory: str | Path,
    n: int,
    seed: int,
    *,
    size: int = 128,
    on_progress: OnProgress | None = None,
) -> SurveyFiles:
    """Draw a survey of n galaxies, or go on with one that was interrupted.

    Galaxy i depends on (seed, i) alone. Images that are already there are kept, so
    that a second call does little and a larger n draws only what is new. Files
    appear whole or not at all; memory use does not grow with n.

    Parameters
    ----------
    directory
        Made where missing.
    n
        Number of galaxies, at least 1.
    seed
        Whole number from 0.
    size
        Side of the images, pixels.
    on_progress
        Called with the stage ``draw``, the fraction done and a message.

    Raises
    ------
    InvalidInputError
        When a number is out of bounds, or the directory holds a survey of another
        seed or size.
    OSError
        When a file cannot be written.
    """
    _check(n, seed, size)
    root = Path(directory)
    files = SurveyFiles(root / "manifest.csv", root / "truth.parquet", root / "images")
    files.images.mkdir(parents=True, exist_ok=True)
    _claim(root / "survey.json", {"seed": seed, "size": size})
    for index in range(n):
        _draw_image(root, draw_truth(seed, index), size)
        if on_progress is not None:
            on_progress("draw", (index + 1) / n, f"{index + 1} of {n} galaxies drawn")
    _write_manifest(files.manifest, n, seed)
    _write_truth(files.truth, n, seed)
    return files


def read_truths(path: str | Path) -> Iterator[tuple[str, GalaxyTruth]]:
    """Yield the id and the truth of each galaxy of a survey, in order.

    Parameters
    ----------
    path
        The ``truth`` of a `SurveyFiles`; read in pieces.

    Raises
    ------
    CatalogueError
        When the file is missing, or is not such a table.
    """
    try:
        parquet = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise CatalogueError(f"path must be a truth table, is {path}: {error}") from error
    with parquet:
        if not parquet.schema_arrow.equals(_TRUTH_SCHEMA):
            raise CatalogueError(f"path must have the columns of GalaxyTruth, is {path}")
        for batch in parquet.iter_batches(_CHUNK):
            for row in batch.to_pylist():
                yield row.pop("external_id"), GalaxyTruth(**row)


def external_id(seed: int, index: int) -> str:
    """Name a drawn galaxy; the name tells nothing of what it is."""
    return f"drawn-{seed}-{index:07d}"


def _check(n: int, seed: int, size: int) -> None:
    if n < 1:
        raise InvalidInputError(f"n must be at least 1, is {n}")
    if seed < 0:
        raise InvalidInputError(f"seed must be at least 0, is {seed}")
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise InvalidInputError(f"size must be from {MIN_SIZE} to {MAX_SIZE}, is {size}")


def _claim(path: Path, settings: dict[str, int]) -> None:
    """Note what the directory holds, or refuse one that holds something else."""
    text = json.dumps(settings)
    if not path.exists():
        _write_whole(path, text.encode())
    elif path.read_text(encoding="utf-8") != text:
        raise InvalidInputError(
            f"directory must be empty or hold the survey {text}, holds {path.read_text()}"
        )


def _draw_image(root: Path, truth: GalaxyTruth, size: int) -> None:
    path = root / _image_name(truth.seed, truth.index)
    if path.exists():
        return
    buffer = io.BytesIO()
    Image.fromarray(render(truth, size)).save(buffer, "JPEG", quality=JPEG_QUALITY)
    _write_whole(path, buffer.getvalue())


def _image_name(seed: int, index: int) -> str:
    return f"images/{external_id(seed, index)}.jpg"


def _write_whole(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content)
    partial.replace(path)


def _write_manifest(path: Path, n: int, seed: int) -> None:
    partial = path.with_name(path.name + ".part")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(MANIFEST_COLUMNS)
        for index in range(n):
            writer.writerow(_manifest_row(draw_truth(seed, index)))
    partial.replace(path)


def _manifest_row(truth: GalaxyTruth) -> tuple[str, ...]:
    return (
        external_id(truth.seed, truth.index),
        _image_name(truth.seed, truth.index),
        f"{truth.ra:.6f}",
        f"{truth.dec:.6f}",
        f"{truth.magnitude:.3f}",
        f"{truth.redshift:.5f}",
        f"{truth.radius:.2f}",
        f"{truth.seeing:.2f}",
        f"{truth.field_of_view:.1f}",
    )


def _write_truth(path: Path, n: int, seed: int) -> None:
    partial = path.with_name(path.name + ".part")
    with pq.ParquetWriter(partial, _TRUTH_SCHEMA) as writer:
        for start in range(0, n, _CHUNK):
            rows = [_truth_row(draw_truth(seed, i)) for i in range(start, min(n, start + _CHUNK))]
            writer.write_table(pa.Table.from_pylist(rows, schema=_TRUTH_SCHEMA))
    partial.replace(path)


def _truth_row(truth: GalaxyTruth) -> dict[str, Any]:
    return {"external_id": external_id(truth.seed, truth.index), **asdict(truth)}
