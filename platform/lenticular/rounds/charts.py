"""Charts of an evaluation, in numbers: what is drawn where, without any markup."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from collections.abc import Sequence

PERCENT_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Axis:
    """An axis from 0 to `high`, in the numbers of what it shows; a tick has a label."""

    title: str
    high: float
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Point:
    """A measured value, with its interval and a direct label where it has them."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    label: str = ""


@dataclass(frozen=True)
class Guide:
    """A dashed line that points are to be compared with, labelled at its end."""

    places: tuple[tuple[float, float], ...]
    label: str = ""


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes
    ----------
    name
        What it shows, for those who cannot see it; `points` are in the page's tables.
    joined, bars
        Whether a line joins the points, and whether each stands on a bar.
    """

    name: str
    x: Axis
    y: Axis
    points: tuple[Point, ...]
    guides: tuple[Guide, ...]
    joined: bool = False
    bars: bool = False


@dataclass(frozen=True)
class LearningPoint:
    """One round on the learning curve of a question."""

    round: int
    votes: int
    rmse: float
    low: float | None
    high: float | None
    floor: float | None


def reliability_chart(bins: Sequence[dict[str, Any]], question: str) -> Chart:
    """Return the observed share of votes against the predicted one."""
    points = (
        Point(each["predicted"], each["observed"], each["observed_low"], each["observed_high"])
        for each in bins
    )
    return Chart(
        name=_("Reliability of %(question)s") % {"question": question},
        x=_percent_axis(_("Predicted share of votes (%)")),
        y=_percent_axis(_("Observed share (%); dashed: as predicted")),
        points=tuple(points),
        guides=(Guide(((0.0, 0.0), (1.0, 1.0))),),
    )


def coverage_chart(levels: Sequence[dict[str, Any]], question: str) -> Chart:
    """Return how many counts lie in the predicted intervals, against how many should."""
    points, guides, ticks = [], [], []
    for place, each in enumerate(levels):
        x, label = (place + 0.5) / len(levels), f"{100 * each['covered']:.0f}%"
        points.append(Point(x, each["covered"], each["low"], each["high"], label))
        guides.append(Guide(((x - 0.1, each["level"]), (x + 0.1, each["level"]))))
        ticks.append((x, f"{100 * each['level']:.0f}"))
    return Chart(
        name=_("Coverage of the intervals of %(question)s") % {"question": question},
        x=Axis(_("Level of the interval (%)"), 1.0, tuple(ticks)),
        y=_percent_axis(_("Counts inside (%); dashed: as claimed")),
        points=tuple(points),
        guides=tuple(guides),
        bars=True,
    )


def learning_chart(rounds: Sequence[LearningPoint], question: str) -> Chart:
    """Return the error of the predicted fractions against the votes of each round."""
    most = max((each.votes for each in rounds), default=0)
    highest = max((each.high or each.rmse for each in rounds), default=0.0)
    floors = [(float(each.votes), each.floor) for each in rounds if each.floor is not None]
    # One round alone has a floor too: a line across.
    if len(floors) == 1:
        floors = [(0.0, floors[0][1]), *floors]
    return Chart(
        name=_("Learning curve of %(question)s") % {"question": question},
        x=_number_axis(_("Votes that the round began with"), 1.1 * most),
        # This % is only a percent sign, xgettext:no-python-format
        y=_number_axis(_("RMSE of vote fractions, with 90% intervals"), 1.15 * highest),
        points=tuple(
            Point(each.votes, each.rmse, each.low, each.high, str(each.round)) for each in rounds
        ),
        guides=(Guide(tuple(floors), _("noise of the votes")),) if floors else (),
        joined=True,
    )


def _percent_axis(title: str) -> Axis:
    return Axis(title, 1.0, tuple((tick, f"{100 * tick:.0f}") for tick in PERCENT_TICKS))


def _number_axis(title: str, high: float) -> Axis:
    return Axis(title, high or 1.0, tuple((tick, f"{tick:,g}") for tick in round_ticks(high)))


def round_ticks(high: float) -> list[float]:
    """Return three to six round numbers from 0 to `high`; 0 alone where it is not above 0."""
    if not 0 < high < math.inf:
        return [0.0]
    step = 10.0 ** math.floor(math.log10(high))
    step *= next(part for part in (0.2, 0.5, 1.0, 2.0) if high / (step * part) < 5.5)
    return [round(place * step, 10) for place in range(int(high / step) + 1)]
