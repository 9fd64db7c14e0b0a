"""A tag that draws an evaluation's charts, as SVG without any style."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    from lenticular.rounds.charts import Chart, Guide, Point

register = template.Library()

LEFT, TOP, WIDTH, HEIGHT = 38.0, 26.0, 268.0, 170.0
RIGHT, BELOW = 14.0, 40.0
BAR = 26.0
NOTHING = mark_safe("")


@dataclass(frozen=True)
class _Scale:
    """Turns a chart's numbers into pixels of its drawing."""

    chart: Chart

    def x(self, value: float) -> float:
        return round(LEFT + WIDTH * min(value / self.chart.x.high, 1.0), 1)

    def y(self, value: float) -> float:
        return round(TOP + HEIGHT * (1 - min(value / self.chart.y.high, 1.0)), 1)


@register.simple_tag
def round_chart(chart: Chart) -> SafeString:
    """Draw a chart; a table beside it must give the same numbers."""
    scale = _Scale(chart)
    return format_html(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}{}</svg>',
        f"{LEFT + WIDTH + RIGHT:g}",
        f"{TOP + HEIGHT + BELOW:g}",
        f"{chart.name}: {chart.y.title}; {chart.x.title}",
        _axes(scale),
        format_html_join("", "{}", ((_guide(scale, each),) for each in chart.guides)),
        _line(scale) if chart.joined else NOTHING,
        format_html_join("", "{}", ((_point(scale, each),) for each in chart.points)),
    )


def _axes(scale: _Scale) -> SafeString:
    bottom = TOP + HEIGHT
    return format_html(
        '<path class="axis" fill="none" d="M{} {}V{}H{}"/><text x="0" y="12">{}</text>'
        '<text x="{}" y="{}" text-anchor="end">{}</text>{}{}',
        *(f"{each:g}" for each in (LEFT, TOP, bottom, LEFT + WIDTH)),
        scale.chart.y.title,
        f"{LEFT + WIDTH:g}",
        f"{bottom + 34:g}",
        scale.chart.x.title,
        format_html_join(
            "",
            '<text x="{}" y="{}" text-anchor="middle">{}</text>',
            ((scale.x(at), f"{bottom + 16:g}", label) for at, label in scale.chart.x.ticks),
        ),
        format_html_join(
            "",
            '<text x="{}" y="{}" text-anchor="end">{}</text>',
            ((f"{LEFT - 6:g}", scale.y(at) + 4, label) for at, label in scale.chart.y.ticks),
        ),
    )


def _guide(scale: _Scale, guide: Guide) -> SafeString:
    x, y = guide.places[-1]
    return format_html(
        '<polyline class="limit" fill="none" points="{}"/>'
        '<text x="{}" y="{}" text-anchor="end">{}</text>',
        _places(scale, guide.places),
        scale.x(x) - 8,
        scale.y(y) + 16,
        guide.label,
    )


def _line(scale: _Scale) -> SafeString:
    places = [(each.x, each.y) for each in scale.chart.points]
    return format_html('<polyline class="line" points="{}"/>', _places(scale, places))


def _point(scale: _Scale, point: Point) -> SafeString:
    x, y = scale.x(point.x), scale.y(point.y)
    top = y if point.high is None else scale.y(point.high)
    return format_html(
        '{}{}<circle class="mark{}" cx="{}" cy="{}" r="4"/>'
        '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        _bar(x, y) if scale.chart.bars else NOTHING,
        _interval(scale, point),
        " hollow" if point.low is None else "",
        x,
        y,
        x,
        round(max(top - 7, 22.0), 1),
        point.label,
    )


def _bar(x: float, y: float) -> SafeString:
    return format_html(
        '<rect class="band" x="{}" y="{}" width="{}" height="{}"/>',
        round(x - BAR / 2, 1),
        y,
        f"{BAR:g}",
        round(TOP + HEIGHT - y, 1),
    )


def _interval(scale: _Scale, point: Point) -> SafeString:
    if point.low is None or point.high is None:
        return NOTHING
    ends = [(point.x, point.low), (point.x, point.high)]
    return format_html('<polyline class="line" points="{}"/>', _places(scale, ends))


def _places(
    scale: _Scale, places: list[tuple[float, float]] | tuple[tuple[float, float], ...]
) -> str:
    return " ".join(f"{scale.x(x):g},{scale.y(y):g}" for x, y in places)
