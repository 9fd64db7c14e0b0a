"""The schedule: its rules, and the rounds that it starts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction

from lenticular.common.errors import InvalidInputError, LenticularError
from lenticular.rounds import services
from lenticular.rounds.models import RoundRule
from lenticular.rounds.rules import checked_config, rule_of, waits_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lenticular.accounts.models import User
    from lenticular.rounds.models import Round
    from lenticular.workflows.models import Workflow

SETTABLE = (
    "is_on",
    "new_votes",
    "hours_between",
    "training_galaxies",
    "panel_galaxies",
    "config",
)
logger = logging.getLogger(__name__)


@transaction.atomic
def set_round_rule(
    *, workflow: Workflow, user: User | None, changes: Mapping[str, Any]
) -> RoundRule:
    """Change when the schedule starts rounds; what `changes` leaves out stays.

    Raises
    ------
    ForbiddenError
        Where the user may not run rounds.
    InvalidInputError
        For a name that is no part of a rule, or a value outside its range.
    RoundConfigError
        For a setting of the rounds that breaks its rule.
    """
    services.require_admin(user)
    unknown = sorted(set(changes) - set(SETTABLE))
    if unknown:
        raise InvalidInputError(f"{unknown[0]} must be one of {', '.join(SETTABLE)}, is not")
    rule = rule_of(workflow=workflow)
    for name, value in changes.items():
        setattr(rule, name, value)
    _check(rule)
    rule.changed_by = user
    rule.save()
    return rule


def _check(rule: RoundRule) -> None:
    try:
        rule.clean_fields()
    except ValidationError as error:
        name, problems = next(iter(error.message_dict.items()))
        raise InvalidInputError(f"{name}: {problems[0]}") from error
    if not isinstance(rule.config, dict):
        raise InvalidInputError(f"config must be an object of settings, is {rule.config!r}")
    checked_config(workflow=rule.workflow, config=rule.config)


def start_due_rounds() -> list[Round]:
    """Start a round of every workflow whose rule holds, and return them.

    Safe to run twice at once: a workflow has one active round, and a round just started
    leaves no new votes.
    """
    rules = RoundRule.objects.filter(is_on=True).select_related("workflow__current_version")
    started = [_start_if_due(rule) for rule in rules.order_by("workflow__slug")]
    return [round_ for round_ in started if round_ is not None]


def _start_if_due(rule: RoundRule) -> Round | None:
    waits = next(waits_for(rule=rule), None)
    if waits is not None:
        logger.debug("no round of %s: %s", rule.workflow, waits.message)
        return None
    try:
        return services.start_round(workflow=rule.workflow, user=None)
    except LenticularError as error:
        logger.warning("no scheduled round of %s: %s", rule.workflow, error)
        return None
