"""``manage.py check_labels``: one survey's labels against a model of another's images."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from django.core.management.base import BaseCommand, CommandError

from mlcore.errors import InvalidInputError, MlcoreError
from mlcore.files import replacing
from mlcore.gp.crosscheck import check_labels, match_ids, match_positions
from mlcore.gp.predictive import certain_counts
from mlcore.tree import DecisionTree

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlcore.gp.mislabels import MislabelCandidate

HEADING = ("id", "question", "p_value", "q_value", "score", "reason")


class Command(BaseCommand):
    help = "Compare labels with predictions from better images, and list those to doubt."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("labels", type=Path, help="CSV: id, label, and ra, dec to match by")
        parser.add_argument(
            "predictions", type=Path, help="CSV: id, ra, dec, and a column for each answer"
        )
        parser.add_argument("--tree", type=Path, required=True, help="Decision tree, JSON")
        parser.add_argument(
            "--radius", type=float, metavar="ARCSEC", help="Match by position, not by id"
        )
        parser.add_argument("--rate", type=float, default=0.1, help="False discovery rate")
        parser.add_argument("--out", type=Path, required=True, help="Write the doubted here")

    def handle(
        self,
        *,
        labels: Path,
        predictions: Path,
        tree: Path,
        radius: float | None,
        rate: float,
        out: Path,
        **_options: Any,
    ) -> None:
        try:
            asked = DecisionTree.from_file(tree)
            old, new = _read(labels, ["id", "label"], radius), _read(predictions, ["id"], radius)
            match = _match(old, new, radius)
            found = check_labels(
                old["id"].tolist(),
                _votes(old["label"].tolist(), asked),
                match,
                _fractions(new, asked),
                asked,
                false_discovery_rate=rate,
            )
            _write(out, found)
        except (MlcoreError, OSError) as error:
            raise CommandError(str(error)) from error
        matched = int((match >= 0).sum())
        self.stdout.write(f"{matched} of {len(old)} matched, {len(found)} to doubt, in {out}")


def _read(path: Path, wanted: list[str], radius: float | None) -> pd.DataFrame:
    wanted = wanted if radius is None else [*wanted, "ra", "dec"]
    try:
        table = pd.read_csv(path, dtype={"id": str, "label": str}, keep_default_na=False)
    except ValueError as error:
        raise InvalidInputError(f"{path.name} must be a CSV table, is not: {error}") from error
    absent = [name for name in wanted if name not in table.columns]
    if absent:
        raise InvalidInputError(f"{path.name} must have the column {absent[0]!r}, has not")
    return table


def _match(old: pd.DataFrame, new: pd.DataFrame, radius: float | None) -> NDArray[np.int64]:
    if radius is None:
        return match_ids(old["id"].tolist(), new["id"].tolist())
    return match_positions(_numbers(old, ["ra", "dec"]), _numbers(new, ["ra", "dec"]), radius)


def _numbers(table: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    try:
        return table[list(columns)].to_numpy(dtype=np.float64)
    except (KeyError, ValueError) as error:
        raise InvalidInputError(
            f"the columns {', '.join(columns)} must be there and hold numbers: {error}"
        ) from error


def _fractions(table: pd.DataFrame, tree: DecisionTree) -> NDArray[np.float64]:
    """Return (m, A): the first question's columns; of the others nothing is asked."""
    columns = tree.question_slices[tree.start]
    found = np.full((len(table), len(tree.label_cols)), np.nan)
    found[:, columns] = _numbers(table, tree.label_cols[columns])
    return found


def _votes(labels: list[str], tree: DecisionTree) -> NDArray[np.float64]:
    """Return votes (n, A) that stand for labels, which are answers to the first question."""
    slugs = [answer.slug for answer in tree.question(tree.start).answers]
    unknown = sorted(set(labels) - {*slugs, ""})
    if unknown:
        raise InvalidInputError(f"label must be one of {', '.join(slugs)}, is {unknown[0]!r}")
    places = [slugs.index(label) if label else -1 for label in labels]
    counts = np.zeros((len(labels), len(tree.label_cols)))
    counts[:, tree.question_slices[tree.start]] = certain_counts(places, len(slugs))
    return counts


def _write(path: Path, found: list[MislabelCandidate]) -> None:
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(HEADING)
        for each in found:
            rows.writerow(
                (each.id_str, each.question, each.p_value, each.q_value, each.score, each.reason)
            )
