"""The classify form without JavaScript: the server walks the tree, one question per post."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from lenticular.common.errors import InvalidInputError
from lenticular.workflows.selectors import get_version
from mlcore.errors import AnnotationError

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import QueryDict

    from lenticular.workflows.models import WorkflowVersion
    from mlcore.tree import Question, Step

MAX_STEPS = 100


class BadFormError(InvalidInputError):
    """A field of the form is not as the page made it."""

    kind = "bad-form"


@dataclass(frozen=True)
class Walk:
    """How far a volunteer has come with one subject.

    Attributes
    ----------
    version, subject_id
        What is asked, of which galaxy.
    uuid
        Of the classification that this becomes; kept while walking.
    started_at
        When the galaxy was first shown; aware.
    steps
        (question, answer) from the start, each answered.
    chosen
        The answer to show as chosen at the open question; empty for none.
    """

    version: WorkflowVersion
    subject_id: int
    uuid: UUID
    started_at: datetime
    steps: tuple[Step, ...] = ()
    chosen: str = ""

    @property
    def question(self) -> Question | None:
        """The question that is open; None where the path is complete.

        Raises
        ------
        BadFormError
            For steps that the tree does not allow.
        """
        tree, expected = self.version.tree, self.version.tree.start
        for question, slug in self.steps:
            if question != expected:
                raise BadFormError(f"path must go on with question {expected!r}, has {question!r}")
            try:
                following = tree.question(question).answer(slug).next
            except AnnotationError as error:
                raise BadFormError(str(error)) from error
            if following is None:
                return None
            expected = following
        return tree.question(expected)

    def answered(self, slug: str) -> Walk:
        """Return the walk one answer further; no answer leaves it where it is."""
        question = self.question
        if question is None or not slug:
            return self
        return replace(self, steps=(*self.steps, (question.slug, slug)), chosen="")

    def back(self) -> Walk:
        """Return the walk one answer before, which stays chosen."""
        if not self.steps:
            return self
        return replace(self, steps=self.steps[:-1], chosen=self.steps[-1][1])


def new_walk(version: WorkflowVersion, subject_id: int) -> Walk:
    """Return the start of a walk."""
    return Walk(version, subject_id, uuid4(), timezone.now())


def read_walk(form: QueryDict) -> Walk:
    """Read the walk from a posted form, and take the step that it asks for.

    Raises
    ------
    BadFormError
        For a field that is not as the page made it.
    NotFoundError
        For an unknown version.
    """
    walk = Walk(
        version=get_version(version_id=_number(form, "version")),
        subject_id=_number(form, "subject"),
        uuid=_uuid(form),
        started_at=_time(form),
        steps=_steps(form),
    )
    return walk.back() if form.get("move") == "back" else walk.answered(form.get("answer", ""))


def _number(form: QueryDict, name: str) -> int:
    text = form.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadFormError(f"{name} must be a whole number, is {text[:40]!r}")
    return int(text)


def _uuid(form: QueryDict) -> UUID:
    text = form.get("uuid", "")
    try:
        return UUID(text)
    except ValueError as error:
        raise BadFormError(f"uuid must be a UUID, is {text[:40]!r}") from error


def _time(form: QueryDict) -> datetime:
    text = form.get("started_at", "")
    try:
        time = parse_datetime(text)
        if time is not None and time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # No time, or one that is before the year 1 or after 9999 in UTC.
    raise BadFormError(f"started_at must be a time with its zone, is {text[:40]!r}")


def _steps(form: QueryDict) -> tuple[Step, ...]:
    texts = form.getlist("path")
    if len(texts) > MAX_STEPS:
        raise BadFormError(f"path must have at most {MAX_STEPS} steps, has {len(texts)}")
    steps = []
    for text in texts:
        question, colon, answer = text.partition(":")
        if not colon:
            raise BadFormError(f"path must hold question:answer, has {text[:40]!r}")
        steps.append((question, answer))
    return tuple(steps)
