"""``manage.py teach SLUG [--guide FILE] [--tutorial FILE]``: a guide or tutorial of your own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from lenticular.common.errors import LenticularError
from lenticular.workflows.publishing import publish_guide, publish_tutorial
from lenticular.workflows.selectors import get_workflow

if TYPE_CHECKING:
    from argparse import ArgumentParser

PUBLISH = {"guide": publish_guide, "tutorial": publish_tutorial}


class Command(BaseCommand):
    help = "Give a workflow a field guide or a tutorial of its own, from JSON files."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        for kind in PUBLISH:
            parser.add_argument(f"--{kind}", type=Path, metavar="FILE", help=f"the {kind}'s JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        files = {kind: options[kind] for kind in PUBLISH if options[kind] is not None}
        if not files:
            raise CommandError("give --guide, --tutorial or both")
        for kind, path in files.items():
            try:
                published = PUBLISH[kind](
                    workflow=get_workflow(slug=options["slug"]),
                    document=_read(path),
                    folder=path.parent,
                )
            except LenticularError as error:
                raise CommandError(f"{path}: {error.message}") from error
            self.stdout.write(f"{published} is shown from now on")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} must be JSON in UTF-8: {error}") from error
