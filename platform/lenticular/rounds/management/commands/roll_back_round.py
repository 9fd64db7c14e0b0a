"""``manage.py roll_back_round WORKFLOW NUMBER``: make an earlier model current again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from lenticular.common.errors import LenticularError
from lenticular.rounds.models import Round
from lenticular.rounds.rolling import roll_back

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Make the model of an earlier round the current one again, and publish its queue."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("workflow", help="the workflow's slug")
        parser.add_argument("number", type=int, help="the round whose model to go back to")
        parser.add_argument("--reason", default="", help="why; it is recorded")

    def handle(self, *_args: Any, **options: Any) -> None:
        slug, number = options["workflow"], options["number"]
        round_ = Round.objects.filter(workflow__slug=slug, number=number).first()
        if round_ is None:
            raise CommandError(f"round must exist, {slug!r} has no round {number}")
        try:
            roll_back(round=round_, user=None, reason=options["reason"])
        except LenticularError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"the model of {round_} and its queue are in place again")
