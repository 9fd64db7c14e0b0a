"""What can go wrong with a release, each with its own kind of problem."""

from __future__ import annotations

from django.utils.translation import gettext_noop

from lenticular.common.errors import ConflictError, InvalidInputError, LenticularError


class NoVotesError(InvalidInputError):
    """There is nothing to release."""

    kind = "no-votes"
    title = gettext_noop("There are no votes to release")


class TooManySubjectsError(InvalidInputError):
    """The release would take longer than a request may."""

    kind = "too-many-subjects"
    title = gettext_noop("This release is too large to be made from a page")


class ColumnClashError(InvalidInputError):
    """Two columns of the catalogue would have the same name."""

    kind = "column-clash"
    title = gettext_noop("Two columns would have the same name")


class ConsensusDiffersError(ConflictError):
    """The tallies are not what the log says."""

    kind = "consensus-differs"
    title = gettext_noop("The tallies are not what the log says")


class PredictionsDifferError(ConflictError):
    """The current model predicted subjects that the workflow does not have."""

    kind = "predictions-differ"
    title = gettext_noop("The current model's predictions are not of this workflow's subjects")


class DamagedFileError(LenticularError):
    """A released file is gone, or is not what was released."""

    status = 500
    kind = "damaged-file"
    title = gettext_noop("A released file is damaged")
