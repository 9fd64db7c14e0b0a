"""Writes of verdicts."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from django.db import transaction

from lenticular.accounts.services import volunteer_of
from lenticular.classifications.models import Classification, Kind
from lenticular.classifications.selectors import expert_classification, is_gold_standard
from lenticular.classifications.services import append_classification, withdraw_gold_standard
from lenticular.common.errors import ForbiddenError
from lenticular.review.errors import AlreadyReviewedError, BadVerdictError, GivenBeforeError
from lenticular.review.models import FlagVerdict
from lenticular.rounds.models import FlagState, MislabelFlag
from mlcore.errors import AnnotationError

if TYPE_CHECKING:
    from lenticular.accounts.models import User
    from lenticular.classifications.models import GoldWithdrawal
    from lenticular.subjects.models import Subject
    from lenticular.workflows.models import WorkflowVersion
    from mlcore.tree import TreePath

Annotations = Mapping[str, str] | Sequence[tuple[str, str]]
UNSETTLED = [FlagState.OPEN, FlagState.UNSURE]
VERDICTS = (FlagState.MISLABEL, FlagState.VOTES_RIGHT, FlagState.UNSURE)
NOTE_LENGTH = 2000
EXPLANATION_LENGTH = 500


@transaction.atomic
def record_verdict(
    *,
    flag: MislabelFlag,
    expert: User,
    state: str,
    annotations: Annotations | None = None,
    note: str = "",
    gold_standard: bool = False,
    explanation: str = "",
) -> FlagVerdict:
    """Record an expert's verdict on a flag; the right answers join the log.

    A flag that is settled stays so. One that an expert was unsure of can still be settled, by
    the same expert or another.

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
        galaxy and version: the same answers given for an earlier flag are taken again.
    note
        For colleagues.
    gold_standard
        Whether volunteers are checked against the answers and practise on the galaxy.
    explanation
        What volunteers who practise read afterwards; only with a gold standard.

    Raises
    ------
    ForbiddenError
        Where `expert` may not review.
    BadVerdictError
        For another state, answers that are no path of the tree, missing or not asked for.
    AlreadyReviewedError
        Where the flag is settled, or somebody was unsure before and this is unsure again.
    ConflictError
        Where this expert has given other answers for the galaxy under this version before, or
        would make a gold standard again that was withdrawn.
    """
    if not expert.may_review:
        raise ForbiddenError("verdicts need the role expert")
    path = _checked(flag, state, annotations, note)
    if gold_standard and path is None:
        raise BadVerdictError("a gold standard must have answers, has none")
    replaced = [FlagState.OPEN] if state == FlagState.UNSURE else UNSETTLED
    claimed = MislabelFlag.objects.filter(pk=flag.pk, state__in=replaced).update(state=state)
    if not claimed:
        rule = " or ".join(replaced)
        raise AlreadyReviewedError(f"flag {flag.pk} must be {rule}, has a verdict already")
    answers = None
    if path:
        answers = _expert_answers(
            flag.round.version,
            flag.subject,
            expert,
            path,
            gold_standard=gold_standard,
            explanation=explanation,
        )
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
    return _path(flag.round.version, annotations)


def _path(version: WorkflowVersion, annotations: Annotations) -> TreePath:
    try:
        return version.tree.validate(annotations)
    except AnnotationError as error:
        raise BadVerdictError(str(error)) from error


@transaction.atomic
def make_gold_standard(
    *,
    version: WorkflowVersion,
    subject: Subject,
    expert: User,
    annotations: Annotations,
    explanation: str = "",
) -> Classification:
    """Have an expert say what a galaxy is, so that volunteers practise on it.

    The same again answers as the first did.

    Parameters
    ----------
    version, subject
        What is answered, of which galaxy.
    expert
        Who may review.
    annotations
        One whole path of the version's tree.
    explanation
        What volunteers read after practising; may be empty.

    Raises
    ------
    ForbiddenError
        Where `expert` may not review.
    BadVerdictError
        For answers that are no path of the tree, or too long an explanation.
    ConflictError
        Where this expert has given other answers for the galaxy under this version before, or
        the same ones without making them a gold standard, or that gold standard is withdrawn:
        the log is never changed.
    """
    if not expert.may_review:
        raise ForbiddenError("gold standards need the role expert")
    return _expert_answers(
        version,
        subject,
        expert,
        _path(version, annotations),
        gold_standard=True,
        explanation=explanation,
    )


def withdraw_gold(*, classification: Classification, expert: User, reason: str) -> GoldWithdrawal:
    """Teach by this gold standard no more, as `withdraw_gold_standard`, for experts alone.

    Raises
    ------
    ForbiddenError
        Where `expert` may not review.
    """
    if not expert.may_review:
        raise ForbiddenError("gold standards need the role expert")
    return withdraw_gold_standard(classification=classification, expert=expert, reason=reason)


def _expert_answers(
    version: WorkflowVersion,
    subject: Subject,
    expert: User,
    path: TreePath,
    *,
    gold_standard: bool,
    explanation: str = "",
) -> Classification:
    if len(explanation) > EXPLANATION_LENGTH:
        rule = f"explanation must have at most {EXPLANATION_LENGTH} characters"
        raise BadVerdictError(f"{rule}, has {len(explanation)}")
    volunteer = volunteer_of(user=expert)
    given = expert_classification(version=version, subject_id=subject.pk, volunteer=volunteer)
    if given is not None and given.annotations == [list(step) for step in path]:
        return _as_asked(given, gold_standard=gold_standard)
    classification, _ = append_classification(
        uuid=uuid.uuid4(),
        version=version,
        subject=subject,
        volunteer=volunteer,
        path=path,
        kind=Kind.EXPERT,
        gold_standard=gold_standard,
        metadata={"explanation": explanation} if gold_standard and explanation else {},
    )
    return classification


def _as_asked(given: Classification, *, gold_standard: bool) -> Classification:
    """Return answers given before; refuse to make them the gold standard that they are not."""
    if gold_standard and not is_gold_standard(classification=given):
        how = "as one that is withdrawn" if given.gold_standard else "without making them one"
        raise GivenBeforeError(
            "these answers must be new to make them a gold standard, you have given them before, "
            f"{how}; a colleague can still do so"
        )
    return given
