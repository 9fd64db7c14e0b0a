"""The evaluation of a round: as a document to download, and as a page shows it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from lenticular.common.errors import NotFoundError
from lenticular.rounds import charts, presentation, workspace
from lenticular.rounds.errors import DamagedEvaluationError, NoEvaluationError
from lenticular.rounds.models import Round
from lenticular.subjects.selectors import image_urls, subjects_by_catalogue_id
from mlcore.errors import ArtefactError, InvalidInputError
from mlcore.evaluation.report import HEADING, question_rows
from mlcore.files import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lenticular.rounds.charts import Chart, LearningPoint
    from lenticular.subjects.models import Subject
    from mlcore.tree import Question

GALLERY = 12


@dataclass(frozen=True)
class QuestionSection:
    """One question on the page."""

    slug: str
    title: str
    line: presentation.QuestionLine
    scale: str
    trust: Trust | None
    answers: list[str]
    reliability: Chart
    coverage: Chart
    learning: Chart
    bins: list[dict[str, Any]]
    confusion: list[tuple[str, list[ConfusionCell]]]


@dataclass(frozen=True)
class Trust:
    """The powers of the network's shares and of its look-alikes', rounded for a person."""

    network: str
    lookalikes: str


@dataclass(frozen=True)
class ConfusionCell:
    """Votes for one answer where the model expects another, and their share of the row."""

    votes: int
    share: float
    is_right: bool


@dataclass(frozen=True)
class PoorCard:
    """A galaxy of the gallery, at the question where its votes were least expected."""

    subject: Subject
    image: str
    question: str
    votes: int
    excess: float
    pairs: list[Pair]


@dataclass(frozen=True)
class Pair:
    """Shares of one answer, in percent: observed, predicted, and where it was expected."""

    answer: str
    observed: float
    predicted: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """Of the interval; never too thin to be seen."""
        return max(self.high - self.low, 1.0)


def report_of(round_: Round) -> dict[str, Any]:
    """Return what the evaluate stage wrote, with the round's name and learning curve.

    Raises
    ------
    NoEvaluationError
        Where the round has not been judged, or its files are gone, or it is from before
        rounds wrote them.
    DamagedEvaluationError
        Where the file is not one.
    """
    path = workspace.stage_folder(round_, "evaluate").path / "evaluation.json"
    if not path.is_file():
        raise NoEvaluationError(
            _("The round has not been judged yet, or its files are not kept any more.")
        )
    try:
        written = read_json(path)
    except ArtefactError as error:
        raise DamagedEvaluationError(str(error)) from error
    return {
        "workflow": round_.workflow.slug,
        "round": round_.number,
        "version": round_.version.number,
        "code_version": round_.code_version,
        "catalogue_checksum": round_.catalogue_checksum,
        **written,
        "learning_curve": {
            slug: [vars(each) for each in points] for slug, points in learning_curve(round_).items()
        },
    }


def question_csv(round_: Round, slug: str) -> str:
    """Return one question's numbers as CSV; raises as `report_of`, and for no such question."""
    try:
        rows = list(question_rows(report_of(round_), slug))
    except InvalidInputError as error:
        raise NotFoundError(str(error)) from error
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(HEADING)
    writer.writerows(rows)
    return written.getvalue()


def learning_curve(round_: Round) -> dict[str, list[LearningPoint]]:
    """Return question slug to one point per round of this version, up to this round.

    A round that is not published yet has no figures in the database, and so no point.
    """
    rounds = Round.objects.filter(
        workflow=round_.workflow_id, version=round_.version_id, number__lte=round_.number
    ).exclude(evaluation={})
    curve: dict[str, list[LearningPoint]] = {}
    for each in rounds.order_by("number").only("number", "votes", "evaluation"):
        for slug, found in each.evaluation.get("questions", {}).items():
            if found["rmse"] is not None:
                curve.setdefault(slug, []).append(_learning_point(each, found))
    return curve


