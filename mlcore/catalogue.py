"""Training catalogues: who was asked, where the image lies, and how the votes fell.

The columns are Zoobot's: ``id_str``, ``file_loc`` and one count per label column, zeros
never blank (Walmsley et al. 2023, JOSS 8, 5312). A catalogue of 10^6 galaxies and 34
columns takes about 0.3 GB in memory; files are written and read a batch at a time.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlcore.errors import CatalogueError, InvalidInputError
from mlcore.files import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from mlcore.tree import DecisionTree

_BATCH = 10_000


@dataclass(frozen=True, eq=False)
class TrainingCatalogue:
    """n galaxies with their vote counts; immutable and checked.

    Parameters
    ----------
    id_str
        Name of each galaxy, n of them, each once and not blank.
    file_loc
        Path of each galaxy's image, n of them, not blank. Relative paths keep the
        checksum the same on another machine.
    counts
        Votes, shape (n, A): whole, finite, at least 0. Kept as read-only int64.
    label_cols
        The A label columns, as ``DecisionTree.label_cols`` has them.

    Raises
    ------
    CatalogueError
        Where a rule above is broken; the message names the galaxy and the column. No
        galaxies at all (n = 0) are allowed.
    """

    id_str: tuple[str, ...]
    file_loc: tuple[str, ...]
    counts: NDArray[np.int64]
    label_cols: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("id_str", "file_loc", "label_cols"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(self.file_loc) != len(self.id_str):
            raise CatalogueError(f"file_loc must have {len(self)} rows, has {len(self.file_loc)}")
        _check_words(self.id_str, "id_str")
        _check_words(self.file_loc, "file_loc")
        _check_once(self.id_str, "id_str")
        _check_once(self.label_cols, "label_cols")
        object.__setattr__(self, "counts", _whole_counts(self))

    def __len__(self) -> int:
        return len(self.id_str)

    @cached_property
    def checksum(self) -> str:
        """sha256 of the columns and of the rows in the order of their ids, in hexadecimal.

        The order of the rows and the file format do not change it; any other change does.
        """
        digest = hashlib.sha256(_canonical(("id_str", "file_loc", *self.label_cols)))
        for row in sorted(range(len(self)), key=self.id_str.__getitem__):
            votes = map(str, self.counts[row].tolist())
            digest.update(_canonical((self.id_str[row], self.file_loc[row], *votes)))
        return digest.hexdigest()

    def take(self, rows: ArrayLike) -> TrainingCatalogue:
        """Return the catalogue of `rows`: indices, or a mask of shape (n,); none are allowed."""
        wanted = np.asarray(rows)
        chosen = np.arange(len(self))[wanted if wanted.size else []]
        return TrainingCatalogue(
            id_str=tuple(self.id_str[row] for row in chosen),
            file_loc=tuple(self.file_loc[row] for row in chosen),
            counts=self.counts[chosen],
            label_cols=self.label_cols,
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the catalogue as the data frame that Zoobot reads."""
        frame: pd.DataFrame = self._table(0, len(self)).to_pandas()
        return frame

    def write_csv(self, path: str | Path) -> None:
        """Write Zoobot's CSV in UTF-8; the file is whole or, after a kill, absent."""
        with (
            replacing(Path(path)) as partial,
            partial.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("id_str", "file_loc", *self.label_cols))
            for row, (name, place) in enumerate(zip(self.id_str, self.file_loc, strict=True)):
                writer.writerow((name, place, *self.counts[row].tolist()))

    def write_parquet(self, path: str | Path) -> None:
        """Write Parquet with the same columns; the file is whole or, after a kill, absent."""
        schema = self._table(0, 0).schema
        with replacing(Path(path)) as partial, pq.ParquetWriter(partial, schema) as writer:
            for start in range(0, len(self), _BATCH):
                writer.write_table(self._table(start, start + _BATCH))

    def _table(self, start: int, stop: int) -> pa.Table:
        columns: dict[str, Any] = {
            "id_str": pa.array(self.id_str[start:stop], pa.string()),
            "file_loc": pa.array(self.file_loc[start:stop], pa.string()),
        }
        for place, column in enumerate(self.label_cols):
            columns[column] = pa.array(self.counts[start:stop, place], pa.int64())
        return pa.table(columns)

    @classmethod
    def read(cls, path: str | Path, tree: DecisionTree) -> TrainingCatalogue:
        """Read a ``.csv`` or ``.parquet`` file; see `read_csv`.

        Raises
        ------
        CatalogueError
            As `read_csv`, and for another ending.
        """
        readers: dict[str, Callable[[str | Path, DecisionTree], TrainingCatalogue]] = {
            ".csv": cls.read_csv,
            ".parquet": cls.read_parquet,
        }
        suffix = Path(path).suffix.lower()
        if suffix not in readers:
            raise CatalogueError(f"path must end in .csv or .parquet, is {str(path)!r}")
        return readers[suffix](path, tree)

    @classmethod
    def read_csv(cls, path: str | Path, tree: DecisionTree) -> TrainingCatalogue:
        """Read Zoobot's CSV; columns in any order, further ones ignored.

        Parameters
        ----------
        path
            The file. Counts such as ``3.0`` are read as whole.
        tree
            The tree whose label columns are wanted.

        Raises
        ------
        CatalogueError
            For a missing column, a blank, negative or broken count, a blank or repeated
            id, or a row of another length.
        OSError
            Where the file cannot be read.
        """
        with Path(path).open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            places = _places(header, tree, path)
            batches = [_csv_batch(batch, places, len(header)) for batch in _batches(rows)]
        return cls._joined(batches, tree)

    @classmethod
    def read_parquet(cls, path: str | Path, tree: DecisionTree) -> TrainingCatalogue:
        """Read Parquet with Zoobot's columns; the rules are those of `read_csv`."""
        try:
            file = pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise CatalogueError(f"{path} must be a Parquet file: {error}") from error
        with file:
            _places(file.schema_arrow.names, tree, path)
            columns = ["id_str", "file_loc", *tree.label_cols]
            batches = [
                _parquet_batch(batch, tree)
                for batch in file.iter_batches(batch_size=_BATCH, columns=columns)
            ]
        return cls._joined(batches, tree)

    @classmethod
    def _joined(cls, batches: Sequence[_Batch], tree: DecisionTree) -> TrainingCatalogue:
        empty = np.empty((0, len(tree.label_cols)))
        return cls(
            id_str=tuple(itertools.chain.from_iterable(names for names, _, _ in batches)),
            file_loc=tuple(itertools.chain.from_iterable(places for _, places, _ in batches)),
            counts=np.concatenate([empty, *(votes for _, _, votes in batches)]),
            label_cols=tuple(tree.label_cols),
        )


