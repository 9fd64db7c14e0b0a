"""Reads of workflows and their versions."""

from __future__ import annotations

from lenticular.common.errors import NotFoundError
from lenticular.workflows.models import Workflow, WorkflowVersion


def get_workflow(*, slug: str) -> Workflow:
    """Return one workflow with its current version; raises NotFoundError for none."""
    found = Workflow.objects.select_related("current_version").filter(slug=slug).first()
    if found is None:
        raise NotFoundError(f"workflow {slug!r} does not exist")
    return found


def get_version(*, version_id: int) -> WorkflowVersion:
    """Return one version with its workflow; raises NotFoundError for none."""
    found = WorkflowVersion.objects.select_related("workflow").filter(pk=version_id).first()
    if found is None:
        raise NotFoundError(f"workflow version {version_id} does not exist")
    return found


def current_version(workflow: Workflow) -> WorkflowVersion:
    """Return what the workflow asks now; raises NotFoundError where it has no version."""
    if workflow.current_version is None:
        raise NotFoundError(f"workflow {workflow.slug!r} has no version")
    return workflow.current_version