def _learning_point(round_: Round, found: dict[str, Any]) -> LearningPoint:
    return charts.LearningPoint(
        round=round_.number,
        votes=round_.votes,
        rmse=found["rmse"],
        low=found.get("rmse_low"),
        high=found.get("rmse_high"),
        floor=found["rmse_floor"],
    )


def sections(round_: Round, report: dict[str, Any]) -> list[QuestionSection]:
    """Return the questions with votes, in the tree's order."""
    language, curve = get_language() or "en", learning_curve(round_)
    previous = (report["previous"] or {}).get("questions", {})
    return [
        _section(
            question,
            language,
            report["questions"][question.slug],
            previous.get(question.slug),
            curve.get(question.slug, []),
        )
        for question in round_.version.tree.questions
        if report["questions"].get(question.slug, {}).get("n")
    ]


def _section(
    question: Question,
    language: str,
    found: dict[str, Any],
    previous: dict[str, Any] | None,
    curve: list[LearningPoint],
) -> QuestionSection:
    title, answers = question.text(language), [each.text(language) for each in question.answers]
    nominal = next(each for each in found["coverage"] if each["level"] == 0.9)
    figures = {**found, "coverage": nominal["covered"]}
    return QuestionSection(
        slug=question.slug,
        title=title,
        line=presentation.question_line(title, figures, previous),
        scale=f"{found['calibration']['scale']:.3g}" if found["calibration"] else "",
        trust=_trust(found["calibration"]),
        answers=answers,
        reliability=charts.reliability_chart(found["reliability"], title),
        coverage=charts.coverage_chart(found["coverage"], title),
        learning=charts.learning_chart(curve, title),
        bins=found["reliability"],
        confusion=list(_confusion(answers, found["confusion"])),
    )


def _trust(calibration: dict[str, Any] | None) -> Trust | None:
    """Return whom the model trusts; None for a network alone, or a report from before."""
    if not calibration or not calibration.get("lookalikes"):
        return None
    return Trust(f"{calibration['network']:.2f}", f"{calibration['lookalikes']:.2f}")


def _confusion(
    answers: list[str], matrix: list[list[float]]
) -> Iterator[tuple[str, list[ConfusionCell]]]:
    for place, (answer, row) in enumerate(zip(answers, matrix, strict=True)):
        total = sum(row) or 1.0
        cells = [
            ConfusionCell(round(votes), 100 * votes / total, column == place)
            for column, votes in enumerate(row)
        ]
        yield answer, cells


def gallery(round_: Round, report: dict[str, Any]) -> list[PoorCard]:
    """Return the galaxies whose votes the model expected least, each once; gone ones left out."""
    worst: dict[str, tuple[str, dict[str, Any]]] = {}
    ranked = sorted(
        ((each, slug) for slug, found in report["questions"].items() for each in found["worst"]),
        key=lambda pair: -pair[0]["excess"],
    )
    for each, slug in ranked:
        worst.setdefault(each["id_str"], (slug, each))
    chosen = dict(list(worst.items())[:GALLERY])
    subjects = subjects_by_catalogue_id(chosen)
    return [
        _card(subjects[id_str], round_.version.tree.question(slug), each)
        for id_str, (slug, each) in chosen.items()
        if id_str in subjects
    ]


def _card(subject: Subject, question: Question, each: dict[str, Any]) -> PoorCard:
    language, votes = get_language() or "en", sum(each["votes"])
    shares = zip(each["votes"], each["predicted"], each["low"], each["high"], strict=True)
    return PoorCard(
        subject=subject,
        image=image_urls(subject).get("page", ""),
        question=question.text(language),
        votes=round(votes),
        excess=each["excess"],
        pairs=[
            Pair(answer.text(language), 100 * said / votes, 100 * predicted, 100 * low, 100 * high)
            for answer, (said, predicted, low, high) in zip(question.answers, shares, strict=True)
        ],
    )
