"""Reads the environment, and remembers what was wrong with it.

A bad value never stops the import: it is kept in ``PROBLEMS``, and the system
check ``lenticular.E001`` reports it with a hint before anything starts.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

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


_PERIODS = "s|sec|second|m|min|minute|h|hour|d|day"


def rate(name: str, default: str) -> str:
    """Return the variable as a number of requests per period, as REST framework reads it."""
    value = text(name, default)
    if re.fullmatch(rf"[1-9][0-9]*/({_PERIODS})", value):
        return value
    rule = f"{name} must be a number of requests per s, min, hour or day, is {value!r}"
    PROBLEMS.append((rule, f"Set {name}={default}, or unset it."))
    return default


def words(name: str, default: str = "") -> list[str]:
    """Return the variable split at commas, blanks dropped."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def folder(name: str, default: Path) -> Path:
    """Return the variable as an absolute path."""
    return Path(text(name, str(default))).expanduser().resolve()


@dataclass(frozen=True)
class MailServer:
    """Where mails go: Django's backend, and the server where there is one."""

    backend: str = "django.core.mail.backends.console.EmailBackend"
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    starttls: bool = False
    tls: bool = False


_MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


def mail_server(name: str, default: str) -> MailServer:
    """Return the variable as a mail server; `console:` writes the mails to the log."""
    value = text(name, default)
    url = urlsplit(value)
    if value == "console:":
        return MailServer()
    if url.scheme not in _MAIL_PORTS or not url.hostname or (port := _port(url)) is None:
        # The value may hold a password: it is not repeated.
        rule = f"{name} must be the address of a mail server, is of the kind {url.scheme!r}"
        hint = "Set smtp+tls://USER:PASSWORD@HOST:587, smtps://, smtp://, or console: for the log."
        PROBLEMS.append((rule, f"{hint} Write special characters of the password as %XX."))
        return MailServer()
    return MailServer(
        backend="django.core.mail.backends.smtp.EmailBackend",
        host=url.hostname,
        port=port,
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
        starttls=url.scheme == "smtp+tls",
        tls=url.scheme == "smtps",
    )


def _port(url: SplitResult) -> int | None:
    try:
        return url.port or _MAIL_PORTS[url.scheme]
    except ValueError:
        return None


def sender(name: str, default: str) -> str:
    """Return the variable as whom mails are from: an address, with or without a name."""
    value = text(name, default)
    local, _, domain = parseaddr(value)[1].partition("@")
    if local and domain and "@" not in domain and value.isprintable():
        return value
    PROBLEMS.append(
        (f"{name} must be a mail address, is {value!r}", "Set it to Name <mail@example.org>.")
    )
    return default


def require_sqlite(found: tuple[int, ...]) -> None:
    """Report a SQLite without `UPDATE ... FROM`, which publication needs."""
    if found < (3, 33):
        version = ".".join(str(part) for part in found)
        rule = f"SQLite must be of version 3.33 or later, is {version}"
        PROBLEMS.append((rule, "Use a Python with a later one, or PostgreSQL."))
