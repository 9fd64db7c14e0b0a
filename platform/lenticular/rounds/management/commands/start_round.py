"""``manage.py start_round WORKFLOW``: start a retraining round."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from lenticular.common.errors import LenticularError
from lenticular.rounds import selectors, services
from lenticular.rounds.estimates import dry_run
from lenticular.rounds.models import Round, RoundState
from lenticular.rounds.telling import dry_run_lines
from lenticular.workflows.models import Workflow

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator

LOOK_SECONDS = 0.5
BAR = 24


class Command(BaseCommand):
    help = "Start a retraining round of a workflow; a worker of the gpu queue runs it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("workflow", help="the workflow's slug")
        parser.add_argument("--seed", type=int, help="where all randomness comes from")
        parser.add_argument(
            "--config", default="{}", help="settings over the workflow's own, as JSON"
        )
        parser.add_argument(
            "--from-defaults", action="store_true", help="leave out the workflow's own settings"
        )
        parser.add_argument("--resume", action="store_true", help="resume the latest round")
        parser.add_argument(
            "--dry-run", action="store_true", help="say what it would read and cost; start nothing"
        )
        parser.add_argument("--wait", action="store_true", help="show progress until it ends")
        parser.add_argument(
            "--here", action="store_true", help="run it in this process, without a worker"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        workflow = Workflow.objects.filter(slug=options["workflow"]).first()
        if workflow is None:
            raise CommandError(f"workflow must exist, there is no {options['workflow']!r}")
        try:
            if options["dry_run"]:
                self.stdout.write("\n".join(_try(workflow, options)))
                return
            round_ = _begin(workflow, options)
        except LenticularError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{round_}: {round_.state}, seed {round_.seed}")
        if options["here"]:
            _run_here(round_)
        if options["wait"] or options["here"]:
            self._wait(round_)

    def _wait(self, round_: Round) -> None:
        shown = ""
        while (line := _line(round_)) and round_.is_active:
            if line != shown:
                self._show(line)
            shown = line
            time.sleep(LOOK_SECONDS)
            round_.refresh_from_db()
        self._show(line + "\n")
        if round_.state != RoundState.SUCCEEDED:
            raise CommandError(f"{round_} {round_.state}: {round_.error or 'nobody said why'}")
        self.stdout.write(f"{round_}: {round_.verdict}. {round_.verdict_reason}")

    def _show(self, line: str) -> None:
        is_terminal = sys.stdout.isatty()
        self.stdout.write(
            f"\r\x1b[K{line}" if is_terminal else line, ending="" if is_terminal else "\n"
        )
        self.stdout.flush()


def _begin(workflow: Workflow, options: dict[str, Any]) -> Round:
    if options["resume"]:
        latest = selectors.rounds_of(workflow=workflow).first()
        if latest is None:
            raise CommandError(f"workflow {workflow} has no round to resume")
        return services.resume_round(round=latest, user=None)
    return services.start_round(
        workflow=workflow, user=None, seed=options["seed"], **_settings(options)
    )


def _try(workflow: Workflow, options: dict[str, Any]) -> Iterator[str]:
    return dry_run_lines(dry_run(workflow=workflow, **_settings(options)))


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    try:
        config = json.loads(options["config"])
    except ValueError as error:
        raise CommandError(f"config must be JSON, is not: {error}") from error
    if not isinstance(config, dict):
        raise CommandError(f"config must be an object of settings, is {options['config']}")
    return {"config": config, "from_defaults": options["from_defaults"]}


def _run_here(round_: Round) -> None:
    from lenticular.rounds import pipeline  # noqa: PLC0415  (brings torch)

    pipeline.run(round_.pk)
    round_.refresh_from_db()


def _line(round_: Round) -> str:
    """Return one line for a person: the stage, a bar, and the latest message."""
    stage = round_.stages.filter(finished_at=None).first() or round_.stages.last()
    if stage is None:
        return str(round_.state)
    filled = round(BAR * stage.progress)
    bar = "█" * filled + "·" * (BAR - filled)
    return f"{stage.name:>9} {bar} {stage.progress:4.0%}  {stage.message}"
