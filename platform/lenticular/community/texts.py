"""Names and texts that people type, made safe to keep: no markup is known, none is removed.

Unicode's rules: UAX #15 (normal forms) and UAX #9 (the characters that turn a text's
direction, which can make a name swallow the words around it).
"""

from __future__ import annotations

import unicodedata
from typing import Literal

from lenticular.community.errors import EmptyTextError, TooLongTextError

JOINERS = frozenset("\u200c\u200d")
"""Invisible in Latin letters, but Persian, Hindi and joined emoji need them; not in names."""

BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks by their category, which print as nothing."""

UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
MAX_MARKS = 4
"""How many accents one letter may carry; more of them climb over the neighbours."""


def clean_name(text: str, *, what: str, limit: int) -> str:
    """Return a name on one line: NFKC, nothing invisible, single spaces.

    Raises
    ------
    EmptyTextError
        Where nothing is left to read.
    TooLongTextError
        For more than `limit` characters.
    """
    return _checked(" ".join(_visible(text, "NFKC").split()), what, limit)


def clean_text(text: str, *, what: str, limit: int) -> str:
    """Return a text of several lines, as it was typed (NFC) but for what can not be seen.

    Raises
    ------
    EmptyTextError
        Where nothing is left to read.
    TooLongTextError
        For more than `limit` characters.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = _visible(lines, "NFC", keep=JOINERS | {"\n", "\t"})
    return _checked("\n".join(line.rstrip() for line in kept.split("\n")).strip(), what, limit)


def clean_optional(text: str, *, what: str, limit: int) -> str:
    """Return a text as `clean_text` does, NFKC without joiners; an empty one is as good."""
    kept = _visible(text.replace("\r\n", "\n"), "NFKC", keep=frozenset("\n")).strip()
    return _checked(kept, what, limit) if kept else ""


def _visible(text: str, form: Literal["NFC", "NFKC"], keep: frozenset[str] = frozenset()) -> str:
    # Spaces of every kind, the line's ends too, are spaces in names, unless kept.
    seen = (
        each if each in keep else " " if each.isspace() else _unless_unseen(each)
        for each in unicodedata.normalize(form, text)
    )
    return _without_towers("".join(seen))


def _unless_unseen(character: str) -> str:
    is_unseen = unicodedata.category(character) in UNSEEN or character in BLANKS
    return "" if is_unseen else character


def _without_towers(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for each in text:
        marks = marks + 1 if unicodedata.category(each) in {"Mn", "Me"} else 0
        if marks <= MAX_MARKS:
            kept.append(each)
    return "".join(kept)


def _checked(text: str, what: str, limit: int) -> str:
    if not text or all(unicodedata.category(each).startswith("M") for each in text):
        raise EmptyTextError(f"{what} must have something to read, has nothing")
    if len(text) > limit:
        rule = f"{what} must have at most {limit} characters, has {len(text)}"
        raise TooLongTextError(rule, limit=limit, found=len(text))
    return text
