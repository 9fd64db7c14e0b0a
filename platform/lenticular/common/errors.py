"""The errors that services raise, from one base class.

A service raises one of these with a message that a person can act on; views and
the API turn it into a page or a problem document (see `lenticular.common.problems`). A page
says the title in the reader's language; documents and messages are English.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop


class LenticularError(Exception):
    """Base class of every error that Lenticular raises on purpose.

    Parameters
    ----------
    message
        What happened, which rule it breaks, and the value.
    extra
        Members to add to the problem document.
    """

    status = 400
    kind = "invalid"
    title = gettext_noop("The request breaks a rule")

    def __init__(self, message: str, **extra: object) -> None:
        super().__init__(message)
        self.message = message
        self.extra = extra


class InvalidInputError(LenticularError):
    """A value breaks a documented rule."""


class ForbiddenError(LenticularError):
    """The caller may not do this."""

    status = 403
    kind = "forbidden"
    title = gettext_noop("This needs another role")


class NotFoundError(LenticularError):
    """What was named does not exist."""

    status = 404
    kind = "not-found"
    title = gettext_noop("There is no such thing")


class ConflictError(LenticularError):
    """The request clashes with what is already there."""

    status = 409
    kind = "conflict"
    title = gettext_noop("This clashes with what is already there")
