"""How long stages report and how they are asked to stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from mlcore.errors import CancelledError

#: Called with the stage's name, the fraction done (0 to 1) and a message for a person.
OnProgress: TypeAlias = Callable[[str, float, str], None]

#: Answers whether the caller wants the stage to stop.
ShouldStop: TypeAlias = Callable[[], bool]


def report(on_progress: OnProgress | None, stage: str, fraction: float, message: str) -> None:
    """Call `on_progress` where there is one."""
    if on_progress is not None:
        on_progress(stage, fraction, message)


def stop_if_asked(should_stop: ShouldStop | None, stage: str) -> None:
    """Raise CancelledError, naming the stage, once `should_stop` answers yes."""
    if should_stop is not None and should_stop():
        raise CancelledError(f"{stage} was stopped on request")
