"""Writes of workflows and their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction

from lenticular.common.errors import ConflictError, InvalidInputError
from lenticular.workflows.models import Workflow, WorkflowVersion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lenticular.subjects.models import SubjectSet
    from mlcore.tree import DecisionTree

RULES = frozenset(
    {
        "is_open",
        "control_panel",
        "control_share",
        "gold_share",
        "has_practice",
        "retirement_votes",
        "artifact_votes",
    }
)


@transaction.atomic
def create_workflow(
    *,
    slug: str,
    name: str,
    tree: DecisionTree,
    subject_sets: Iterable[SubjectSet] = (),
    **rules: float,
) -> Workflow:
    """Create a workflow whose first version asks `tree`.

    Its queue is filled by `selection.services.fill_queue`.

    Parameters
    ----------
    slug, name
        The slug is in addresses and file names.
    tree
        What is asked.
    subject_sets
        About which subjects.
    rules
        Fields of `Workflow` named in `RULES`; left out, the model's defaults.

    Raises
    ------
    ConflictError
        Where a workflow with this slug exists.
    InvalidInputError
        For an unknown rule, or a value out of its range.
    """
    unknown = sorted(set(rules) - RULES)
    if unknown:
        raise InvalidInputError(f"rules must be among {', '.join(sorted(RULES))}, has {unknown[0]}")
    if Workflow.objects.filter(slug=slug).exists():
        raise ConflictError(f"workflow {slug!r} exists already")
    workflow = Workflow(slug=slug, name=name)
    for rule, value in rules.items():
        setattr(workflow, rule, value)
    _check(workflow)
    workflow.save()
    add_subject_sets(workflow=workflow, subject_sets=subject_sets)
    publish_version(workflow=workflow, tree=tree)
    return workflow


def _check(workflow: Workflow) -> None:
    try:
        workflow.full_clean()
    except ValidationError as error:
        found: dict[str, list[str]] = error.message_dict
        rules = "; ".join(
            f"{name} is {getattr(workflow, name, None)!r}: {' '.join(reasons)}"
            for name, reasons in found.items()
        )
        raise InvalidInputError(f"workflow {workflow.slug!r} can not be made: {rules}") from error


@transaction.atomic
def publish_version(*, workflow: Workflow, tree: DecisionTree) -> WorkflowVersion:
    """Make `tree` what the workflow asks from now on; the tree asked now makes no new version.

    Votes of other versions stay in the log and are tallied apart. Call
    `selection.services.reopen_queue` afterwards, in the same transaction, so that subjects
    half done are asked anew.
    """
    locked = lock_workflow(workflow=workflow)
    current = locked.current_version
    if current is not None and current.checksum == tree.checksum:
        workflow.current_version = current
        return current
    number = WorkflowVersion.objects.filter(workflow=locked).count() + 1
    version = WorkflowVersion.objects.create(
        workflow=locked, number=number, tree_json=tree.to_dict(), checksum=tree.checksum
    )
    locked.current_version = version
    locked.save(update_fields=["current_version"])
    workflow.current_version = version
    return version


def lock_workflow(*, workflow: Workflow) -> Workflow:
    """Take the workflow's lock until the transaction ends, and return it as it is then.

    Whoever changes what it asks, which model it goes by or which round is active takes it
    first. Votes are taken all the while.
    """
    return Workflow.objects.select_for_update(no_key=True).get(pk=workflow.pk)


def try_lock_workflow(*, workflow: Workflow) -> Workflow | None:
    """Take the workflow's lock as `lock_workflow` does, or return None where another has it."""
    free = Workflow.objects.select_for_update(no_key=True, skip_locked=True)
    return free.filter(pk=workflow.pk).first()


@transaction.atomic
def add_subject_sets(*, workflow: Workflow, subject_sets: Iterable[SubjectSet]) -> None:
    """Ask about these subject sets too."""
    workflow.subject_sets.add(*subject_sets)


def set_open(*, workflow: Workflow, is_open: bool) -> Workflow:
    """Start or stop serving subjects; answers to what was served are still taken."""
    Workflow.objects.filter(pk=workflow.pk).update(is_open=is_open)
    workflow.is_open = is_open
    return workflow
