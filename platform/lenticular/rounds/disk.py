"""How much disk is free, and how much the rounds' files take."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from lenticular.rounds.errors import DiskSpaceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def free_bytes(path: Path) -> int:
    """Return what is free on the disk of `path`, which may not exist yet."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def missing_disk(path: Path) -> DiskSpaceError | None:
    """Return what is wrong where less than LENTICULAR_ROUND_DISK_BYTES is free at `path`."""
    needed, free = settings.LENTICULAR_ROUND_DISK_BYTES, free_bytes(path)
    if free >= needed:
        return None
    message = _(
        "a round needs %(needed)s of free disk at %(path)s, there are %(free)s; clean up old "
        "rounds, or make room otherwise"
    )
    found = {"needed": filesizeformat(needed), "path": path, "free": filesizeformat(free)}
    return DiskSpaceError(message % found, path=str(path), needed=needed, free=free)


def require_disk(path: Path) -> None:
    """Raise DiskSpaceError where less than LENTICULAR_ROUND_DISK_BYTES is free at `path`."""
    missing = missing_disk(path)
    if missing is not None:
        raise missing


def folder_bytes(folder: Path) -> int:
    """Return the size of the files under `folder`; 0 where there is none."""
    return sum(_sizes(folder))


def _sizes(folder: Path) -> Iterator[int]:
    for parent, _folders, names in os.walk(folder):
        for name in names:
            try:
                yield os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118  (many files)
            except FileNotFoundError:
                continue
