"""``manage.py create_workflow SLUG --tree FILE --subject-set SET``: ask a tree of subjects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from lenticular.common.errors import LenticularError
from lenticular.selection.services import fill_queue, reopen_queue
from lenticular.subjects.models import SubjectSet
from lenticular.workflows.models import Workflow
from lenticular.workflows.services import add_subject_sets, create_workflow, publish_version
from mlcore.errors import TreeError
from mlcore.tree import DecisionTree

if TYPE_CHECKING:
    from argparse import ArgumentParser

RULES = {
    "control_panel": float,
    "control_share": float,
    "gold_share": float,
    "retirement_votes": int,
    "artifact_votes": int,
}
ALL_RULES = (*RULES, "has_practice")


class Command(BaseCommand):
    help = (
        "Make a workflow and fill its queue. One that exists gets the tree as a new version, "
        "unless it asks that tree already, and the subject sets; its rules stay."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--name", help="for people; by default the tree's")
        parser.add_argument("--tree", type=Path, required=True, help="a tree's JSON file")
        parser.add_argument("--subject-set", action="append", default=[], metavar="SET")
        for rule, kind in RULES.items():
            parser.add_argument(f"--{rule.replace('_', '-')}", type=kind)
        parser.add_argument(
            "--no-practice",
            dest="has_practice",
            action="store_const",
            const=False,
            help="serve no galaxies that experts know, for practice",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        tree, sets = _tree(options["tree"]), _sets(options["subject_set"])
        rules = {rule: options[rule] for rule in ALL_RULES if options[rule] is not None}
        workflow = Workflow.objects.filter(slug=options["slug"]).first()
        try:
            if workflow is None:
                workflow = create_workflow(
                    slug=options["slug"],
                    name=options["name"] or tree.name,
                    tree=tree,
                    subject_sets=sets,
                    **rules,
                )
            else:
                _renew(workflow, tree, sets, rules)
        except LenticularError as error:
            raise CommandError(error.message) from error
        self.stdout.write(
            f"{workflow.current_version}: {fill_queue(workflow=workflow)} subjects queued"
        )


def _renew(
    workflow: Workflow, tree: DecisionTree, sets: list[SubjectSet], rules: dict[str, float]
) -> None:
    if rules:
        raise CommandError(f"the rules of {workflow} stay as they were made, leave {rules} out")
    add_subject_sets(workflow=workflow, subject_sets=sets)
    before = workflow.current_version_id
    # Both or neither: run again after a kill, this could not tell that the queue is still due.
    with transaction.atomic():
        if publish_version(workflow=workflow, tree=tree).pk != before:
            reopen_queue(workflow=workflow)


def _tree(path: Path) -> DecisionTree:
    try:
        return DecisionTree.from_file(path)
    except (TreeError, OSError) as error:
        raise CommandError(f"--tree must be a tree's JSON file: {error}") from error


def _sets(slugs: list[str]) -> list[SubjectSet]:
    found = {wanted.slug: wanted for wanted in SubjectSet.objects.filter(slug__in=slugs)}
    for slug in slugs:
        if slug not in found:
            raise CommandError(f"--subject-set must name a subject set, there is no {slug!r}")
    return list(found.values())
