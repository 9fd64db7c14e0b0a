"""What a round that stops says to people: what happened, and what to do."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from lenticular.common.errors import LenticularError
from mlcore.errors import MlcoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FULL = {errno.ENOSPC, errno.EDQUOT}
_KEPT = "finished stages are kept, and nothing was published"


def for_people(error: BaseException) -> str:
    """Return what happened in a sentence that says what to do, where we know it."""
    for cause in _causes(error):
        if _is_full_disk(cause):
            return (
                f"the disk is full{_where(cause)}: make room, with prune_rounds for example, then "
                f"resume; {_KEPT}"
            )
        if _is_out_of_memory(cause):
            return (
                f"the memory is used up ({cause or type(cause).__name__}): free some and resume, "
                "or start another round with smaller train.batch_size and "
                f"train.predict_batch_size; {_KEPT}"
            )
    expected = isinstance(error, (LenticularError, MlcoreError))
    return str(error) if expected else f"{type(error).__name__}: {error}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_full_disk(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    # SQLite and PostgreSQL, and libraries that keep the words but not the number.
    said = str(error).lower()
    return "disk is full" in said or "no space left on device" in said


def _is_out_of_memory(error: BaseException) -> bool:
    # torch's own class, known by its name so that nothing here brings torch.
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or "can't allocate memory" in str(error)


def _where(error: BaseException) -> str:
    path = getattr(error, "filename", None)
    return f" where {path} is written" if path else ""
