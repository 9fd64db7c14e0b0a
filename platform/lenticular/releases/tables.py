"""Writers of the catalogue: chunk by chunk, so that memory does not grow with it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol, Self

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

CSV_NAME = "catalogue.csv"
PARQUET_NAME = "catalogue.parquet"
BLOCK = 1 << 20
ROW_GROUP = 1 << 16
"""Rows per row group of the Parquet file: fewer would swell its footer, more the memory."""


class TableWriter(Protocol):
    """What pyarrow's writers have in common."""

    def write_table(self, table: pa.Table) -> None:
        """Append the rows of `table`."""

    def close(self) -> None:
        """Finish the file."""


class CatalogueWriter:
    """Writes each table into both forms of the catalogue.

    Strings are quoted in CSV, numbers are not; a null is blank, and a boolean 0 or 1,
    which every reader of tables takes for a number.

    Parameters
    ----------
    folder
        Gets `CSV_NAME` and `PARQUET_NAME`.
    schema
        Of every table that will be written.
    """

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._csv_schema = pa.schema([_csv_field(field) for field in schema])
        self._csv = pc.CSVWriter(folder / CSV_NAME, self._csv_schema)
        self._parquet = pq.ParquetWriter(folder / PARQUET_NAME, schema, compression="zstd")
        self._waiting: list[pa.Table] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._write_row_group()
        writers: tuple[TableWriter, ...] = (self._csv, self._parquet)
        for writer in writers:
            writer.close()

    def write(self, table: pa.Table) -> None:
        """Append the rows of `table`, whose columns are those of the schema, in order."""
        self._csv.write_table(table.cast(self._csv_schema))
        self._waiting.append(table.cast(self._schema))
        if sum(len(each) for each in self._waiting) >= ROW_GROUP:
            self._write_row_group()

    def _write_row_group(self) -> None:
        if self._waiting:
            self._parquet.write_table(pa.concat_tables(self._waiting))
        self._waiting.clear()


def _csv_field(field: pa.Field) -> pa.Field:
    return field.with_type(pa.int8()) if pa.types.is_boolean(field.type) else field


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, read block by block."""
    found = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(BLOCK):
            found.update(block)
    return found.hexdigest()
