"""Parquet files of a stage that is resumed: damage anywhere in them is seen when they are read.

Parquet's footer alone says nothing of the pages before it, so each page has a checksum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mlcore.errors import ArtefactError, UnreadableError
from mlcore.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_KEY: Final = b"lenticular_source"


def write_checked(table: pa.Table, path: Path, *, source: str = "") -> None:
    """Write a table in one step, with a checksum for each page; `source` names its origin."""
    table = table.replace_schema_metadata({_KEY: source.encode()})
    with replacing(path) as partial:
        pq.write_table(table, partial, write_page_checksum=True)


def read_checked(path: Path, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the table, or some of its columns.

    Raises
    ------
    UnreadableError
        When the file is missing or cannot be read.
    ArtefactError
        When it is damaged, or has no such column.
    """
    wanted = list(columns) if columns is not None else None
    try:
        return pq.read_table(path, columns=wanted, page_checksum_verification=True)
    except (OSError, pa.ArrowInvalid) as error:
        kind = ArtefactError if _tells_of_damage(error) else UnreadableError
        raise kind(f"{path.name} must be a Parquet file, is not: {error}") from error


def _tells_of_damage(error: Exception) -> bool:
    # Arrow's own error of a broken page is an OSError, and has no number.
    is_arrows = type(error) is OSError and error.errno is None
    return isinstance(error, pa.ArrowInvalid) or is_arrows


def is_whole(path: Path, *, source: str, length: int) -> bool:
    """Whether the table of `length` rows that was written of `source` is there, page by page."""
    try:
        table = read_checked(path)
    except ArtefactError:
        return False
    written = (table.schema.metadata or {}).get(_KEY)
    return bool(written == source.encode() and table.num_rows == length)
