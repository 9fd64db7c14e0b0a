"""Manifests: folders and tables that name images, read row by row.

Columns, as Panoptes has them: ``external_id`` (or ``id``, ``objid``, ``id_str``, else the
first column), ``location:1`` (or ``file``, ``file_loc``, ``image``), ``ra`` and ``dec`` in
degrees, and ``metadata:<key>``, which volunteers see. Further renderings of a galaxy stand
in ``location:2`` and so on, or in ``image:<name>``, which names them. A ``#`` or ``!``
before a column's name or its key hides it from volunteers, and so does the lack of
``metadata:``: a column may hold the answer.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import Table

from lenticular.common.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ID_COLUMNS = ("external_id", "id", "objid", "id_str")
IMAGE_COLUMNS = ("location:1", "file", "file_loc", "image")
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif"})
VOTABLE_SUFFIXES = frozenset({".vot", ".votable", ".xml"})
METADATA = "metadata:"
NAMED_IMAGE = "image:"
NUMBERED_IMAGE = re.compile(r"location:([1-9]\d?)")
RENDERING = re.compile(r"[-\w]{1,40}", re.ASCII)
FIRST = "main"
HIDING = "#!"
CHUNK = 1000


class ManifestError(InvalidInputError):
    """A manifest cannot be read at all."""

    kind = "bad-manifest"


@dataclass(frozen=True)
class ManifestRow:
    """One row as it stands, nothing checked.

    Attributes
    ----------
    number
        Counted from 1, without the header.
    external_id, file
        Stripped; blank where the row has none.
    ra, dec
        As written; blank where the row has none.
    rendering
        The name of the first image.
    renderings
        Name to file of the others, in the table's order; those that the row lacks left out.
    """

    number: int
    external_id: str
    file: str
    ra: str = ""
    dec: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    hidden_metadata: Mapping[str, Any] = field(default_factory=dict)
    rendering: str = FIRST
    renderings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """A source of rows.

    Attributes
    ----------
    folder
        Where the images lie; none outside it is read.
    rows
        Starts a new pass over the rows, streamed.
    length
        The number of rows, for progress bars; approximate for CSV.
    """

    folder: Path
    rows: Callable[[], Iterator[ManifestRow]]
    length: int


def open_manifest(source: Path, *, folder: Path | None = None) -> Manifest:
    """Open a folder of images, or a CSV, Parquet, FITS or VOTable table.

    Parameters
    ----------
    source
        A folder's images are named by their file names without suffix.
    folder
        Where the table's images lie; by default where the table does.

    Raises
    ------
    ManifestError
        For a source that is not there, of another kind, or whose table has no column of
        images, or one with a bad name. A table damaged further on raises it when that row
        is reached.
    """
    if source.is_dir():
        return _folder(source)
    if not source.is_file():
        raise ManifestError(f"source must be a folder or a table, there is no {source}")
    images = folder or source.parent
    if not images.is_dir():
        raise ManifestError(f"folder must be a folder, {images} is not")
    readers = {".csv": _csv, ".parquet": _parquet}
    return readers.get(source.suffix.lower(), _astropy)(source, images)


def _folder(folder: Path) -> Manifest:
    names = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)

    def rows() -> Iterator[ManifestRow]:
        for number, name in enumerate(names, start=1):
            yield ManifestRow(number, Path(name).stem, name)

    return Manifest(folder, rows, len(names))


def _csv(source: Path, folder: Path) -> Manifest:
    def records() -> Iterator[Mapping[str, Any]]:
        with source.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file)

    def rows() -> Iterator[ManifestRow]:
        try:
            yield from _named(source, columns, records())
        except (csv.Error, UnicodeDecodeError) as error:
            raise ManifestError(f"{source.name} must be CSV in UTF-8: {error}") from error

    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            columns = next(csv.reader(file), [])
    except (csv.Error, UnicodeDecodeError) as error:
        raise ManifestError(f"{source.name} must be CSV in UTF-8: {error}") from error
    _image_columns(source, columns)
    return Manifest(folder, rows, max(0, _count_lines(source) - 1))


def _count_lines(source: Path) -> int:
    with source.open("rb") as file:
        return sum(1 for _ in file)


def _parquet(source: Path, folder: Path) -> Manifest:
    try:
        with pq.ParquetFile(source) as table:
            columns, length = table.schema_arrow.names, table.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(f"{source.name} must be Parquet: {error}") from error

    def records() -> Iterator[Mapping[str, Any]]:
        with pq.ParquetFile(source) as table:
            for batch in table.iter_batches(batch_size=CHUNK):
                yield from batch.to_pylist()

    _image_columns(source, columns)
    return Manifest(folder, lambda: _named(source, columns, records()), length)


def _astropy(source: Path, folder: Path) -> Manifest:
    """Read FITS, VOTable or ECSV; astropy holds the table in memory."""
    # A VOTable's ids can not hold the colon of "metadata:".
    is_votable = source.suffix.lower() in VOTABLE_SUFFIXES
    options = {"use_names_over_ids": True} if is_votable else {}
    try:
        table = Table.read(source, **options)
    except Exception as error:  # astropy's readers raise whatever their parsers do
        kinds = "CSV, Parquet, FITS or VOTable"
        raise ManifestError(f"{source.name} must be {kinds}: {error}") from error

    def records() -> Iterator[Mapping[str, Any]]:
        for row in table:
            yield {name: _plain(row[name]) for name in table.colnames}

    _image_columns(source, table.colnames)
    return Manifest(folder, lambda: _named(source, table.colnames, records()), len(table))


def _plain(value: Any) -> Any:
    """Return a table cell as a Python value; masked cells are None."""
    if np.ma.is_masked(value):
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _image_columns(source: Path, columns: Sequence[str]) -> dict[str, str]:
    """Return rendering to column, the first image's first."""
    found = {name: column for column in columns if (name := _rendering(source, column))}
    first = next((name for name in IMAGE_COLUMNS if name in columns), None)
    images = {FIRST: first, **found} if first else found
    if not images:
        wanted = ", ".join((*IMAGE_COLUMNS, f"{NAMED_IMAGE}NAME"))
        raise ManifestError(
            f"{source.name} must have a column of images ({wanted}), has {[*columns]}"
        )
    return images


