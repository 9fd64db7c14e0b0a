"""``manage.py prune_rounds WORKFLOW``: remove the files of old rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from lenticular.common.errors import LenticularError
from lenticular.rounds import pruning
from lenticular.rounds.telling import size
from lenticular.workflows.models import Workflow

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Show what the files of a workflow's rounds take; with --delete, remove old ones."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("workflow", help="the workflow's slug")
        parser.add_argument("--keep", type=int, default=2, help="how many of the latest to keep")
        parser.add_argument("--delete", action="store_true", help="remove them, not only say so")

    def handle(self, *_args: Any, **options: Any) -> None:
        workflow = Workflow.objects.filter(slug=options["workflow"]).first()
        if workflow is None:
            raise CommandError(f"workflow must exist, there is no {options['workflow']!r}")
        keep = options["keep"]
        try:
            if options["delete"]:
                found = pruning.prune_rounds(workflow=workflow, user=None, keep=keep)
            else:
                found = pruning.disk_use(workflow=workflow, keep=keep)
        except LenticularError as error:
            raise CommandError(error.message) from error
        goes = "removed" if options["delete"] else "would go"
        for each in found.rounds:
            fate = f"stays: {each.kept_because}" if each.kept_because else goes
            self.stdout.write(f"round {each.round.number:>4}  {size(each.bytes):>10}  {fate}")
        self.stdout.write(f"shared      {size(found.shared_bytes):>10}  stays: used by every round")
        self.stdout.write(f"{size(found.prunable_bytes)} of {size(found.total_bytes)} {goes}")
