"""What can go wrong with a round, each with its own kind of problem."""

from __future__ import annotations

from django.utils.translation import gettext_noop

from lenticular.common.errors import ConflictError, InvalidInputError, LenticularError


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
