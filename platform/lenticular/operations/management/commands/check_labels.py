"""``manage.py check_labels``: one survey's labels against a model of another's images."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from lenticular.operations.label_tables import LabelTable, read_predictions
from mlcore.errors import InvalidInputError, MlcoreError
from mlcore.files import replacing
from mlcore.gp.crosscheck import check_labels, match_ids, match_positions
from mlcore.gp.predictive import certain_counts
from mlcore.tree import DecisionTree

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from numpy.typing import NDArray

    from mlcore.gp.mislabels import MislabelCandidate

HEADING = ("id", "question", "p_value", "q_value", "score", "reason")
POSITION = ("ra", "dec")


class Command(BaseCommand):
    help = "Compare labels with predictions from better images, and list those to doubt."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "labels", type=Path, help="table of id or id_str, label, and ra, dec to match by"
        )
        parser.add_argument(
            "predictions",
            type=Path,
            help="a release's catalogue; or a table of id or id_str, a column of fractions for "
            "each answer, and ra, dec to match by",
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
        position = () if radius is None else POSITION
        try:
            asked = DecisionTree.from_file(tree)
            old = LabelTable.read(labels, ["label", *position])
            new, fractions = read_predictions(predictions, asked, position)
            match = _match(old, new, radius)
            found = check_labels(
                old.ids,
                _votes(old.texts("label"), asked),
                match,
                fractions,
                asked,
                false_discovery_rate=rate,
            )
            _write(out, found)
        except (MlcoreError, OSError) as error:
            raise CommandError(str(error)) from error
        matched = int((match >= 0).sum())
        self.stdout.write(f"{matched} of {len(old)} matched, {len(found)} to doubt, in {out}")


def _match(old: LabelTable, new: LabelTable, radius: float | None) -> NDArray[np.int64]:
    if radius is None:
        match = match_ids(old.ids, new.ids)
    else:
        match = match_positions(*_positions(old, new), radius)
    if len(old) and (match < 0).all():
        raise InvalidInputError(
            f"a galaxy of {old.name} must be in {new.name}, none is: the first ids are "
            f"{old.ids[0]!r} and {new.ids[0]!r}"
        )
    return match


def _positions(old: LabelTable, new: LabelTable) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return old.numbers(POSITION), new.numbers(POSITION)


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
