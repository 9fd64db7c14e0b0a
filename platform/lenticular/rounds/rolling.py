"""Rolling back: an earlier model and its queue take the place of the current ones.

And, where there is none to go back to, setting a damaged one aside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from lenticular.common.errors import InvalidInputError
from lenticular.rounds.errors import RoundStateError
from lenticular.rounds.live import nudge
from lenticular.rounds.models import RollBack, Round, TrainedModel, Verdict
from lenticular.rounds.publishing import Prepared, prepared, put_in_place, require_whole
from lenticular.rounds.rules import why_outdated
from lenticular.rounds.selectors import current_model
from lenticular.rounds.services import require_admin
from lenticular.rounds.workspace import find_damage, stage_folder
from lenticular.workflows.services import lock_workflow
from mlcore.errors import ArtefactError
from mlcore.stages import MARK

if TYPE_CHECKING:
    from lenticular.accounts.models import User
    from lenticular.workflows.models import Workflow

READ_STAGES = ("train", "predict", "acquire", "flag")
"""What pages and the queue read of a published round."""


def roll_back(
    *,
    round: Round,  # noqa: A002
    user: User | None,
    reason: str = "",
) -> RollBack:
    """Make the model of an earlier round the current one again, and publish its queue.

    All of it happens or nothing: the queue's order comes from the round's stored files,
    which are checked first. Flags stay with their rounds; review shows the current model's.

    Raises
    ------
    ForbiddenError
        Where the user may not run rounds.
    RoundStateError
        Where the model was never published or is the current one, answers another decision
        tree than people are asked, or lacks files.
    """
    require_admin(user)
    # All files are read before the lock is held; what can happen meanwhile is looked at again.
    round_ = _checked(round)
    try:
        with prepared(round=round_, stages=READ_STAGES, verify=require_whole) as ready:
            return _roll_back(round_, user, reason.strip(), ready)
    except ArtefactError as error:
        raise RoundStateError(str(error)) from error


@transaction.atomic
def _roll_back(round_: Round, user: User | None, reason: str, ready: Prepared) -> RollBack:
    lock_workflow(workflow=round_.workflow)
    _checked(round_)
    replaced = current_model(round_.workflow)
    put_in_place(round=round_, ready=ready)
    done = RollBack.objects.create(
        round=round_,
        replaced=replaced.round if replaced else None,
        user=user,
        reason=reason,
    )
    transaction.on_commit(lambda: nudge(round_.pk))
    return done


def set_model_aside(*, workflow: Workflow, user: User | None, reason: str) -> RollBack:
    """Leave the workflow without a current model, where the files of the one it has are damaged.

    The next round is compared with none, as the first was. The queue stays as it is, and so do the
    model's files and flags: once its files are whole again it can be rolled back to.

    Raises
    ------
    ForbiddenError
        Where the user may not run rounds.
    InvalidInputError
        Where no reason is given.
    RoundStateError
        Where there is no current model, its files are whole, or another became the current one
        meanwhile.
    """
    require_admin(user)
    if not reason.strip():
        raise InvalidInputError("reason must say why the model is set aside, is blank")
    current = current_model(workflow)
    if current is None:
        raise RoundStateError(f"{workflow} must have a current model to set aside, has none")
    if find_damage(current.round, "train") is None:
        raise RoundStateError(
            f"only a damaged model can be set aside, that of {current.round} is whole"
        )
    return _set_aside(current, user, reason.strip())


@transaction.atomic
def _set_aside(current: TrainedModel, user: User | None, reason: str) -> RollBack:
    lock_workflow(workflow=current.workflow)
    still = TrainedModel.objects.filter(pk=current.pk, is_current=True)
    if not still.update(is_current=False):
        raise RoundStateError(f"the model of {current.round} must be the current one, is not now")
    done = RollBack.objects.create(replaced=current.round, user=user, reason=reason)
    transaction.on_commit(lambda: nudge(current.round_id))
    return done


def why_no_roll_back(*, round_: Round) -> str | None:
    """Return why the round's model can not be the current one again; None where it can.

    Only looks whether files are there: `roll_back` reads them all.
    """
    number = round_.number
    model: TrainedModel | None = getattr(round_, "model", None)
    if model is None or round_.verdict not in {Verdict.ACCEPTED, Verdict.OVERRIDDEN}:
        return _("The model of round %(number)s was never published.") % {"number": number}
    if model.is_current:
        return _("The model of round %(number)s is the current one.") % {"number": number}
    outdated = why_outdated(round_=round_)
    if outdated:
        return outdated
    gone = [name for name in READ_STAGES if not (stage_folder(round_, name).path / MARK).is_file()]
    if gone:
        message = _("Files of round %(number)s are gone: %(stages)s.")
        return message % {"number": number, "stages": ", ".join(gone)}
    return None


def _checked(round_: Round) -> Round:
    """Return the round as it is now; raises RoundStateError where it can not be gone back to."""
    found = Round.objects.select_related("workflow", "version", "model").get(pk=round_.pk)
    refusal = why_no_roll_back(round_=found)
    if refusal:
        raise RoundStateError(refusal)
    return found
