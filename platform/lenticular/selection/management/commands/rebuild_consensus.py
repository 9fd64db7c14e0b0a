"""``manage.py rebuild_consensus [--check]``: compare what is derived with the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from lenticular.consensus.services import Difference, find_differences, rebuild_consensus
from lenticular.selection.services import find_queue_differences, rebuild_queue
from lenticular.workflows.models import Workflow

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterable


class Command(BaseCommand):
    help = (
        "Compute tallies, retirements and the queue's room again from the log and mend what "
        "differs. With --check, print what differs, change nothing, and end with 1 if "
        "anything does. Safe while people classify."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("workflow", nargs="*", help="slugs; by default every workflow")
        parser.add_argument("--check", action="store_true")

    def handle(self, *_args: Any, **options: Any) -> None:
        find = _check if options["check"] else _mend
        found = sum(self._show(workflow, find(workflow)) for workflow in _workflows(options))
        if options["check"] and found:
            raise CommandError(f"{found} differences from the log", returncode=1)
        self.stdout.write(f"{found} differences mended" if found else "no differences")

    def _show(self, workflow: Workflow, differences: Iterable[Difference]) -> int:
        found = 0
        for found, difference in enumerate(differences, start=1):  # noqa: B007  (counts them)
            self.stdout.write(f"{workflow}: {difference}")
        return found


def _check(workflow: Workflow) -> Iterable[Difference]:
    yield from find_differences(workflow=workflow)
    yield from find_queue_differences(workflow=workflow)


def _mend(workflow: Workflow) -> Iterable[Difference]:
    yield from rebuild_consensus(workflow=workflow, check=False)
    yield from rebuild_queue(workflow=workflow, check=False)


def _workflows(options: dict[str, Any]) -> list[Workflow]:
    slugs = options["workflow"]
    if not slugs:
        return list(Workflow.objects.order_by("slug"))
    found = {workflow.slug: workflow for workflow in Workflow.objects.filter(slug__in=slugs)}
    for slug in slugs:
        if slug not in found:
            raise CommandError(f"workflow must exist, there is no {slug!r}")
    return [found[slug] for slug in slugs]
