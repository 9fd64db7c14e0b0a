"""Writes of a worker that outlive the connection to the database.

A round runs for hours, its database is restarted in seconds.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, TypeVar

from django.db import DatabaseError, InterfaceError, connection

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
LOST = (DatabaseError, InterfaceError)
"""What is raised where a connection is lost, and by much else."""
PAUSES = (0.0, 1.0, 5.0, 15.0)
"""Seconds before each new try."""
logger = logging.getLogger(__name__)


def outlast(write: Callable[[], T]) -> T:
    """Return what `write` returns; where the connection is lost, do it again on a new one.

    What a database that is there refuses is raised, and so is the error once it has been
    away for longer than `PAUSES`.

    Parameters
    ----------
    write
        Safe to do twice: a commit whose answer was lost may have happened.
    """
    for pause in PAUSES:
        used = connection.connection
        try:
            return write()
        except LOST as error:
            connection.close_if_unusable_or_obsolete()
            if connection.connection is not None and connection.connection is used:
                raise
            logger.warning("the connection to the database was lost: %s", error)
        time.sleep(pause)
    return write()
