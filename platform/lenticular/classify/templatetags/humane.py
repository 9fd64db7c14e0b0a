"""Filters that print numbers, positions and votes for people."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django import template
from django.utils.html import format_html
from django.utils.translation import gettext as _

from lenticular.classify.skymap import sexagesimal

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    from lenticular.classify.galaxies import AnswerVotes
    from lenticular.subjects.models import Subject

register = template.Library()

FIELD_ARCMINUTES = 1.2
"""How far around a galaxy the catalogues are asked to look."""


@register.filter
def grouped(number: int | None) -> str:
    """Print a whole number with thin spaces between thousands; None is none."""
    return f"{number or 0:,}".replace(",", "\u202f")


@register.filter
def percent(fraction: float) -> str:
    """Print a fraction as whole percent."""
    return f"{fraction:.0%}"


@register.filter
def points(fraction: float) -> str:
    """Print a fraction as percentage points, to a tenth."""
    return f"{100 * fraction:.1f}"


@register.filter
def decimal_position(subject: Subject) -> str:
    """Print a position in degrees, to about a tenth of an arc second; empty where unknown."""
    if subject.ra is None or subject.dec is None:
        return ""
    return f"{subject.ra:.5f} {subject.dec:+.5f}"


@register.filter
def sexagesimal_position(subject: Subject) -> str:
    """Print a position in hours, minutes and seconds; empty where unknown."""
    if subject.ra is None or subject.dec is None:
        return ""
    return " ".join(sexagesimal(subject.ra, subject.dec))


@register.filter
def legacy_survey_url(subject: Subject) -> str:
    """Return the sky viewer of the Legacy Surveys at the subject's position."""
    ra, dec = _written(subject)
    dec = dec.removeprefix("+")
    query = {"ra": ra, "dec": dec, "layer": "ls-dr10", "zoom": 15, "mark": f"{ra},{dec}"}
    return f"https://www.legacysurvey.org/viewer?{urlencode(query)}"


@register.filter
def simbad_url(subject: Subject) -> str:
    """Return SIMBAD's list of objects around the subject's position."""
    ra, dec = _written(subject)
    query = {
        "Coord": f"{ra} {dec}",
        "CooFrame": "ICRS",
        "Radius": FIELD_ARCMINUTES,
        "Radius.unit": "arcmin",
    }
    return f"https://simbad.cds.unistra.fr/simbad/sim-coo?{urlencode(query)}"


@register.filter
def ned_url(subject: Subject) -> str:
    """Return NED's list of objects around the subject's position."""
    ra, dec = _written(subject)
    query = {
        "search_type": "Near Position Search",
        "coordinates": f"{ra}d {dec}d",
        "in_csys": "Equatorial",
        "in_equinox": "J2000",
        "radius": FIELD_ARCMINUTES,
    }
    return f"https://ned.ipac.caltech.edu/conesearch?{urlencode(query)}"


def _written(subject: Subject) -> tuple[str, str]:
    """Return the position as the catalogues read it: never as an exponent, always signed."""
    return f"{subject.ra or 0:.6f}", f"{subject.dec or 0:+.6f}"


@register.simple_tag
def vote_bar(answer: AnswerVotes) -> SafeString:
    """Draw an answer's share of the votes, and the machine's mean and interval on it."""
    share = format_html("{}%", f"{answer.percent:.0f}")
    bar = format_html(
        '<rect class="people" y="2" width="{}" height="8" rx="1"/>', f"{answer.percent:.1f}"
    )
    if answer.predicted is None:
        return _drawn(share, bar)
    machine = format_html(
        '<rect class="interval" x="{}" y="4.6" width="{}" height="2.8"/>'
        '<rect class="machine" x="{}" y="1" width="1" height="10"/>',
        f"{answer.low:.1f}",
        f"{answer.spread:.1f}",
        f"{min(answer.predicted, 99.0):.1f}",
    )
    words = _(
        "%(share)s of people; the machine expects %(mean)s%%, from %(low)s%% to %(high)s%%"
    ) % {
        "share": share,
        "mean": f"{answer.predicted:.0f}",
        "low": f"{answer.low:.0f}",
        "high": f"{answer.high:.0f}",
    }
    return _drawn(words, format_html("{}{}", bar, machine))


def _drawn(words: str, shapes: SafeString) -> SafeString:
    return format_html(
        '<svg viewBox="0 0 100 12" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="ground" y="2" width="100" height="8" rx="1"/>{}</svg>',
        words,
        shapes,
    )
