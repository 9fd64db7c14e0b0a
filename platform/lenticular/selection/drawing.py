"""The draw rule: which subject a volunteer sees next, and with which probability.

The selection function is known. Per slot:

1. with probability `gold_share`, a gold-standard subject: uniform among the first
   `GOLD_WINDOW` in the order of their expert classifications;
2. else, with probability `control_share`, the control arm: uniform among the first
   `CONTROL_WINDOW` open entries of the control panel in shuffle order;
3. else the active arm: uniform among the `ACTIVE_WINDOW` open entries outside the panel
   that have the highest priority.

Everything is among what the volunteer has not seen. Where the control or the active arm is
empty its share goes to the other, and an empty gold arm's to both; where both are empty,
nothing is left: gold subjects measure volunteers on the way, and are not an end. No
subject is in two arms, so that the probability of a subject is the probability of its arm
divided by the length of that arm's window.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lenticular.classifications.models import Arm

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

GOLD_WINDOW = 32
CONTROL_WINDOW = 32
ACTIVE_WINDOW = 32
WINDOWS = {Arm.GOLD: GOLD_WINDOW, Arm.CONTROL: CONTROL_WINDOW, Arm.ACTIVE: ACTIVE_WINDOW}


@dataclass(frozen=True)
class Draw:
    """One subject drawn; `probability` in (0, 1], over all arms."""

    subject_id: int
    arm: Arm
    probability: float


@dataclass
class Candidates:
    """What one volunteer may be served, arm by arm, in each arm's own order."""

    gold: list[int] = field(default_factory=list)
    control: list[int] = field(default_factory=list)
    active: list[int] = field(default_factory=list)

    def of(self, arm: Arm) -> list[int]:
        """Return the arm's subjects."""
        return {Arm.GOLD: self.gold, Arm.CONTROL: self.control, Arm.ACTIVE: self.active}[arm]


def arm_probabilities(
    candidates: Candidates, *, gold_share: float, control_share: float
) -> dict[Arm, float]:
    """Return the probability of each arm that can be drawn; empty where nothing is left."""
    if not candidates.control and not candidates.active:
        return {}
    gold = gold_share if candidates.gold else 0.0
    control = control_share if candidates.control else 0.0
    if not candidates.active:
        control = 1.0
    shares = {
        Arm.GOLD: gold,
        Arm.CONTROL: (1 - gold) * control,
        Arm.ACTIVE: (1 - gold) * (1 - control),
    }
    return {arm: share for arm, share in shares.items() if share > 0}


def draws(
    candidates: Candidates, *, gold_share: float, control_share: float, rng: random.Random
) -> Iterator[Draw]:
    """Yield draws without replacement until nothing is left; `candidates` is used up.

    Parameters
    ----------
    candidates
        Each arm's list may be longer than its window: the window moves on as subjects go.
    gold_share, control_share
        In [0, 1], as the workflow has them.
    rng
        Where chance comes from.
    """
    while shares := arm_probabilities(
        candidates, gold_share=gold_share, control_share=control_share
    ):
        arm = rng.choices(list(shares), list(shares.values()))[0]
        window = candidates.of(arm)[: WINDOWS[arm]]
        subject_id = rng.choice(window)
        candidates.of(arm).remove(subject_id)
        yield Draw(subject_id, arm, shares[arm] / len(window))
