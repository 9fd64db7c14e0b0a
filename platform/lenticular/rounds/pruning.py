"""What the rounds' files take, and cleaning up those that nothing needs any more.

The records stay: figures, verdicts, checksums, settings. Only files go.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.apps import apps
from django.db import models, transaction
from django.utils.translation import gettext as _

from lenticular.common.errors import InvalidInputError
from lenticular.rounds import selectors, workspace
from lenticular.rounds.disk import folder_bytes
from lenticular.rounds.models import Round, TrainedModel
from lenticular.rounds.services import require_admin
from lenticular.workflows.services import lock_workflow

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from lenticular.accounts.models import User
    from lenticular.workflows.models import Workflow

_GONE = ".pruned-"


@dataclass(frozen=True)
class RoundUse:
    """The files of one round; `kept_because` is empty where they may go."""

    round: Round
    bytes: int
    kept_because: str


@dataclass(frozen=True)
class DiskUse:
    """What the rounds of a workflow take, the latest round first."""

    rounds: list[RoundUse]
    shared_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.shared_bytes + sum(each.bytes for each in self.rounds)

    @property
    def prunable(self) -> list[RoundUse]:
        """The rounds whose files may go."""
        return [each for each in self.rounds if not each.kept_because]

    @property
    def prunable_bytes(self) -> int:
        """What would be free."""
        return sum(each.bytes for each in self.prunable)


def disk_use(*, workflow: Workflow, keep: int = 2) -> DiskUse:
    """Return the rounds that have files, and why each is kept when the latest `keep` are.

    Raises
    ------
    InvalidInputError
        Where `keep` is below 0.
    """
    if keep < 0:
        raise InvalidInputError(f"keep must be at least 0, is {keep}")
    rounds = selectors.rounds_of(workflow=workflow)
    with_files = [each for each in rounds.iterator() if workspace.round_folder(each).is_dir()]
    reasons = _reasons(with_files, keep)
    uses = [
        RoundUse(each, folder_bytes(workspace.round_folder(each)), reasons.get(each.pk, ""))
        for each in with_files
    ]
    return DiskUse(uses, folder_bytes(workspace.shared_folder(workflow)))


def _reasons(rounds: list[Round], keep: int) -> dict[int, str]:
    """Return why a round's files stay; the strongest reason wins."""
    ids = [each.pk for each in rounds]
    current = TrainedModel.objects.filter(round__in=ids, is_current=True)
    reasons = dict.fromkeys(ids[:keep], _("among the latest"))
    reasons |= dict.fromkeys(_named_elsewhere(ids), _("a release names it"))
    reasons |= dict.fromkeys(current.values_list("round_id", flat=True), _("the current model"))
    return reasons | {each.pk: _("active") for each in rounds if each.is_active}


def _named_elsewhere(ids: Collection[int]) -> set[int]:
    """Return those of the rounds that records of other rooms, such as releases, name.

    Those rooms are above this one, so they are asked through their foreign keys alone. A
    record that would go with its round, as spot checks would, keeps none of its files.
    """
    rooms = [model for model in apps.get_models() if model._meta.app_label != "rounds"]  # noqa: SLF001
    keys = [
        (model, field.name)
        for model in rooms
        for field in model._meta.concrete_fields  # noqa: SLF001
        if isinstance(field, models.ForeignKey)
        and field.related_model is Round
        and field.remote_field.on_delete is not models.CASCADE
    ]
    named: set[int] = set()
    for model, name in keys:
        found = model._base_manager.filter(**{f"{name}__in": ids})  # noqa: SLF001
        named |= set(found.values_list(name, flat=True))
    return named


def prune_rounds(*, workflow: Workflow, user: User | None, keep: int) -> DiskUse:
    """Remove the files of rounds that nothing needs, and return what there was before.

    Raises
    ------
    ForbiddenError
        Where the user may not run rounds.
    InvalidInputError
        Where `keep` is below 0.
    """
    require_admin(user)
    with transaction.atomic():
        # Who resumes a round or goes back to its model waits for us, and then finds no files.
        lock_workflow(workflow=workflow)
        before = disk_use(workflow=workflow, keep=keep)
        for each in before.prunable:
            folder = workspace.round_folder(each.round)
            folder.rename(folder.with_name(f"{_GONE}{folder.name}"))
    _sweep(workspace.shared_folder(workflow).parent)
    return before


def _sweep(folder: Path) -> None:
    """Remove what was set aside, by this run or by one that was killed."""
    for path in folder.glob(f"{_GONE}*"):
        shutil.rmtree(path)
