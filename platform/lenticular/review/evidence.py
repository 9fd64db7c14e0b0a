"""What a round shows beside a flag: look-alikes that people agree on, and a heat map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from lenticular.common.errors import NotFoundError
from lenticular.rounds.selectors import prediction_id
from lenticular.rounds.workspace import stage_folder
from lenticular.subjects.selectors import image_urls, subjects_by_catalogue_id
from mlcore.round_files import EVIDENCE, PICTURES

if TYPE_CHECKING:
    from pathlib import Path

    from lenticular.rounds.models import MislabelFlag
    from lenticular.subjects.models import Subject


@dataclass(frozen=True)
class Alike:
    """A galaxy that looks like the flagged one, on which people gave the expected answer."""

    subject: Subject
    image: str


@dataclass(frozen=True)
class Evidence:
    """Look-alikes, nearest first, and whether there is a picture of what the network saw."""

    alike: list[Alike]
    has_picture: bool


def evidence_of(flag: MislabelFlag) -> Evidence:
    """Return what the round kept; nothing for a round from before rounds kept it."""
    row = _row(flag)
    ids = row.get("alike", [])
    found = subjects_by_catalogue_id(ids)
    shown = [found[each] for each in ids if each in found and found[each].images.all()]
    alike = [Alike(each, image_urls(each)["thumb"]) for each in shown]
    return Evidence(alike, bool(row.get("picture")))


def picture_path(flag: MislabelFlag) -> Path:
    """Return the heat map's file; raises NotFoundError where the round has drawn none."""
    name = str(_row(flag).get("picture", ""))
    path = stage_folder(flag.round, "flag").path / PICTURES / name
    if not name or not path.is_file():
        raise NotFoundError(f"flag {flag.pk} has no picture of what the network looked at")
    return path


def _row(flag: MislabelFlag) -> dict[str, Any]:
    path = stage_folder(flag.round, "flag").path / EVIDENCE
    wanted = [("id_str", "=", prediction_id(flag.subject))]
    try:
        rows: list[dict[str, Any]] = pq.read_table(path, filters=wanted).to_pylist()
    except (OSError, pa.ArrowInvalid):
        # The files of old rounds are removed to save space; the flag stands without them.
        return {}
    return rows[0] if rows else {}
