"""Real galaxies to replay: a folder of images and what was published about each."""

from __future__ import annotations

import csv
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlcore.decoding import decode_image
from mlcore.errors import CatalogueError, ImageError
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LABELS = "labels.csv"
_STAGE = "read the galaxies"
_CHUNK = 64


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row of labels.csv that is left out.

    Attributes
    ----------
    line
        In the file, from 1.
    id_str
        As given; may be empty.
    reason
        For a person.
    """

    line: int
    id_str: str
    reason: str


@dataclass(frozen=True, slots=True)
class LabelledGalaxy:
    """A galaxy, the slug of its published class, and its image."""

    id_str: str
    class_slug: str
    image: Path


@dataclass(frozen=True)
class LabelledFolder:
    """What a folder holds.

    Attributes
    ----------
    name
        The folder's own.
    class_column
        Heading of the classes.
    galaxies
        Those with a readable image, each id once, in the file's order.
    rejected
        The other rows.
    """

    name: str
    class_column: str
    galaxies: tuple[LabelledGalaxy, ...]
    rejected: tuple[RejectedRow, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes found, sorted."""
        return tuple(sorted({galaxy.class_slug for galaxy in self.galaxies}))


def slug_of(text: str) -> str:
    """Return lower-case letters and digits joined by hyphens; empty where there are none."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def read_labelled_folder(
    folder: Path,
    *,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> LabelledFolder:
    """Read ``labels.csv`` and decode every image that it names once, to know the good ones.

    Parameters
    ----------
    folder
        Holds ``labels.csv``, UTF-8 with a heading; its first three columns are an id, a
        class and an image file relative to the folder, whatever they are called.

    Returns
    -------
    LabelledFolder
        Rows without an id, a class or a readable image inside the folder are rejected,
        and so is every row but the first of an id. Blank lines are skipped.

    Raises
    ------
    CatalogueError
        Where the file is missing, is not UTF-8 CSV, has fewer than three columns, or has
        two classes that differ by more than case and punctuation alone would.
    ImagesAwayError
        Where an image is there but cannot be read just now.
    CancelledError
        After `should_stop` said so.
    """
    class_column, rows = _read_rows(folder / LABELS)
    named, rejected = _name_galaxies(folder, rows)
    _check_slugs(row[1][1] for row in rows if len(row[1]) > 2)
    found = LabelledFolder(folder.resolve().name, class_column, (), tuple(rejected))
    return _with_readable(found, named, on_progress, should_stop)


def _read_rows(path: Path) -> tuple[str, list[tuple[int, list[str]]]]:
    """Return the heading of the classes, and each row with its line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            heading = [name.strip() for name in next(reader, [])]
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogueError(f"{path} must be a CSV file in UTF-8, is not: {error}") from error
    if len(heading) < 3:
        raise CatalogueError(
            f"{path} must have at least 3 columns (id, class, image file), has {heading}"
        )
    return heading[1], rows


def _name_galaxies(
    folder: Path, rows: list[tuple[int, list[str]]]
) -> tuple[list[tuple[int, LabelledGalaxy]], list[RejectedRow]]:
    """Return the well-formed rows with their lines, and the others."""
    named: list[tuple[int, LabelledGalaxy]] = []
    rejected: list[RejectedRow] = []
    seen: set[str] = set()
    for line, row in rows:
        reason = _reason(folder, row, seen)
        if reason:
            rejected.append(RejectedRow(line, row[0], reason))
        else:
            seen.add(row[0])
            named.append((line, LabelledGalaxy(row[0], slug_of(row[1]), folder / row[2])))
    return named, rejected


def _reason(folder: Path, row: list[str], seen: set[str]) -> str:
    """Say why a row cannot be used; nothing where it can."""
    if len(row) < 3:
        return f"a row must have at least 3 columns, has {len(row)}"
    id_str, class_name, file = row[:3]
    if not id_str:
        return "the id must not be empty"
    if id_str in seen:
        return "the id must be unique, is repeated"
    if not slug_of(class_name):
        return f"the class must have a letter from a to z or a digit, is {class_name!r}"
    if not (folder / file).resolve().is_relative_to(folder.resolve()):
        return f"the image must be inside the folder, is {file!r}"
    return ""


def _check_slugs(names: Iterable[str]) -> None:
    """Refuse classes such as ``1`` and ``-1``, which would become one."""
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(slug_of(name), name)
        if slug_of(name) and other.casefold() != name.casefold():
            raise CatalogueError(
                f"classes must differ in letters or digits, {other!r} and {name!r} do not"
            )


def _with_readable(
    found: LabelledFolder,
    named: list[tuple[int, LabelledGalaxy]],
    on_progress: OnProgress | None,
    should_stop: ShouldStop | None,
) -> LabelledFolder:
    galaxies, rejected = [], list(found.rejected)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(named), _CHUNK):
            stop_if_asked(should_stop, _STAGE)
            chunk = named[start : start + _CHUNK]
            reasons = pool.map(_unreadable, [galaxy.image for _, galaxy in chunk])
            for (line, galaxy), reason in zip(chunk, reasons, strict=True):
                if reason:
                    rejected.append(RejectedRow(line, galaxy.id_str, reason))
                else:
                    galaxies.append(galaxy)
            done = start + len(chunk)
            said = f"{done:,} of {len(named):,} images read"
            report(on_progress, _STAGE, done / len(named), said)
    ordered = sorted(rejected, key=lambda row: row.line)
    return replace(found, galaxies=tuple(galaxies), rejected=tuple(ordered))


def _unreadable(image: Path) -> str:
    if not image.parent.is_dir():  # a row may name any folder
        return f"missing: {image} must be a file, its folder is not there"
    try:
        decode_image(image)
    except ImageError as error:
        return f"{error.code}: {error}"
    return ""
