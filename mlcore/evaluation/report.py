"""The evaluation of one round as a document, and each question of it as a table.

Its schema is documented in docs/reference/evaluation.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlcore.errors import InvalidInputError
from mlcore.evaluation.details import LEAST_IN_BIN, LEVELS
from mlcore.evaluation.figures import CONFIDENT, CONFIDENT_VOTES, LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlcore.calibration import Calibration
    from mlcore.evaluation.details import QuestionDetails

FORMAT = 1
HEADING = ("question", "part", "name", "value", "low", "high", "galaxies", "votes")
_FIGURES = (
    "accuracy",
    "balanced_accuracy",
    "accuracy_confident",
    "rmse",
    "rmse_floor",
    "nll_per_vote",
)


def evaluation_report(
    result: Mapping[str, Any], details: Mapping[str, QuestionDetails], calibration: Calibration
) -> dict[str, Any]:
    """Return the document, of plain JSON values.

    Parameters
    ----------
    result
        What the evaluate stage records: the figures, ``previous``, ``comparison`` and
        ``verdict``.
    details
        By question.
    calibration
        The model's.
    """
    scales = calibration.to_dict()
    return {
        "format": FORMAT,
        **result,
        "questions": {
            slug: {
                **figures,
                **details[slug].to_dict(),
                "calibration": scales.get(slug),
            }
            for slug, figures in result["questions"].items()
        },
        "rules": {
            "confident_share": CONFIDENT,
            "confident_votes": CONFIDENT_VOTES,
            "interval": LEVEL,
            "coverage_levels": list(LEVELS),
            "least_galaxies_in_bin": LEAST_IN_BIN,
        },
    }


def question_rows(report: Mapping[str, Any], slug: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of one question's table under `HEADING`; None where undefined.

    Raises
    ------
    InvalidInputError
        For a question that the report lacks.
    """
    found = report["questions"].get(slug)
    if found is None:
        raise InvalidInputError(f"question must be one of {list(report['questions'])}, is {slug!r}")
    for part, name, *values in (
        *_figure_rows(found),
        *_reliability_rows(found),
        *_confusion_rows(found),
        *_worst_rows(found),
    ):
        yield slug, part, name, *values


def _figure_rows(found: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    counted = (found["n"], found["votes"])
    for name in _FIGURES:
        ends = (found["rmse_low"], found["rmse_high"]) if name == "rmse" else (None, None)
        galaxies = (found["n_confident"], None) if name == "accuracy_confident" else counted
        yield "figure", name, found[name], *ends, *galaxies
    for each in found["coverage"]:
        ends = (each["low"], each["high"])
        yield "coverage", f"{each['level']:g}", each["covered"], *ends, *counted
    if found["calibration"]:
        fitted = found["calibration"]
        galaxies = (fitted["galaxies"], fitted["votes"])
        yield "calibration", "scale", fitted["scale"], None, None, *galaxies


def _reliability_rows(found: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for each in found["reliability"]:
        ends = (each["observed_low"], each["observed_high"])
        counted = (each["galaxies"], each["votes"])
        yield "reliability", f"{each['predicted']:.4f}", each["observed"], *ends, *counted


def _confusion_rows(found: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for said, row in zip(found["answers"], found["confusion"], strict=True):
        for expected, votes in zip(found["answers"], row, strict=True):
            yield "confusion", f"{said}|{expected}", votes, None, None, None, votes


def _worst_rows(found: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for each in found["worst"]:
        yield "worst", each["id_str"], each["excess"], None, None, 1, sum(each["votes"])
