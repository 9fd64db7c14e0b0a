"""Which galaxies to ask volunteers about next, and how many votes to ask for.

One file for each rule: `at_random`, `margin`, `entropy`, `bald` and ours, `information`.
Each scores `Beliefs`, what the model thinks of some galaxies (`beliefs`). `batch` chooses
galaxies that differ from each other, `votes` counts their votes out. Everything is numpy:
it knows nothing of the model but means and variances.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlcore.errors import InvalidInputError
from mlcore.gp.acquisition.asked import asked_probability
from mlcore.gp.acquisition.at_random import RandomRule
from mlcore.gp.acquisition.bald import BaldRule, information_gain, tree_information
from mlcore.gp.acquisition.batch import select_batch
from mlcore.gp.acquisition.beliefs import Beliefs, LatentModel, believe
from mlcore.gp.acquisition.entropy import EntropyRule
from mlcore.gp.acquisition.information import InformationRule, gaussian_information, taught
from mlcore.gp.acquisition.margin import MarginRule
from mlcore.gp.acquisition.rule import AcquisitionRule, score_candidates
from mlcore.gp.acquisition.votes import vote_noise, votes_wanted

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "AcquisitionRule",
    "BaldRule",
    "Beliefs",
    "EntropyRule",
    "InformationRule",
    "LatentModel",
    "MarginRule",
    "RandomRule",
    "asked_probability",
    "believe",
    "gaussian_information",
    "information_gain",
    "make_rule",
    "score_candidates",
    "select_batch",
    "taught",
    "tree_information",
    "vote_noise",
    "votes_wanted",
]


def make_rule(name: str, *, n_votes: int, n_draws: int, seed: int) -> AcquisitionRule:
    """Return the rule called `name`, one of `mlcore.round_plan.ACQUISITION_RULES`.

    ``design`` places votes one by one (`mlcore.gp.vote_design`); what gets none of them is
    scored by ``information``.

    Parameters
    ----------
    n_votes
        Votes that a galaxy is expected to get, for the rules that count them.
    n_draws, seed
        For the rules that draw.

    Raises
    ------
    InvalidInputError
        For another name.
    """
    rules: dict[str, Callable[[], AcquisitionRule]] = {
        "information": lambda: InformationRule(n_votes),
        "design": lambda: InformationRule(n_votes),
        "bald": lambda: BaldRule(n_votes, n_draws, seed),
        "entropy": EntropyRule,
        "margin": MarginRule,
        "random": lambda: RandomRule(seed),
    }
    if name not in rules:
        raise InvalidInputError(f"acquisition must be one of {', '.join(rules)}, is {name!r}")
    return rules[name]()
