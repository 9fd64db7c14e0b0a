"""The form that makes a release."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from lenticular.releases.services import TITLE_LENGTH
from lenticular.workflows.models import Workflow


class WorkflowField(forms.ModelChoiceField[Workflow]):
    """A choice of workflows by the names that people know."""

    def label_from_instance(self, obj: Workflow) -> str:
        """Return the workflow's name."""
        return obj.name


class ReleaseForm(forms.Form):
    """Which workflow, and what the catalogue is called."""

    workflow = WorkflowField(
        Workflow.objects.filter(current_version__isnull=False).order_by("name"),
        label=_("Workflow"),
        empty_label=None,
    )
    title = forms.CharField(
        label=_("Title"),
        max_length=TITLE_LENGTH,
        help_text=_("Of the catalogue, as it will be cited."),
    )
