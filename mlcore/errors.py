"""The errors that mlcore raises, from one base class.

Every message names the parameter, the rule and the value, so that a caller can
show it to a person as it stands.
"""

from __future__ import annotations


class MlcoreError(Exception):
    """Base class of every error that mlcore raises on purpose."""


class InvalidInputError(MlcoreError, ValueError):
    """An argument breaks a documented rule."""


class TreeError(InvalidInputError):
    """A decision tree is not well formed; the message names the question."""


class AnnotationError(InvalidInputError):
    """A set of annotations is not a complete path through its tree."""


class CatalogueError(InvalidInputError):
    """A training catalogue has missing, blank or impossible columns."""


class ImageError(MlcoreError):
    """An image cannot be used.

    Parameters
    ----------
    message
        What is wrong, for a person.
    code
        One of ``missing``, ``not-an-image``, ``truncated``, ``too-many-bytes``
        and ``too-many-pixels``.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class ImagesAwayError(MlcoreError):
    """Images cannot be read just now: they may well be whole, and none is taken for damaged."""


class NotEnoughVotesError(MlcoreError):
    """There are too few votes or labelled galaxies for what was asked."""


class ArtefactError(MlcoreError):
    """A stored artefact is missing, corrupt or of another round."""


class UnreadableError(ArtefactError):
    """A stored artefact is not there, or cannot be read just now: it may well be whole."""


class FitError(MlcoreError):
    """A model could not be fitted, and no fallback applied."""


class CancelledError(MlcoreError):
    """The caller asked for a stop; what was finished stays on disk."""
