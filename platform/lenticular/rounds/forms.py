"""The forms of the rounds pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from lenticular.rounds.errors import RoundConfigError
from lenticular.rounds.models import RoundRule
from lenticular.rounds.rules import rule_of
from lenticular.rounds.scheduling import SETTABLE

if TYPE_CHECKING:
    from django.http import QueryDict

    from lenticular.workflows.models import Workflow


class RuleForm(forms.ModelForm[RoundRule]):
    """When the schedule starts rounds."""

    class Meta:
        """The rule's fields that people set."""

        model = RoundRule
        fields = SETTABLE
        labels = {
            "is_on": _("Start rounds on a schedule"),
            "new_votes": _("Votes since the last round, at least"),
            "hours_between": _("Hours between rounds, at least"),
            "training_galaxies": _("Galaxies with votes outside the control panel, at least"),
            "panel_galaxies": _("Galaxies with votes in the control panel, at least"),
            "config": _("Settings of the workflow's rounds, as JSON"),
        }
        widgets = {"config": forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})}

    def clean_config(self) -> Any:
        """Return the settings; none where the field is empty."""
        return self.cleaned_data["config"] or {}


class StartForm(forms.Form):
    """The settings of one round; those that the workflow's rule keeps are filled in."""

    config = forms.JSONField(
        required=False,
        label=_("Settings of this round, as JSON"),
        help_text=_("What is left out has its default."),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )

    def settings(self) -> dict[str, Any]:
        """Return what `services.start_round` takes: what was sent, all of it and no more.

        Where no field was sent at all it is nothing, and the workflow's rule goes.

        Raises
        ------
        RoundConfigError
            For text that is no JSON object.
        """
        if "config" not in self.data:
            return {}
        if not self.is_valid():
            raise RoundConfigError(f"config must be JSON, is {self.data['config']!r}")
        config = self.cleaned_data["config"] or {}
        if not isinstance(config, dict):
            raise RoundConfigError(f"config must be an object of settings, is {config!r}")
        return {"config": config, "from_defaults": True}


def start_form(workflow: Workflow, sent: QueryDict | None = None) -> StartForm:
    """Return the form as sent, or else filled in; its ids name the workflow."""
    kept = {"config": rule_of(workflow=workflow).config}
    return StartForm(sent, initial=kept, auto_id=f"{workflow.slug}-%s")
