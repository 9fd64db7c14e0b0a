"""The files of a release, made in a folder that nobody sees yet."""

from __future__ import annotations

import shutil
import sys
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as package_version
from typing import TYPE_CHECKING, Any

from lenticular.classifications.selectors import count_people, first_classification_id
from lenticular.releases import documents
from lenticular.releases.columns import LEVEL, PRIOR, arrow_schema, release_columns, schema_document
from lenticular.releases.documents import Facts
from lenticular.releases.reading import Snapshot, Totals, read_rows
from lenticular.releases.rows import rows_table
from lenticular.releases.tables import CSV_NAME, PARQUET_NAME, CatalogueWriter, file_checksum
from lenticular.rounds.provenance import code_version
from lenticular.rounds.workspace import local_path
from mlcore.files import write_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from lenticular.workflows.models import Workflow

SUMS_NAME = "SHA256SUMS"
_MAKING = ".making-"
_FORSAKEN_SECONDS = 24 * 3600
DESCRIPTIONS = {
    PARQUET_NAME: "The catalogue, for pandas, pyarrow, TOPCAT and astropy",
    CSV_NAME: "The same as comma-separated text",
    "schema.json": "Name, type, unit, UCD and description of every column",
    "tree.json": "The questions and answers as they were asked",
    "provenance.json": "What the catalogue was made from, and with which rules",
    "README.md": "What is in the files, and how to load them",
    "CITATION.cff": "How to cite the release",
    SUMS_NAME: "SHA-256 checksums of the other files",
}
RULES = ("control_panel", "control_share", "gold_share", "retirement_votes", "artifact_votes")


@dataclass(frozen=True)
class MadeFile:
    """A finished file and what is known of it."""

    name: str
    bytes: int
    sha256: str


@contextmanager
def making_folder(workflow: Workflow) -> Iterator[Path]:
    """Give a folder beside the releases; what is still there at the end is removed.

    So are folders of makers that were killed: those that nobody has written to for a day.
    """
    releases = local_path(f"releases/{workflow.slug}")
    for left in releases.glob(f"{_MAKING}*"):
        if _idle_seconds(left) > _FORSAKEN_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    folder = releases / f"{_MAKING}{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _idle_seconds(folder: Path) -> float:
    """Return how long ago the folder or a file in it was last written to; 0 once it is gone."""
    try:
        written = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except FileNotFoundError:
        return 0.0
    return time.time() - written


def write_catalogue(snapshot: Snapshot, folder: Path) -> Totals:
    """Write the catalogue in both forms, and its schema; return what the rows came to."""
    tree, totals = snapshot.version.tree, Totals()
    columns = release_columns(tree)
    with CatalogueWriter(folder, arrow_schema(columns)) as writer:
        for rows in read_rows(snapshot, totals):
            writer.write(rows_table(rows, tree, columns))
    write_json(folder / "schema.json", schema_document(columns))
    write_json(folder / "tree.json", tree.to_dict())
    return totals


def provenance_of(snapshot: Snapshot, totals: Totals) -> dict[str, Any]:
    """Return what the catalogue was made from, as JSON values; reads the database."""
    version = snapshot.version
    workflow, arms = version.workflow, dict(totals.arms)
    rules = {name: getattr(workflow, name) for name in RULES}
    return {
        "workflow": {
            "slug": workflow.slug,
            "name": workflow.name,
            "version": version.number,
            "tree_checksum": version.checksum,
        },
        "model": _model(snapshot),
        "classifications": {
            "first_id": first_classification_id(version=version),
            "last_id": snapshot.last_classification_id,
            "votes": totals.votes,
            "volunteers": count_people(version=version),
        },
        "subjects": {
            "total": totals.subjects,
            "with_votes": totals.with_votes,
            "predicted": totals.predicted,
            "retired": dict(totals.retired),
        },
        "selection": {
            "words": documents.selection_in_words(rules, arms),
            "rules": rules,
            "votes_by_arm": arms,
        },
        "posterior": {"prior": PRIOR, "level": LEVEL, "interval": "equal-tailed"},
        "code": {
            "lenticular": code_version(),
            "python": sys.version.split()[0],
            **{name: package_version(name) for name in ("numpy", "scipy", "pyarrow")},
        },
    }


def _model(snapshot: Snapshot) -> dict[str, Any] | None:
    model = snapshot.model
    if model is None:
        return None
    return {
        "round": model.round.number,
        "checksum": model.checksum,
        "catalogue_checksum": model.round.catalogue_checksum,
        "code": model.round.code_version,
    }


def facts_of(*, title: str, number: int, made_at: datetime, provenance: dict[str, Any]) -> Facts:
    """Return what the documents of a release say."""
    workflow, log = provenance["workflow"], provenance["classifications"]
    return Facts(
        title=title,
        workflow=workflow["slug"],
        workflow_name=workflow["name"],
        number=number,
        made_at=made_at,
        subjects=provenance["subjects"]["total"],
        votes=log["votes"],
        volunteers=log["volunteers"],
        files=tuple(DESCRIPTIONS.items()),
        provenance=provenance,
    )


def describe_files(folder: Path) -> list[MadeFile]:
    """Return every file in the folder by name, with its size and checksum."""
    return [_made(path) for path in sorted(folder.iterdir())]


def write_documents(folder: Path, facts: Facts, catalogue: list[MadeFile]) -> list[MadeFile]:
    """Write what goes with the catalogue, the checksums last; return every file."""
    known = {file.name for file in catalogue}
    said = {
        "title": facts.title,
        "number": facts.number,
        "made_at": facts.made_at.isoformat(),
        "citation": documents.citation(facts),
    }
    write_json(folder / "provenance.json", {"release": said, **facts.provenance})
    (folder / "README.md").write_text(documents.readme(facts))
    (folder / "CITATION.cff").write_text(documents.citation_cff(facts))
    added = [_made(path) for path in sorted(folder.iterdir()) if path.name not in known]
    files = sorted([*catalogue, *added], key=lambda file: file.name)
    sums = folder / SUMS_NAME
    sums.write_text("".join(f"{file.sha256}  {file.name}\n" for file in files))
    return [*files, _made(sums)]


def _made(path: Path) -> MadeFile:
    return MadeFile(path.name, path.stat().st_size, file_checksum(path))
