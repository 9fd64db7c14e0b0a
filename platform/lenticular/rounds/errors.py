"""What can go wrong with a round, each with its own kind of problem."""

from __future__ import annotations

from django.utils.translation import gettext_noop

from lenticular.common.errors import (
    ConflictError,
    InvalidInputError,
    LenticularError,
    NotFoundError,
)


class RoundActiveError(ConflictError):
    """The workflow has an active round already."""

    kind = "round-active"
    title = gettext_noop("A round of this workflow is active")


class RoundStateError(ConflictError):
    """The round is not in a state that allows this."""

    kind = "round-state"
    title = gettext_noop("The round does not allow this now")


class TooFewVotesError(InvalidInputError):
    """Too few galaxies have votes for a round."""

    kind = "too-few-votes"
    title = gettext_noop("There are too few votes for a round")


class NoVersionError(TooFewVotesError):
    """The workflow has no decision tree yet."""

    kind = "no-version"
    title = gettext_noop("The workflow has no decision tree")


class DiskSpaceError(LenticularError):
    """Too little disk is free for a round."""

    status = 507
    kind = "disk-space"
    title = gettext_noop("There is too little free disk")


class RoundLimitError(LenticularError):
    """The round has taken longer than it may."""

    kind = "round-limit"
    title = gettext_noop("The round took too long")


class DamagedModelError(ConflictError):
    """The files of a model are missing or have changed."""

    kind = "damaged-model"
    title = gettext_noop("The files of a model are damaged")


class NotComparableError(InvalidInputError):
    """Two models cannot be compared."""

    kind = "not-comparable"
    title = gettext_noop("These two models cannot be compared")


class NotComparedError(ConflictError):
    """The round was not compared with the model that it would replace."""

    kind = "not-compared"
    title = gettext_noop("Another model is the current one by now")


class RoundConfigError(InvalidInputError):
    """A setting of the round breaks its rule."""

    kind = "round-config"
    title = gettext_noop("A setting of the round breaks its rule")


class LostClaimError(LenticularError):
    """Another worker has taken up the round; this one must leave it alone."""

    kind = "lost-claim"
    title = gettext_noop("Another worker has this round")


class ArtefactStoreError(LenticularError):
    """The artefact store cannot hold a round's files."""

    status = 500
    kind = "artefact-store"
    title = gettext_noop("The artefact store cannot be used")


class NoEvaluationError(NotFoundError):
    """The round has not been judged, or what was found is not kept any more."""

    kind = "no-evaluation"
    title = gettext_noop("There is no evaluation of this round")


class DamagedEvaluationError(LenticularError):
    """The file of a round's evaluation cannot be read."""

    status = 500
    kind = "damaged-evaluation"
    title = gettext_noop("The evaluation's file is damaged")
