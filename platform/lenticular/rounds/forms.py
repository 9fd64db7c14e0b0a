"""The forms of the rounds pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from lenticular.rounds.models import RoundRule
from lenticular.rounds.scheduling import SETTABLE


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
            "config": _("Settings of these rounds, as JSON"),
        }
        widgets = {"config": forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})}

    def clean_config(self) -> Any:
        """Return the settings; none where the field is empty."""
        return self.cleaned_data["config"] or {}