def _rendering(source: Path, column: str) -> str:
    """Return the name of the rendering that a column holds; empty for one of another kind."""
    if numbered := NUMBERED_IMAGE.fullmatch(column):
        return "" if numbered[1] == "1" else numbered[1]
    if not column.startswith(NAMED_IMAGE):
        return ""
    name = column.removeprefix(NAMED_IMAGE)
    if not RENDERING.fullmatch(name):
        rule = f"{source.name}: the name of a rendering must be 1 to 40 letters, digits, - or _"
        raise ManifestError(f"{rule}, is {name!r}")
    return name


def _named(
    source: Path, columns: Sequence[str], records: Iterator[Mapping[str, Any]]
) -> Iterator[ManifestRow]:
    images = _image_columns(source, columns)
    (rendering, image), *others = images.items()
    identifier = next((name for name in ID_COLUMNS if name in columns), columns[0])
    fixed = {*images.values(), identifier, "ra", "dec"}
    shown, hidden = _metadata_columns([name for name in columns if name not in fixed])
    for number, record in enumerate(records, start=1):
        yield ManifestRow(
            number,
            _text(record.get(identifier)),
            _text(record.get(image)),
            _text(record.get("ra")),
            _text(record.get("dec")),
            _cells(record, shown),
            _cells(record, hidden),
            rendering,
            {name: file for name, column in others if (file := _text(record.get(column)))},
        )


def _metadata_columns(names: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return column to key, of what volunteers see and of what they never do."""
    shown: dict[str, str] = {}
    hidden: dict[str, str] = {}
    for name in names:
        bare = name.lstrip(HIDING)
        key = bare.removeprefix(METADATA)
        is_shown = name.startswith(METADATA) and not key.startswith(tuple(HIDING))
        (shown if is_shown else hidden)[name] = key.lstrip(HIDING)
    return shown, hidden


def _cells(record: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Return the cells that are not blank, as JSON values; NUL characters are dropped."""
    cells = {key: _json_value(record.get(name)) for name, key in columns.items() if key}
    return {key: value for key, value in cells.items() if value not in (None, "")}


def _json_value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return str(value).replace("\x00", "").strip()


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
