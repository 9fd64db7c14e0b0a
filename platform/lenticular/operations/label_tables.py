"""Tables of labels and of predictions, as ``check_labels`` takes them.

CSV, Parquet or FITS. Predictions may be a release's catalogue, whose plain columns are counts of
votes and whose ``…_predicted`` are the model's; or a shard of a round's predictions, with
``…_concentration``; or any table with a column of fractions for each answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from astropy.table import Table

from mlcore.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.tree import DecisionTree

IDS = ("id", "id_str")
"""How the column of ids may be called."""
CONCENTRATION = "_concentration"
ENDINGS = ("_predicted", CONCENTRATION, "")
"""How the columns of predictions may end: the first that the table has."""
OFF_BY = 0.05
"""How far from 1 the fractions of a galaxy may add up to: they may have been rounded."""


@dataclass(frozen=True)
class LabelTable:
    """Some columns of a table.

    Attributes
    ----------
    name
        The file's name, for people.
    columns
        The columns that were asked for: text, or what the file has.
    """

    name: str
    columns: pd.DataFrame

    @classmethod
    def read(cls, path: Path, wanted: Sequence[str]) -> Self:
        """Read ids and the columns `wanted`.

        Raises
        ------
        InvalidInputError
            For a file that is no table, or lacks a column.
        """
        names = column_names(path)
        own_id = next((name for name in IDS if name in names), IDS[0])
        absent = [name for name in (own_id, *wanted) if name not in names]
        if absent:
            raise InvalidInputError(f"{path.name} must have the column {absent[0]!r}, has not")
        try:
            found = _READERS.get(_kind(path), _csv)(path, [own_id, *wanted])
        except ValueError as error:
            raise _no_table(path, error) from error
        return cls(path.name, found.rename(columns={own_id: IDS[0]}))

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def ids(self) -> list[str]:
        """The n ids."""
        return self.texts(IDS[0])

    def texts(self, column: str) -> list[str]:
        """Return a column's n values as text, empty where they are blank."""
        found = self.columns[column].astype(object)
        return found.where(found.notna(), "").map(str).tolist()

    def numbers(self, columns: Sequence[str]) -> NDArray[np.float64]:
        """Return columns (n, c), NaN where they are blank.

        Raises
        ------
        InvalidInputError
            For a value that is no number.
        """
        try:
            found = [pd.to_numeric(self.columns[name].replace("", np.nan)) for name in columns]
        except (ValueError, TypeError) as error:
            raise InvalidInputError(
                f"the columns {', '.join(columns)} of {self.name} must hold numbers: {error}"
            ) from error
        return np.column_stack(found).astype(np.float64)

    def where(self, rows: NDArray[np.bool_]) -> LabelTable:
        """Return the table with some of its n rows."""
        return LabelTable(self.name, self.columns[rows])


def read_predictions(
    path: Path, tree: DecisionTree, wanted: Sequence[str]
) -> tuple[LabelTable, NDArray[np.float64]]:
    """Return the galaxies that have predictions, and their fractions (m, A).

    Of questions other than the first nothing is asked: their fractions are NaN.

    Parameters
    ----------
    path
        See the module.
    tree
        Names the answers.
    wanted
        Columns needed besides.

    Raises
    ------
    InvalidInputError
        For a table without predictions, or with values that are none: counts of votes above all.
    """
    answers = tree.label_cols[tree.question_slices[tree.start]]
    ending = _ending(path, answers)
    names = [f"{answer}{ending}" for answer in answers]
    table = LabelTable.read(path, [*names, *wanted])
    values = table.numbers(names)
    told = np.asarray(~np.isnan(values).all(axis=1))
    if not told.any():
        raise InvalidInputError(f"{path.name} must have predictions in {names[0]}, all are blank")
    table, values = table.where(told), values[told]
    if ending == CONCENTRATION:
        values = _fractions_of(table, names, values)
    _require_fractions(table, names, values)
    found = np.full((len(table), len(tree.label_cols)), np.nan)
    found[:, tree.question_slices[tree.start]] = values
    return table, found


def _ending(path: Path, answers: Sequence[str]) -> str:
    names = set(column_names(path))
    for ending in ENDINGS:
        if names.issuperset(f"{answer}{ending}" for answer in answers):
            return ending
    raise InvalidInputError(
        f"{path.name} must have a column for each answer to the first question "
        f"({', '.join(answers)}, or these with _predicted), has not"
    )


def _fractions_of(
    table: LabelTable, names: list[str], concentrations: NDArray[np.float64]
) -> NDArray[np.float64]:
    bad = np.flatnonzero(~((concentrations > 0) & np.isfinite(concentrations)).all(axis=1))
    if len(bad):
        raise InvalidInputError(
            f"concentrations in {table.name} must be finite and above 0, those of "
            f"{table.ids[bad[0]]} are {_said(names, concentrations[bad[0]])}"
        )
    shares: NDArray[np.float64] = concentrations / concentrations.sum(axis=1, keepdims=True)
    return shares


def _require_fractions(table: LabelTable, names: list[str], values: NDArray[np.float64]) -> None:
    inside = ((values >= 0) & (values <= 1)).all(axis=1)
    bad = np.flatnonzero(~(inside & (np.abs(values.sum(axis=1) - 1) <= OFF_BY)))
    if len(bad):
        raise InvalidInputError(
            f"predictions in {table.name} must be fractions from 0 to 1 that add up to 1, those of "
            f"{table.ids[bad[0]]} are {_said(names, values[bad[0]])}; counts of votes are none"
        )


def _said(names: list[str], values: NDArray[np.float64]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in zip(names, values, strict=True))


def column_names(path: Path) -> list[str]:
    """Return the names of a table's columns; raises InvalidInputError where it is none."""
    if _kind(path) == "FITS":
        return list(_fits_table(path).colnames)
    try:
        if _kind(path) == "Parquet":
            return list(pq.read_schema(path).names)
        return [str(name) for name in pd.read_csv(path, nrows=0).columns]
    except ValueError as error:
        raise _no_table(path, error) from error


def _kind(path: Path) -> str:
    return {".parquet": "Parquet", ".fits": "FITS"}.get(path.suffix.lower(), "CSV")


def _csv(path: Path, columns: list[str]) -> pd.DataFrame:
    return pd.read_csv(path, usecols=columns, dtype=str, keep_default_na=False)


def _parquet(path: Path, columns: list[str]) -> pd.DataFrame:
    # Ids are whole numbers of 18 digits: as floats, which blanks would make them, they lose some.
    table = pq.read_table(path, columns=columns)
    found: pd.DataFrame = table.to_pandas(integer_object_nulls=True)
    return found


def _fits(path: Path, columns: list[str]) -> pd.DataFrame:
    table = _fits_table(path)[columns]
    table.convert_bytestring_to_unicode()
    found: pd.DataFrame = table.to_pandas()
    return found


def _fits_table(path: Path) -> Any:
    try:
        return Table.read(path, format="fits")
    except OSError as error:
        if not path.is_file():
            raise
        raise _no_table(path, error) from error


def _no_table(path: Path, error: Exception) -> InvalidInputError:
    return InvalidInputError(f"{path.name} must be a {_kind(path)} table, is not: {error}")


_READERS = {"Parquet": _parquet, "FITS": _fits}
