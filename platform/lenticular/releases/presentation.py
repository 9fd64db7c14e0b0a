"""What the releases pages show, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lenticular.releases.making import facts_of

if TYPE_CHECKING:
    from lenticular.releases.documents import Facts
    from lenticular.releases.models import Release


def facts(release: Release) -> Facts:
    """Return what the documents of the release say of it."""
    return facts_of(
        title=release.title,
        number=release.number,
        made_at=release.created_at,
        provenance=release.provenance,
    )


def file_stem(release: Release) -> str:
    """Return how the release's files begin their names where they are downloaded to."""
    return f"{release.workflow.slug}-release-{release.number}"


def changes(release: Release, before: Release | None) -> list[str]:
    """Return what changed since the release before; one line where there was none."""
    if before is None:
        return [_("This is the first release of this workflow.")]
    lines = [_votes_change(release.votes - before.votes)]
    lines.append(_subjects_change(release.subjects - before.subjects))
    if release.version_id != before.version_id:
        versions = {"old": before.version.number, "new": release.version.number}
        lines.append(
            _("Other questions: version %(new)s of the workflow, after version %(old)s.") % versions
        )
    if release.round_id != before.round_id:
        lines.append(_model_change(release, before))
    return lines


def _votes_change(by: int) -> str:
    if by < 0:
        fewer = ngettext("%(n)s vote fewer.", "%(n)s votes fewer.", -by)
        return fewer % {"n": f"{-by:,}"}
    return ngettext("%(n)s vote more.", "%(n)s votes more.", by) % {"n": f"{by:,}"}


def _subjects_change(by: int) -> str:
    if by == 0:
        return _("The same number of galaxies.")
    if by < 0:
        fewer = ngettext("%(n)s galaxy fewer.", "%(n)s galaxies fewer.", -by)
        return fewer % {"n": f"{-by:,}"}
    return ngettext("%(n)s galaxy more.", "%(n)s galaxies more.", by) % {"n": f"{by:,}"}


def _model_change(release: Release, before: Release) -> str:
    if release.round is None:
        return _("No predictions: there is no model for this version.")
    if before.round is None:
        return _("Predictions for the first time, by the model of round %(new)s.") % {
            "new": release.round.number
        }
    numbers = {"new": release.round.number, "old": before.round.number}
    return _("Predictions by the model of round %(new)s, after round %(old)s.") % numbers
