"""Imports of manifests: streamed, resumable, safe to run again; good rows are kept."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from lenticular.common.chunks import in_chunks
from lenticular.common.errors import InvalidInputError
from lenticular.subjects.manifests import Manifest, ManifestRow, open_manifest
from lenticular.subjects.models import ImportReject, ImportRun, SubjectSet
from lenticular.subjects.pictures import read_picture
from lenticular.subjects.positions import check_position
from lenticular.subjects.services import (
    NewSubject,
    check_external_id,
    join_set,
    store_subjects,
    subject_ids,
)
from mlcore.errors import ImageError

if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 64

OnRows = Callable[[int], object]


class RejectedRowError(InvalidInputError):
    """A row cannot be used.

    Parameters
    ----------
    code
        Short name of the reason, as in `ImportReject`.
    message
        What a person needs to mend the row.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def import_manifest(
    *,
    source: Path,
    subject_set: SubjectSet,
    folder: Path | None = None,
    on_rows: OnRows | None = None,
) -> ImportRun:
    """Import a folder or a table of images; run it again to resume, nothing is added twice.

    Each chunk of rows is stored with its rejects in one transaction, so that a kill loses
    the chunk at hand and no more. Images of subjects that are there are not decoded again.

    Parameters
    ----------
    source, folder
        As in `open_manifest`.
    subject_set
        What the subjects join; their ids are unique in its survey.
    on_rows
        Called with the number of rows done since the last call.

    Returns
    -------
    ImportRun
        With the counts and, as ``rejects``, every row that was not usable and why.

    Raises
    ------
    ManifestError
        Where the manifest cannot be read; rows before the damage stay.
    """
    manifest = open_manifest(source, folder=folder)
    run = ImportRun.objects.create(subject_set=subject_set, source=str(source)[-400:])
    with closing(_SeenIds()) as seen, ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = manifest.rows()
        for chunk in in_chunks(rows, CHUNK):
            _import_chunk(run, manifest, chunk, seen, pool)
            if on_rows:
                on_rows(len(chunk))
    ImportRun.objects.filter(pk=run.pk).update(finished_at=timezone.now())
    run.refresh_from_db()
    return run


class _SeenIds:
    """The ids of this manifest, on disk: a set of a hundred million does not fit in memory."""

    def __init__(self) -> None:
        # An empty name makes a temporary file that SQLite itself removes.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY) WITHOUT ROWID")

    def add(self, external_id: str) -> bool:
        """Remember an id; tell whether it is new."""
        added = self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (external_id,))
        return added.rowcount == 1

    def close(self) -> None:
        """Drop what was remembered."""
        self._database.close()


def _import_chunk(
    run: ImportRun,
    manifest: Manifest,
    chunk: list[ManifestRow],
    seen: _SeenIds,
    pool: ThreadPoolExecutor,
) -> None:
    rejects: list[ImportReject] = []
    usable = list(_checked(run, manifest, chunk, seen, rejects))
    survey = run.subject_set.survey
    existing = subject_ids(survey=survey, external_ids=[row.external_id for row, _ in usable])
    waiting = [pair for pair in usable if pair[0].external_id not in existing]
    new = []
    for (row, _), made in zip(waiting, pool.map(_decoded, waiting), strict=True):
        if isinstance(made, NewSubject):
            new.append(made)
        else:
            rejects.append(_reject(run, row, made))
    with transaction.atomic():
        store_subjects(survey=survey, subjects=new, subject_sets=[run.subject_set])
        join_set(subject_set=run.subject_set, subject_ids=existing.values())
        ImportReject.objects.bulk_create(sorted(rejects, key=lambda reject: reject.row))
        ImportRun.objects.filter(pk=run.pk).update(
            added=F("added") + len(new),
            already_there=F("already_there") + len(existing),
            rejected=F("rejected") + len(rejects),
        )


def _checked(
    run: ImportRun,
    manifest: Manifest,
    chunk: list[ManifestRow],
    seen: _SeenIds,
    rejects: list[ImportReject],
) -> Iterator[tuple[ManifestRow, dict[str, Path]]]:
    """Yield the rows whose cells are right, each with its images' paths; note the others."""
    for row in chunk:
        try:
            check_external_id(row.external_id)
            _position(row)
            paths = _paths(manifest.folder, row)
            if not seen.add(row.external_id):
                raise RejectedRowError(
                    "duplicate-id", f"id must be unique in the manifest, {row.external_id} is not"
                )
        except InvalidInputError as error:
            rejects.append(_reject(run, row, error))
        else:
            yield row, paths


def _position(row: ManifestRow) -> tuple[float | None, float | None]:
    try:
        ra, dec = (float(text) if text else None for text in (row.ra, row.dec))
    except ValueError as error:
        message = f"ra and dec must be numbers, are {row.ra!r} and {row.dec!r}"
        raise RejectedRowError("bad-coordinates", message) from error
    check_position(ra, dec)
    return ra, dec


def _paths(folder: Path, row: ManifestRow) -> dict[str, Path]:
    """Return rendering to path of the row's images, the first one first."""
    files = {row.rendering: row.file, **row.renderings}
    return {name: _path(folder, file) for name, file in files.items()}


def _path(folder: Path, file: str) -> Path:
    """Return where the row's image lies; never outside the folder, through a link neither."""
    if not file:
        raise RejectedRowError("missing", "the row must name an image file, names none")
    try:
        path = (folder / file).resolve()
    except (OSError, ValueError) as error:
        raise RejectedRowError("missing", f"file must be a path, is {file!r}") from error
    if not path.is_relative_to(folder.resolve()):
        message = f"file must lie in the manifest's folder, {file!r} does not"
        raise RejectedRowError("outside-folder", message)
    return path


def _decoded(pair: tuple[ManifestRow, dict[str, Path]]) -> NewSubject | ImageError:
    row, paths = pair
    try:
        others = {name: read_picture(path) for name, path in paths.items()}
    except ImageError as error:
        return error
    ra, dec = _position(row)
    return NewSubject(
        row.external_id,
        others.pop(row.rendering),
        ra,
        dec,
        row.metadata,
        row.hidden_metadata,
        row.rendering,
        others,
    )


def _reject(
    run: ImportRun, row: ManifestRow, error: ImageError | InvalidInputError
) -> ImportReject:
    return ImportReject(
        run=run,
        row=row.number,
        external_id=_printable(row.external_id)[:120],
        code=_code(error),
        message=_printable(str(error))[:500],
    )


def _code(error: ImageError | InvalidInputError) -> str:
    if isinstance(error, ImageError | RejectedRowError):
        return error.code
    return str(error.extra.get("code", error.kind))


def _printable(text: str) -> str:
    """Return `text` without what PostgreSQL can not store or a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
