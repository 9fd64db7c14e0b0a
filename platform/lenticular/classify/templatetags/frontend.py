"""Tags that every page uses: icons, the import map, the current page's mark."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from django import template
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

SPRITE = "frontend/icons.svg"
FALLBACK_ICON = "galaxy"
_LANGUAGE_MARKS = {"en": "EN", "zh-hant": "繁體", "zh-hans": "简体"}


@register.simple_tag
def icon(name: str, css_class: str = "") -> SafeString:
    """Place a picture of the sprite, hidden from screen readers: the words beside it speak.

    An unknown or empty name gives the plain galaxy, so that any tree can be asked.
    """
    return format_html(
        '<svg class="icon {}" viewBox="0 0 48 48" aria-hidden="true"><use href="{}"/></svg>',
        css_class,
        icon_address(name),
    )


def icon_address(name: str) -> str:
    """Return the address of one picture of the sprite; of the plain galaxy if unknown."""
    return f"{static(SPRITE)}#{name if name in _icon_names() else FALLBACK_ICON}"


@lru_cache(maxsize=1)
def _icon_names() -> frozenset[str]:
    path = finders.find(SPRITE)
    root = ET.parse(str(path)).getroot()  # noqa: S314  (our own file)
    return frozenset(symbol.attrib["id"] for symbol in root)


@register.simple_tag(takes_context=True)
def import_map(context: template.Context) -> SafeString:
    """Map every module's plain address to its hashed one, for imports by relative path."""
    addresses = {f"{static_root()}{name}": static(f"frontend/{name}") for name in _module_names()}
    nonce = getattr(context.get("request"), "csp_nonce", "")
    document = json.dumps({"imports": addresses})
    return format_html(
        '<script type="importmap" nonce="{}">{}</script>',
        str(nonce),
        mark_safe(document),  # noqa: S308  (names of our own files)
    )


def static_root() -> str:
    """Return the address under which a module's relative imports are resolved."""
    return static(SPRITE).rpartition("/")[0] + "/"


@lru_cache(maxsize=1)
def _module_names() -> list[str]:
    folder = Path(str(finders.find(SPRITE))).parent
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.js"))


@register.simple_tag(takes_context=True)
def current(context: template.Context, *names: str) -> str:
    """Mark a link as the current page where the address has one of these names."""
    match: Any = getattr(context.get("request"), "resolver_match", None)
    is_here = match is not None and match.url_name in names
    return mark_safe(' aria-current="page"') if is_here else ""


@register.simple_tag
def language_tag(code: str) -> str:
    """Return a language as HTML names it: `zh-hant` is `zh-Hant`."""
    language, _, script = code.partition("-")
    return f"{language}-{script.title()}" if script else language


@register.simple_tag
def language_mark(code: str) -> str:
    """Return the short sign of a language for the switch in the header."""
    return _LANGUAGE_MARKS.get(code, code.upper())
