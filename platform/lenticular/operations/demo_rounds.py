"""Rounds of the demonstration: started as an admin would, done by the worker."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from lenticular.common.errors import LenticularError
from lenticular.rounds.models import Round, RoundState
from lenticular.rounds.selectors import active_round, get_round
from lenticular.rounds.services import start_round
from mlcore.round_plan import RoundConfig
from mlcore.train_config import TrainConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from lenticular.accounts.models import User
    from lenticular.operations.processes import Stack
    from lenticular.workflows.models import Workflow

POLL_SECONDS = 0.5


class DemoRoundError(LenticularError):
    """A round of the demonstration ended without a result."""

    status = 500
    kind = "demo-round"
    title = "A round ended early"


def demo_config() -> RoundConfig:
    """Return settings that suit a small drawn survey on two cores."""
    train = replace(TrainConfig.small(), epochs=5, steps_per_epoch=20, pretrain_steps=80)
    return RoundConfig(train=train, folds=2, batch=300, expected_votes=6, review_at_least=20)


def run_one_round(
    *,
    workflow: Workflow,
    admin: User,
    seed: int,
    stack: Stack,
    on_progress: Callable[[float, str], None],
) -> Round:
    """Start a round, or join the one that is active, and wait until the worker is done.

    Parameters
    ----------
    stack
        Holds the worker; where that ends by itself, the wait ends with its error.
    on_progress
        Called with the fraction of the stages done and what is being done.

    Raises
    ------
    DemoRoundError
        Where the round fails or is cancelled.
    ProcessError
        Where the worker ends.
    """
    round_ = active_round(workflow=workflow) or start_round(
        workflow=workflow, user=admin, config=demo_config().to_dict(), seed=seed
    )
    while round_.is_active:
        stack.check()
        time.sleep(POLL_SECONDS)
        round_ = get_round(round_id=round_.pk)
        on_progress(*_progress(round_))
    if round_.state != RoundState.SUCCEEDED:
        raise DemoRoundError(f"{round_} must succeed, is {round_.state}: {round_.error}")
    return round_


def _progress(round_: Round) -> tuple[float, str]:
    stages = list(round_.stages.all())
    done = sum(1.0 if stage.finished_at else stage.progress for stage in stages)
    at_work = [stage for stage in stages if stage.started_at and not stage.finished_at]
    message = f"{at_work[-1].name}: {at_work[-1].message}" if at_work else round_.state
    return done / len(stages), message
