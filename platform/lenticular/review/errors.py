"""What can go wrong with a verdict, each with its own kind of problem."""

from __future__ import annotations

from django.utils.translation import gettext_noop

from lenticular.common.errors import ConflictError, InvalidInputError


class AlreadyReviewedError(ConflictError):
    """An expert has judged the flag."""

    kind = "already-reviewed"
    title = gettext_noop("This flag has a verdict already")


class BadVerdictError(InvalidInputError):
    """The verdict is none that can be given, or its answers are no path of the tree."""

    kind = "bad-verdict"
    title = gettext_noop("The verdict cannot be recorded")


class GivenBeforeError(ConflictError):
    """The expert has answered for this galaxy before."""

    kind = "given-before"
    title = gettext_noop("You have answered for this galaxy before")


class AlreadyDrawnError(ConflictError):
    """The round has its spot checks."""

    kind = "already-drawn"
    title = gettext_noop("The spot checks of this round are drawn already")


class CannotDrawError(ConflictError):
    """The round is not the current model's, or its list of judged galaxies is gone."""

    kind = "cannot-draw"
    title = gettext_noop("No spot checks can be drawn from this round")