# Ids, paths and float counts of some rows; floats until the catalogue has checked them.
_Batch = tuple["list[str]", "list[str]", "NDArray[Any]"]


def _canonical(cells: Sequence[str]) -> bytes:
    # Lengths first, so that no choice of ids and paths can pass for another.
    return "".join(f"{len(cell)}:{cell}," for cell in cells).encode() + b"\n"


def _check_words(words: Sequence[str], name: str) -> None:
    for row, word in enumerate(words):
        if not isinstance(word, str) or not word.strip():
            raise CatalogueError(f"{name} of row {row} must be words, is {word!r}")


def _check_once(names: Sequence[str], name: str) -> None:
    for value, times in Counter(names).items():
        if times > 1:
            raise CatalogueError(f"{name} {value!r} must be there once, is there {times} times")


def _whole_counts(catalogue: TrainingCatalogue) -> NDArray[np.int64]:
    given = np.asarray(catalogue.counts)
    shape = (len(catalogue), len(catalogue.label_cols))
    if given.shape != shape:
        raise CatalogueError(f"counts must have the shape {shape}, has {given.shape}")
    if given.size and not np.issubdtype(given.dtype, np.number):
        raise CatalogueError(f"counts must be numbers, is of type {given.dtype}")
    bad = ~np.isfinite(given) | (given < 0) | (given != np.floor(given))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise CatalogueError(
            f"{catalogue.label_cols[column]} of {catalogue.id_str[row]!r} must be a whole number, "
            f"at least 0, is {given[row, column]}"
        )
    counts = np.array(given, dtype=np.int64)
    counts.setflags(write=False)
    return counts


def _places(header: Sequence[str], tree: DecisionTree, path: str | Path) -> list[int]:
    wanted = ["id_str", "file_loc", *tree.label_cols]
    for column in wanted:
        if header.count(column) != 1:
            raise CatalogueError(
                f"{path} must have the column {column!r} once, has it {header.count(column)} times"
            )
    return [header.index(column) for column in wanted]


def _batches(rows: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    while batch := list(itertools.islice(rows, _BATCH)):
        yield batch


def _csv_batch(rows: Sequence[Sequence[str]], places: Sequence[int], width: int) -> _Batch:
    for row in rows:
        if len(row) != width:
            raise CatalogueError(f"row {row[:1]} must have {width} cells, has {len(row)}")
    chosen = [[row[place] for place in places] for row in rows]
    votes = np.array([[_number(cell, row[0]) for cell in row[2:]] for row in chosen])
    return [row[0] for row in chosen], [row[1] for row in chosen], votes


def _number(cell: str, name: str) -> float:
    try:
        return float(cell)
    except ValueError as error:
        raise CatalogueError(f"votes of {name!r} must be numbers, is {cell!r}") from error


def _parquet_batch(batch: pa.RecordBatch, tree: DecisionTree) -> _Batch:
    names, places = (batch.column(key).to_pylist() for key in ("id_str", "file_loc"))
    columns = [batch.column(key).to_numpy(zero_copy_only=False) for key in tree.label_cols]
    return names, places, np.stack(columns, axis=1)


def hash_split(ids: Sequence[str], shares: Mapping[str, float], salt: str) -> NDArray[np.str_]:
    """Deal galaxies to named parts by sha256 of the salt and the id; shape (n,).

    A galaxy's part depends on nothing but its id, the salt and the shares: not on the
    order, nor on which others are there. No ids give an empty array.

    Parameters
    ----------
    ids
        Names of n galaxies.
    shares
        Name of each part to its share, in order; at least 0, and 1 in sum.
    salt
        Another salt gives an independent split.

    Raises
    ------
    InvalidInputError
        For shares that are negative or do not sum to 1.
    """
    if not shares or not all(share >= 0 for share in shares.values()):
        raise InvalidInputError(f"shares must be at least 0, is {dict(shares)}")
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise InvalidInputError(f"shares must sum to 1, sums to {sum(shares.values())}")
    names = np.array(list(shares))
    edges = np.cumsum(list(shares.values()))[:-1]
    draws = np.array([_unit_hash(f"{salt}\n{name}") for name in ids], dtype=np.float64)
    return np.asarray(names[np.searchsorted(edges, draws, side="right")])


def _unit_hash(text: str) -> float:
    """Return a number in [0, 1) that depends on nothing but `text`."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48
