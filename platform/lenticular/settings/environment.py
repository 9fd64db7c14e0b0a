"""Reads the environment, and remembers what was wrong with it.

A bad value never stops the import: it is kept in ``PROBLEMS``, and the system
check ``lenticular.E001`` reports it with a hint before anything starts.
"""

from __future__ import annotations

import os
from pathlib import Path

PROBLEMS: list[tuple[str, str]] = []


def text(name: str, default: str = "") -> str:
    """Return the variable as it stands, or `default` when it is unset or empty."""
    return os.environ.get(name) or default


def flag(name: str, *, default: bool) -> bool:
    """Return the variable as a yes or no; anything else is a problem."""
    value = os.environ.get(name, "").strip().lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    if value:
        PROBLEMS.append((f"{name} must be yes or no, is {value!r}", f"Set {name}=1 or {name}=0."))
    return default


def number(name: str, default: int, *, at_least: int = 0) -> int:
    """Return the variable as an integer of at least `at_least`."""
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    if value.isdecimal() and int(value) >= at_least:
        return int(value)
    rule = f"{name} must be a whole number of at least {at_least}, is {value!r}"
    PROBLEMS.append((rule, f"Set {name}={default}, or unset it."))
    return default


def words(name: str, default: str = "") -> list[str]:
    """Return the variable split at commas, blanks dropped."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def folder(name: str, default: Path) -> Path:
    """Return the variable as an absolute path."""
    return Path(text(name, str(default))).expanduser().resolve()
