"""How many wrong labels there are, from what experts have judged. No database here.

Science notes: Cheng et al. 2020 (MNRAS 493, 4209) found about 2.5% of Galaxy Zoo 1 labels
wrong where a network contradicted them. Interval: Brown, Cai and DasGupta 2001 (Stat. Sci.
16, 101), equal-tailed Jeffreys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.stats import beta

from lenticular.common.errors import InvalidInputError
from mlcore.votes.contamination import Contamination as Share
from mlcore.votes.contamination import Stratum, contamination

if TYPE_CHECKING:
    from collections.abc import Sequence

JEFFREYS = 0.5


@dataclass(frozen=True)
class Estimate:
    """An estimate and its interval; all in [0, 1]."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Verdicts:
    """How many of some galaxies have each verdict, or none yet."""

    confirmed: int = 0
    refuted: int = 0
    unsure: int = 0
    open: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.settled + self.unsettled

    @property
    def settled(self) -> int:
        """Those of which an expert is sure."""
        return self.confirmed + self.refuted

    @property
    def unsettled(self) -> int:
        """Those open or unsure."""
        return self.unsure + self.open

    @property
    def reviewed(self) -> int:
        """Those with a verdict, sure or not."""
        return self.total - self.open


@dataclass(frozen=True)
class Draw:
    """A stratum of which some galaxies were drawn at random: its size, and their verdicts."""

    galaxies: int
    verdicts: Verdicts


@dataclass(frozen=True)
class Contamination:
    """What the verdicts say.

    Attributes
    ----------
    precision
        Share of flags that are wrong labels.
    rate
        Share of the judged galaxies whose votes are wrong; None where it is not known how
        many the machine judged.
    """

    precision: Estimate
    rate: Estimate | None


def estimate_contamination(
    *, confirmed: int, refuted: int, unsettled: int, judged: int | None, level: float = 0.9
) -> Contamination | None:
    """Estimate which share of flags, and of galaxies, have wrong votes.

    With c flags confirmed and r refuted, the share p of flags that are right has the
    posterior Beta(c + 1/2, r + 1/2) (Jeffreys). The u unsettled flags are taken to be right
    as often as the settled ones, so that of n judged galaxies ``(c + p u) / n`` have wrong
    votes; its interval takes p at the ends of p's own.

    It leans both ways: flags are judged from the most surprising down, so that those still
    open are rather less often right; and wrong votes that surprised no model are not counted.

    Parameters
    ----------
    confirmed, refuted
        Verdicts "the votes are wrong" and "the votes are right"; at least 0.
    unsettled
        Flags open, or judged unsure; at least 0.
    judged
        Galaxies whose votes the machine looked at; at least as many as there are flags.
        None where that is not known.
    level
        Posterior probability inside the intervals, between 0 and 1.

    Returns
    -------
    Contamination or None
        None where no verdict has settled a flag.

    Raises
    ------
    InvalidInputError
        For a negative count, fewer judged galaxies than flags, or a level out of range.
    """
    flags = _checked_flags(confirmed, refuted, unsettled)
    if judged is not None and judged < flags:
        raise InvalidInputError(f"judged must be at least {flags}, the flags, is {judged}")
    if not 0 < level < 1:
        raise InvalidInputError(f"level must be between 0 and 1, is {level}")
    if confirmed + refuted == 0:
        return None
    precision = jeffreys(confirmed, confirmed + refuted, level)
    rate = None
    if judged:
        shares = (precision.value, precision.low, precision.high)
        rate = Estimate(*((confirmed + share * unsettled) / judged for share in shares))
    return Contamination(precision, rate)


def share_of_wrong_labels(
    *, flags: Verdicts, earlier: Verdicts, undecided: int, draws: Sequence[Draw]
) -> Share | None:
    """Estimate which share of all judged galaxies has wrong votes, with a 95% interval.

    The strata that are added up (`mlcore.votes.contamination`): what was settled in earlier
    rounds and the flags settled, all reviewed; flags open or unsure with the undecided, none
    reviewed, so that any share of them may be wrong and the estimate is NaN; and each of
    `draws`, of which the settled are a random part.

    Parameters
    ----------
    flags
        Of the round, spot checks aside.
    earlier
        Galaxies not flagged again since an expert settled them before.
    undecided
        Galaxies as suspect as the flagged of which an expert was unsure before.
    draws
        The strata that spot checks were drawn from.

    Returns
    -------
    mlcore.votes.contamination.Contamination or None
        None without a judged galaxy, and while a stratum with galaxies that was drawn from
        has no settled verdict.
    """
    known = flags.settled + earlier.settled
    open_flags = flags.unsettled + undecided
    strata = [
        Stratum(known, known, flags.confirmed + earlier.confirmed),
        Stratum(open_flags, 0, 0),
        *(Stratum(each.galaxies, each.verdicts.settled, each.verdicts.confirmed) for each in draws),
    ]
    is_missing = any(each.galaxies and not each.verdicts.settled for each in draws)
    if is_missing or not any(stratum.galaxies for stratum in strata):
        return None
    return contamination(strata)


def jeffreys(successes: int, trials: int, level: float) -> Estimate:
    """Return the posterior mean and equal-tailed interval of a share under Jeffreys's prior.

    Where all or none succeeded the interval reaches the end, 1 or 0, as Brown et al. advise.
    """
    ours, others = successes + JEFFREYS, trials - successes + JEFFREYS
    low = beta.ppf((1 - level) / 2, ours, others) if successes else 0.0
    high = beta.ppf((1 + level) / 2, ours, others) if successes < trials else 1.0
    return Estimate(ours / (ours + others), float(low), float(high))


def _checked_flags(confirmed: int, refuted: int, unsettled: int) -> int:
    counts = {"confirmed": confirmed, "refuted": refuted, "unsettled": unsettled}
    for name, count in counts.items():
        if count < 0:
            raise InvalidInputError(f"{name} must be at least 0, is {count}")
    return sum(counts.values())
