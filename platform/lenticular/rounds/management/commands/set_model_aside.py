"""``manage.py set_model_aside WORKFLOW``: go on without a damaged model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from lenticular.common.errors import LenticularError
from lenticular.rounds.rolling import set_model_aside
from lenticular.workflows.models import Workflow

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Set a workflow's damaged model aside, so that the next round has none to beat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("workflow", help="the workflow's slug")
        parser.add_argument("--reason", required=True, help="why; it is recorded")

    def handle(self, *_args: Any, **options: Any) -> None:
        workflow = Workflow.objects.filter(slug=options["workflow"]).first()
        if workflow is None:
            raise CommandError(f"workflow must exist, there is no {options['workflow']!r}")
        try:
            done = set_model_aside(workflow=workflow, user=None, reason=options["reason"])
        except LenticularError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"the model of {done.replaced} is set aside")
