"""The draw rule: which subject a volunteer sees next, and with which probability.

The selection function is known. Per slot:

1. with probability `practice_share`, a practice subject, which teaches the volunteer and
   is no vote: uniform among the first `PRACTICE_WINDOW` in the order of subjects;
2. else, with probability `gold_share`, a gold-standard subject: uniform among the first
   `GOLD_WINDOW` in the order of subjects;
3. else, with probability `control_share`, the control arm: uniform among the first
   `CONTROL_WINDOW` open entries of the control panel in shuffle order;
4. else the active arm: uniform among the `ACTIVE_WINDOW` open entries outside the panel
   that have the highest priority.

Everything is among what the volunteer has not seen. Where the control or the active arm is
empty its share goes to the other, and an empty practice or gold arm's to the arms after it;
where control and active are both empty, nothing is left: practice and gold subjects teach
and measure volunteers on the way, and are not an end. No subject is in two arms, so that
the probability of a subject is the probability of its arm divided by the length of that
arm's window.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lenticular.classifications.models import Arm

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

PRACTICE_WINDOW = 32
GOLD_WINDOW = 32
CONTROL_WINDOW = 32
ACTIVE_WINDOW = 32
WINDOWS = {
    Arm.PRACTICE: PRACTICE_WINDOW,
    Arm.GOLD: GOLD_WINDOW,
    Arm.CONTROL: CONTROL_WINDOW,
    Arm.ACTIVE: ACTIVE_WINDOW,
}
PRACTICE_SHARES = ((16, 0.4), (41, 0.2))
"""Share of practice while fewer galaxies than the first number were served."""
LASTING_PRACTICE_SHARE = 0.1
"""Share of practice from then on: even the experienced meet a known galaxy now and then."""
PRACTISED = PRACTICE_SHARES[-1][0]
"""From this many galaxies on, the share of practice changes no more."""


def practice_share(served: int) -> float:
    """Return the share of practice in the slots of a volunteer who was served so many before."""
    shares = (share for below, share in PRACTICE_SHARES if served < below)
    return next(shares, LASTING_PRACTICE_SHARE)


@dataclass(frozen=True)
class Draw:
    """One subject drawn; `probability` in (0, 1], over all arms."""

    subject_id: int
    arm: Arm
    probability: float


@dataclass
class Candidates:
    """What one volunteer may be served, arm by arm, in each arm's own order."""

    practice: list[int] = field(default_factory=list)
    gold: list[int] = field(default_factory=list)
    control: list[int] = field(default_factory=list)
    active: list[int] = field(default_factory=list)

    def of(self, arm: Arm) -> list[int]:
        """Return the arm's subjects."""
        found: list[int] = getattr(self, arm.value)
        return found


def arm_probabilities(
    candidates: Candidates, *, practice_share: float, gold_share: float, control_share: float
) -> dict[Arm, float]:
    """Return the probability of each arm that can be drawn; empty where nothing is left."""
    if not candidates.control and not candidates.active:
        return {}
    practice = practice_share if candidates.practice else 0.0
    gold = (1 - practice) * (gold_share if candidates.gold else 0.0)
    control = control_share if candidates.control else 0.0
    if not candidates.active:
        control = 1.0
    rest = 1 - practice - gold
    shares = {
        Arm.PRACTICE: practice,
        Arm.GOLD: gold,
        Arm.CONTROL: rest * control,
        Arm.ACTIVE: rest * (1 - control),
    }
    return {arm: share for arm, share in shares.items() if share > 0}


def draws(
    candidates: Candidates,
    *,
    gold_share: float,
    control_share: float,
    rng: random.Random,
    served: int = 0,
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
    served
        How many subjects the volunteer was served before; each draw is one more.
    """
    while shares := arm_probabilities(
        candidates,
        practice_share=practice_share(served),
        gold_share=gold_share,
        control_share=control_share,
    ):
        arm = rng.choices(list(shares), list(shares.values()))[0]
        window = candidates.of(arm)[: WINDOWS[arm]]
        subject_id = rng.choice(window)
        candidates.of(arm).remove(subject_id)
        served += 1
        yield Draw(subject_id, arm, shares[arm] / len(window))
