"""``manage.py make_release WORKFLOW TITLE``: make a release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from lenticular.common.errors import LenticularError
from lenticular.releases.services import make_release
from lenticular.rounds.workspace import local_path
from lenticular.workflows.selectors import get_workflow

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from lenticular.releases.models import Release
    from lenticular.workflows.models import Workflow, WorkflowVersion


class Command(BaseCommand):
    help = "Make a release of a workflow's consensus as it is now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("workflow", help="the workflow's slug")
        parser.add_argument("title", help="of the catalogue, for citations")
        parser.add_argument("--workflow-version", type=int, help="number; default the current one")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            workflow = get_workflow(slug=options["workflow"])
            version = _version(workflow, options["workflow_version"])
            release = make_release(
                workflow=workflow, user=None, title=options["title"], version=version
            )
        except LenticularError as error:
            raise CommandError(error.message) from error
        self._report(release)

    def _report(self, release: Release) -> None:
        self.stdout.write(f"{release}: {release.subjects:,} galaxies, {release.votes:,} votes")
        for file in release.files.all():
            self.stdout.write(f"  {file.sha256}  {file.bytes:>12,}  {file.name}")
        self.stdout.write(f"  {local_path(release.artefacts)}")


def _version(workflow: Workflow, number: int | None) -> WorkflowVersion | None:
    if number is None:
        return None
    found = workflow.versions.filter(number=number).first()
    if found is None:
        raise CommandError(f"workflow {workflow} must have version {number}, has not")
    return found
