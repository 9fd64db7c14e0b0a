"""What can go wrong between people, each with its own kind of problem."""

from __future__ import annotations

from django.utils.translation import gettext_noop

from lenticular.common.errors import ConflictError, ForbiddenError, InvalidInputError


class BadTextError(InvalidInputError):
    """A name or a text can not be used."""

    kind = "bad-text"
    title = gettext_noop("This text can not be used")


class EmptyTextError(BadTextError):
    """Nothing is there to be read."""

    kind = "empty-text"


class TooLongTextError(BadTextError):
    """There are more characters than is allowed."""

    kind = "too-long"


class TooManyError(ConflictError):
    """There is no room for more."""

    kind = "too-many"
    title = gettext_noop("There is no room for more")


class TooFastError(InvalidInputError):
    """Somebody writes faster than people read."""

    status = 429
    kind = "too-fast"
    title = gettext_noop("That was a little fast")


class NotClassifiedError(ForbiddenError):
    """The reader has not classified the subject yet."""

    kind = "not-classified"
    title = gettext_noop("Comments open once you have classified the galaxy")


class SuspendedError(ForbiddenError):
    """The account may not comment."""

    kind = "suspended"
    title = gettext_noop("This account may not comment")


class TooLateError(ConflictError):
    """A comment can be changed for a while only."""

    kind = "too-late"
    title = gettext_noop("This comment can not be changed any more")


class NameTakenError(ConflictError):
    """The person has a collection of this name."""

    kind = "name-taken"
    title = gettext_noop("You have a collection of this name already")
