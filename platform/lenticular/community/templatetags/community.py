"""Tags of what people share: comments with links, the reader's own count."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django import template
from django.utils.html import format_html, format_html_join

from lenticular.community.pages import visitor
from lenticular.community.selectors import classification_counts

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

register = template.Library()

LINK = re.compile(r"\bhttps?://[^\s<>\"'“”‘’「」『』（），。；、！？]{1,500}", re.IGNORECASE)
AFTER_LINKS = ".,;:!?)]}*_"
"""What ends a sentence rather than an address."""


@register.filter
def with_links(text: str) -> SafeString:
    """Print a text as it was typed, markup too, with its addresses to click.

    Only http and https make links; they pass on neither merit nor where the reader came from.
    """
    pieces: list[tuple[SafeString]] = []
    done = 0
    for match in LINK.finditer(text):
        address = match.group().rstrip(AFTER_LINKS)
        end = match.start() + len(address)
        link = format_html('<a href="{0}" rel="nofollow noreferrer ugc">{0}</a>', address)
        pieces += [(format_html("{}", text[done : match.start()]),), (link,)]
        done = end
    return format_html_join("", "{}", [*pieces, (text[done:],)])


@register.simple_tag(takes_context=True)
def own_galaxies(context: template.Context) -> int | None:
    """Return how many galaxies the reader has classified; None for who is not known yet."""
    request = context.get("request")
    volunteer = visitor(request) if request is not None else None
    return classification_counts(volunteer=volunteer).galaxies if volunteer else None
