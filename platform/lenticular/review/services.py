"""Writes of verdicts."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from django.db import transaction

from lenticular.accounts.services import volunteer_of
from lenticular.classifications.models import Classification, Kind
from lenticular.classifications.selectors import expert_classification
from lenticular.classifications.services import append_classification
from lenticular.common.errors import ForbiddenError
from lenticular.review.errors import AlreadyReviewedError, BadVerdictError
from lenticular.review.models import FlagVerdict
from lenticular.rounds.models import FlagState, MislabelFlag
from mlcore.errors import AnnotationError

if TYPE_CHECKING:
    from lenticular.accounts.models import User
    from mlcore.tree import TreePath

Annotations = Mapping[str, str] | Sequence[tuple[str, str]]
VERDICTS = (FlagState.MISLABEL, FlagState.VOTES_RIGHT, FlagState.UNSURE)
NOTE_LENGTH = 2000


@transaction.atomic
def record_verdict(
    *,
    flag: MislabelFlag,
    expert: User,
    state: str,
    annotations: Annotations | None = None,
    note: str = "",
    gold_standard: bool = False,
) -> FlagVerdict:
    """Record an expert's verdict on an open flag, once; the right answers join the log.

    Parameters
    ----------
    flag
        Of a round; its version's tree is the one that is answered.
    expert
        Who may review.
    state
        ``mislabel``, ``votes-right`` or ``unsure``.
    annotations
        The right answers, one whole path: needed for ``mislabel``, allowed for
        ``votes-right``, refused for ``unsure``. An expert has one classification per
        galaxy: the same answers given for an earlier flag are taken again.
    note
        For colleagues.
    gold_standard
        Whether volunteers may be checked against the answers.

    Raises
    ------
    ForbiddenError
        Where `expert` may not review.
    BadVerdictError
        For another state, answers that are no path of the tree, missing or not asked for.
    AlreadyReviewedError
        Where the flag has a verdict.
    ConflictError
        Where this expert has given other answers for the galaxy before.
    """
    if not expert.may_review:
        raise ForbiddenError("verdicts need the role expert")
    path = _checked(flag, state, annotations, note)
    if gold_standard and path is None:
        raise BadVerdictError("a gold standard must have answers, has none")
    claimed = MislabelFlag.objects.filter(pk=flag.pk, state=FlagState.OPEN).update(state=state)
    if not claimed:
        raise AlreadyReviewedError(f"flag {flag.pk} must be open, has a verdict already")
    answers = _classification(flag, expert, path, gold_standard=gold_standard) if path else None
    flag.state = state
    return FlagVerdict.objects.create(
        flag=flag, expert=expert, state=state, classification=answers, note=note
    )


def _checked(
    flag: MislabelFlag, state: str, annotations: Annotations | None, note: str
) -> TreePath | None:
    if state not in VERDICTS:
        raise BadVerdictError(f"state must be one of {', '.join(VERDICTS)}, is {state!r}")
    if len(note) > NOTE_LENGTH:
        raise BadVerdictError(f"note must have at most {NOTE_LENGTH} characters, has {len(note)}")
    if not annotations:
        if state == FlagState.MISLABEL:
            raise BadVerdictError("where the votes are wrong, the right answers must be given")
        return None
    if state == FlagState.UNSURE:
        raise BadVerdictError("answers must be left out where the verdict is unsure, are given")
    try:
        return flag.round.version.tree.validate(annotations)
    except AnnotationError as error:
        raise BadVerdictError(str(error)) from error


def _classification(
    flag: MislabelFlag, expert: User, path: TreePath, *, gold_standard: bool
) -> Classification:
    volunteer = volunteer_of(user=expert)
    given = expert_classification(
        version=flag.round.version, subject_id=flag.subject_id, volunteer=volunteer
    )
    if given is not None and given.annotations == [list(step) for step in path]:
        return given
    classification, _ = append_classification(
        uuid=uuid.uuid4(),
        version=flag.round.version,
        subject=flag.subject,
        volunteer=volunteer,
        path=path,
        kind=Kind.EXPERT,
        gold_standard=gold_standard,
    )
    return classification
