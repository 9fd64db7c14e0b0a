"""The tasks of the gpu queue: ids in, one call, safe to run twice.

The pipeline is imported in the body, because it brings torch, and every process that
knows the tasks imports this module.
"""

from __future__ import annotations

from celery import shared_task

from lenticular.rounds import selectors


@shared_task  # type: ignore[untyped-decorator]  # celery is untyped
def run_round(round_id: int) -> None:
    """Run a pending or stalled round; what another worker has is left alone."""
    from lenticular.rounds import pipeline  # noqa: PLC0415  (brings torch)

    pipeline.run(round_id)


@shared_task  # type: ignore[untyped-decorator]  # celery is untyped
def resume_stalled_rounds() -> list[int]:
    """Take up the rounds that nobody works on, and return their ids."""
    stalled = selectors.rounds_to_take_up()
    for round_id in stalled:
        run_round.delay(round_id)
    return stalled
