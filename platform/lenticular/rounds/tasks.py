"""The tasks of rounds: ids in, one call, safe to run twice.

The pipeline is imported in the body, because it brings torch, and every process that
knows the tasks imports this module.
"""

from __future__ import annotations

from celery import shared_task

from lenticular.consensus.services import compute_weights
from lenticular.rounds import scheduling, selectors
from lenticular.workflows.models import Workflow


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


@shared_task  # type: ignore[untyped-decorator]  # celery is untyped
def start_due_rounds() -> list[int]:
    """Start the rounds whose rules hold, and return their ids."""
    return [round_.pk for round_ in scheduling.start_due_rounds()]


@shared_task  # type: ignore[untyped-decorator]  # celery is untyped
def weigh_volunteers() -> int:
    """Weigh every workflow's volunteers, and return how many: the warnings read that."""
    return sum(compute_weights(workflow=workflow) for workflow in Workflow.objects.all())
