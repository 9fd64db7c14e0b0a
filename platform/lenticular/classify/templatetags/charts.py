"""Tags that draw: the tree of votes and the map of the sky, as SVG without any style."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _

from lenticular.classify.skymap import HEIGHT, WIDTH, project, sky_map
from lenticular.classify.templatetags.frontend import icon_address
from lenticular.classify.treechart import BAR, ICON, LINE

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    from lenticular.classify.treechart import Block, Branch, Chart, Lane

register = template.Library()

HAIR = 0.8
"""What is narrower than this (px) is drawn this wide, to be seen at all."""


@register.simple_tag
def sky_chart(ra: float, dec: float) -> SafeString:
    """Draw where a position (degrees, ICRS) is on the sky, and where the Milky Way is."""
    drawn, (x, y) = sky_map(), project(ra, dec)
    labels = format_html_join(
        "",
        '<text x="{}" y="{}">{}</text>',
        ((f"{at:.1f}", f"{y - 4:.1f}", word) for at, y, word in drawn.labels),
    )
    return format_html(
        '<svg class="sky-map" viewBox="-4 -4 {} {}" text-anchor="middle" role="img"'
        ' aria-label="{}">'
        '<path class="sky-ground" d="{}"/><path class="sky-grid" d="{}"/>'
        '<path class="sky-plane" d="{}"/><circle class="sky-centre" cx="{}" cy="{}" r="3"/>{}'
        '<circle class="sky-halo" cx="{}" cy="{}" r="9"/>'
        '<circle class="sky-mark" cx="{}" cy="{}" r="4"/></svg>',
        round(WIDTH + 8),
        round(HEIGHT + 8),
        _("A map of the whole sky: the galaxy, and the plane of the Milky Way."),
        drawn.outline,
        drawn.grid,
        drawn.plane,
        *(f"{each:.1f}" for each in drawn.centre),
        labels,
        *(f"{each:.1f}" for each in (x, y, x, y)),
    )


@register.simple_tag
def votes_tree(chart: Chart) -> SafeString:
    """Draw the votes as a tree; the tables of the page give the same numbers."""
    return format_html(
        '<svg class="tree" width="{}" height="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        "{}{}{}</svg>",
        round(chart.width),
        round(chart.height),
        round(chart.width),
        round(chart.height),
        _("The votes as a tree of questions. The tables below give the same numbers."),
        format_html_join("", '<path class="flow" d="{}"/>', ((r.path,) for r in chart.ribbons)),
        format_html_join("", "{}", ((_lane(lane),) for lane in chart.lanes)),
        format_html_join("", "{}", ((_block(block),) for block in chart.blocks)),
    )


def _lane(lane: Lane) -> SafeString:
    return _band(lane.left, lane.top, lane.right, lane.width)


def _band(left: float, top: float, right: float, width: float) -> SafeString:
    return format_html(
        '<path class="flow" d="M{} {}H{}v{}H{}z"/>',
        f"{left:.1f}",
        f"{top:.2f}",
        f"{right:.1f}",
        f"{max(width, HAIR):.2f}",
        f"{left:.1f}",
    )


def _block(block: Block) -> SafeString:
    return format_html(
        '{}<rect class="tree-bar" x="{}" y="{}" width="{}" height="{}"/>{}',
        _words(block.lines, block.x, block.top, "tree-question"),
        f"{block.x:.1f}",
        f"{block.bar_top:.2f}",
        BAR,
        f"{max(block.height, 1.0):.2f}",
        format_html_join("", "{}", ((_branch(branch),) for branch in block.branches)),
    )


def _branch(branch: Branch) -> SafeString:
    end = "" if branch.leads_on else _end(branch)
    return format_html(
        '{}{}<use class="tree-icon" href="{}" x="{}" y="{}" width="{}" height="{}"/>{}'
        '<text class="tree-count" x="{}" y="{}">{}</text>',
        _band(branch.left, branch.y - branch.width / 2, branch.right, branch.width),
        end,
        icon_address(branch.answer.icon),
        f"{branch.left:.1f}",
        f"{branch.top:.1f}",
        ICON,
        ICON,
        _words(branch.lines, branch.left + ICON + 4, branch.top, "tree-answer"),
        f"{branch.right:.1f}",
        f"{branch.top + LINE - 3:.1f}",
        branch.votes,
    )


def _end(branch: Branch) -> SafeString:
    """Mark an answer that ends the questions."""
    return format_html(
        '<rect class="tree-end" x="{}" y="{}" width="3" height="{}"/>',
        f"{branch.right:.1f}",
        f"{branch.y - branch.width / 2:.2f}",
        f"{branch.width:.2f}",
    )


def _words(lines: tuple[str, ...], x: float, top: float, name: str) -> SafeString:
    spans = format_html_join(
        "",
        '<tspan x="{}" y="{}">{}</tspan>',
        (
            (f"{x:.1f}", f"{top + LINE * (number + 1) - 3:.1f}", line)
            for number, line in enumerate(lines)
        ),
    )
    return format_html('<text class="{}">{}</text>', name, spans)
