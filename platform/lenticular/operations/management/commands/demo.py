"""``manage.py demo``: the whole loop on drawn galaxies, then the site."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from lenticular.accounts.models import Role, User
from lenticular.accounts.services import create_user
from lenticular.common.errors import LenticularError
from lenticular.operations.demo_plan import DemoPlan, DemoState
from lenticular.operations.demo_random import evaluate_random_choice
from lenticular.operations.demo_report import report_lines
from lenticular.operations.demo_rounds import run_one_round
from lenticular.operations.demo_votes import (
    Crowd,
    Volunteering,
    make_gold_standards,
    read_crowd,
    review_flags,
)
from lenticular.operations.management.commands.up import make_folders, require_free_port
from lenticular.operations.processes import Stack, start_web, start_worker, stop_on_termination
from lenticular.releases.services import make_release
from lenticular.rounds.models import FlagStratum, Round
from lenticular.rounds.workspace import local_path
from lenticular.selection.services import fill_queue
from lenticular.subjects.models import SubjectSet
from lenticular.workflows.models import Workflow
from lenticular.workflows.services import create_workflow
from mlcore.errors import MlcoreError
from mlcore.simulate.survey import SurveyFiles, draw_survey
from mlcore.tree import DecisionTree

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator

SLUG = "drawn-galaxies"
TREE = settings.ROOT / "fixtures" / "trees" / "gz-decals-5.json"


class Command(BaseCommand):
    help = "Run the whole loop on drawn galaxies with simulated volunteers, then serve it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="Address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="Port to listen on")
        parser.add_argument("--galaxies", type=int, default=DemoPlan.galaxies)
        parser.add_argument(
            "--no-serve", action="store_true", help="Stop after the table instead of serving"
        )

    def handle(
        self, *, host: str, port: int, galaxies: int, no_serve: bool, **_options: Any
    ) -> None:
        stop_on_termination()
        require_free_port(host, port)
        make_folders()
        call_command("migrate", verbosity=0, interactive=False)
        plan = _scaled(galaxies)
        state = DemoState.read(settings.HOME / "demo.json")
        try:
            with Stack(logs=settings.HOME / "logs") as stack:
                start_worker(stack, home=settings.HOME)
                if not state.is_finished:
                    self._go_round(plan, state, stack)
                self.stdout.write("\n".join(state.report))
                if not no_serve:
                    self._serve(stack, state, host, port)
        except KeyboardInterrupt:
            self.stdout.write("\nStopped. What was done is kept; make demo goes on from there.")
        except (LenticularError, MlcoreError) as error:
            raise CommandError(str(error)) from error

    def _serve(self, stack: Stack, state: DemoState, host: str, port: int) -> None:
        address = start_web(stack, host=host, port=port)
        self.stdout.write(
            f"\nLenticular is at {address} (Ctrl-C stops it)\n"
            f"Sign in as admin with the password {state.password}\n"
            f"Logs are in {settings.HOME / 'logs'}"
        )
        stack.wait()

    def _go_round(self, plan: DemoPlan, state: DemoState, stack: Stack) -> None:
        begun = time.monotonic()
        admin = _admin(state)
        files = _draw(plan)
        workflow = _import(files, plan)
        tree = DecisionTree.from_file(TREE)
        crowd = read_crowd(files.truth, tree, plan)
        make_gold_standards(workflow=workflow, expert=admin, crowd=crowd, count=plan.gold)
        people = Volunteering(workflow, plan, state, crowd)
        for number, votes in enumerate(plan.votes, start=1):
            if len(state.rounds) < number:
                _vote(people, votes)
                round_ = _round(workflow, admin, plan.seed, stack, number)
                _review(round_, admin, crowd)
                state.rounds.append(round_.pk)
                state.save()
        state.report = self._report(plan, state, workflow, admin, crowd)
        state.report.append(f"\nTook {time.monotonic() - begun:.0f} seconds.")
        state.is_finished = True
        state.save()

    def _report(
        self, plan: DemoPlan, state: DemoState, workflow: Workflow, admin: User, crowd: Crowd
    ) -> list[str]:
        rounds = [Round.objects.get(pk=key) for key in state.rounds]
        with _bar("Random choice instead", 3, "stage") as bar:
            random_choice = evaluate_random_choice(
                first=rounds[0],
                last=rounds[-1],
                plan=plan,
                crowd=crowd,
                directory=settings.HOME / "demo-random",
                on_progress=_StageBar(bar).report,
            )
        release = make_release(workflow=workflow, user=admin, title="Drawn galaxies")
        return report_lines(
            rounds=rounds,
            random_choice=random_choice,
            crowd=crowd,
            release=release,
            release_folder=str(local_path(release.artefacts)),
        )


def _scaled(galaxies: int) -> DemoPlan:
    """Return the plan for this many galaxies, with votes in proportion."""
    share = galaxies / DemoPlan.galaxies
    return DemoPlan(galaxies=galaxies, votes=tuple(int(v * share) for v in DemoPlan.votes))


def _admin(state: DemoState) -> User:
    state.save()
    found = User.objects.filter(username="admin").first()
    return found or create_user(username="admin", password=state.password, role=Role.ADMIN)


def _draw(plan: DemoPlan) -> SurveyFiles:
    with _bar("Drawing galaxies", plan.galaxies, "galaxy") as bar:
        return draw_survey(
            settings.HOME / "demo-survey",
            plan.galaxies,
            plan.seed,
            size=plan.image_size,
            on_progress=lambda _stage, done, _message: _move(bar, done * plan.galaxies),
        )


def _import(files: SurveyFiles, plan: DemoPlan) -> Workflow:
    call_command("import_subjects", str(files.manifest), survey=SLUG, subject_set=SLUG)
    workflow = Workflow.objects.filter(slug=SLUG).first() or create_workflow(
        slug=SLUG,
        name="Drawn galaxies",
        tree=DecisionTree.from_file(TREE),
        subject_sets=[SubjectSet.objects.get(slug=SLUG)],
        retirement_votes=plan.retirement_votes,
        control_panel=plan.control_panel,
        control_share=plan.control_share,
    )
    fill_queue(workflow=workflow)
    return workflow


def _vote(people: Volunteering, votes: int) -> None:
    with _bar("Volunteers classify", votes, "vote") as bar:
        people.classify_until(votes, lambda have: _move(bar, have))


def _round(workflow: Workflow, admin: User, seed: int, stack: Stack, number: int) -> Round:
    with _bar(f"Round {number}", 100, "%") as bar:

        def show(fraction: float, message: str) -> None:
            _move(bar, 100 * fraction)
            bar.set_postfix_str(message[:48])

        return run_one_round(
            workflow=workflow, admin=admin, seed=seed, stack=stack, on_progress=show
        )


def _review(round_: Round, expert: User, crowd: Crowd) -> None:
    flags = round_.flags.filter(stratum=FlagStratum.FLAGGED).count()
    with _bar("Expert reviews flags", flags, "flag") as bar:
        for _ in review_flags(round_=round_, expert=expert, crowd=crowd):
            bar.update()


class _StageBar:
    """A bar over stages that report fractions of themselves."""

    def __init__(self, bar: tqdm[Any]) -> None:
        self._bar = bar
        self._done: dict[str, float] = {}

    def report(self, stage: str, fraction: float, message: str) -> None:
        self._done[stage] = fraction
        _move(self._bar, sum(self._done.values()))
        self._bar.set_postfix_str(message[:48])


@contextmanager
def _bar(name: str, total: float, unit: str) -> Iterator[tqdm[Any]]:
    with tqdm(
        total=total,
        desc=name,
        unit=unit,
        bar_format="{desc:24}{percentage:3.0f}%|{bar:30}| {n:.0f}/{total:.0f} {elapsed} {postfix}",
    ) as bar:
        yield bar


def _move(bar: tqdm[Any], place: float) -> None:
    bar.update(place - bar.n)
