"""Warnings before a round is wasted: saturation, careless volunteers, arms, drift.

Each reads aggregates, or so many of the latest records, never a whole table.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db.models import Count, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from lenticular.classifications.models import Arm, Classification, Kind
from lenticular.consensus.models import VolunteerWeight
from lenticular.rounds import selectors
from lenticular.rounds.errors import NotComparableError
from lenticular.rounds.panel import panel_counts, predictions_of
from lenticular.selection.models import Lease, QueueEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lenticular.rounds.models import Round
    from lenticular.workflows.models import Workflow
    from mlcore.tree import DecisionTree

    Votes = NDArray[np.float64]
    Panel = Mapping[int, tuple[str, NDArray[np.int64]]]

RECENT = 5000
"""Servings and votes that are looked at: the latest."""
AT_LEAST = 100
"""Below so many, nothing is said of shares."""
SATURATED = 0.8
CARELESS = 0.1
DRIFTED = 0.05
"""Nats per vote that newer votes may cost more than those that the model was judged on."""
DRAWS = 500
_WIDE = 2.576
"""Standard deviations either side that hold 99% of a normal distribution."""


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes
    ----------
    kind
        ``saturation``, ``careless``, ``arms`` or ``drift``.
    title, finding
        What it is, and what was found, with its number.
    value, low, high
        The number, with its interval where it has one; None where there is too little to go by.
    threshold
        What the number is held against.
    is_warning
        Whether something should be done.
    advice
        What to do; empty where nothing is to be done.
    """

    kind: str
    title: str
    finding: str
    threshold: float
    is_warning: bool = False
    advice: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def checks(*, workflow: Workflow) -> list[Check]:
    """Return all four, whether there is anything to warn of or not."""
    return [saturation(workflow), careless(workflow), arms(workflow), drift(workflow)]


def saturation(workflow: Workflow) -> Check:
    """Look how much of the pool outside the panel is retired.

    That a galaxy has all votes that a round wanted says little: that may be one.
    """
    pool = QueueEntry.objects.filter(workflow=workflow, in_panel=False)
    found = pool.aggregate(all=Count("id"), done=Count("id", filter=Q(is_retired=True)))
    title = _("Galaxies decided")
    if not found["all"]:
        return Check("saturation", title, _("No galaxy is queued outside the panel."), SATURATED)
    share = found["done"] / found["all"]
    finding = _("%(done)s of %(all)s galaxies outside the panel have enough answers: %(share)s.")
    is_warning = share > SATURATED
    advice = _("Another round will change little: import more galaxies, or close the workflow.")
    numbers = {"done": found["done"], "all": found["all"], "share": percent(share)}
    return Check(
        "saturation", title, finding % numbers, SATURATED, is_warning, advice * is_warning, share
    )


def careless(workflow: Workflow) -> Check:
    """Look how many of the latest votes come from volunteers whose answers agree with nobody's."""
    title = _("Votes of careless volunteers")
    votes = Classification.objects.filter(workflow=workflow, kind=Kind.VOTE).order_by("-id")
    person = Coalesce("volunteer__merged_into_id", "volunteer_id")
    cast = Counter(votes.annotate(person=person).values_list("person", flat=True)[:RECENT])
    weighed = VolunteerWeight.objects.filter(workflow=workflow)
    if sum(cast.values()) < AT_LEAST or not weighed.exists():
        finding = _("Too few votes yet, or volunteers are not weighed yet: that is done every 6 h.")
        return Check("careless", title, finding, CARELESS)
    flagged = set(weighed.filter(is_careless=True).values_list("volunteer_id", flat=True))
    total = sum(cast.values())
    guilty = sum(number for who, number in cast.items() if who in flagged)
    share, is_warning = guilty / total, guilty / total > CARELESS
    finding = _("%(guilty)s of the latest %(total)s votes: %(share)s.")
    advice = _("Look at their votes in the admin; votes are weighted, but a round learns from all.")
    numbers = {"guilty": guilty, "total": total, "share": percent(share)}
    return Check(
        "careless", title, finding % numbers, CARELESS, is_warning, advice * is_warning, share
    )


def arms(workflow: Workflow) -> Check:
    """Look whether the control arm gets the share of servings that the workflow gives it."""
    title, expected = _("Share of the control arm"), workflow.control_share
    leases = Lease.objects.filter(workflow=workflow, arm__in=(Arm.CONTROL, Arm.ACTIVE))
    served = Counter(leases.order_by("-id").values_list("arm", flat=True)[:RECENT])
    control, total = served[Arm.CONTROL], sum(served.values())
    if total < AT_LEAST:
        finding = _("Only %(total)s galaxies were served yet: too few to tell.")
        return Check("arms", title, finding % {"total": total}, expected)
    low, high = binomial_interval(control, total)
    is_warning = not low <= expected <= high
    finding = _(
        "%(control)s of the latest %(total)s servings: %(share)s, 99%% interval %(low)s to "
        "%(high)s, where the workflow gives it %(expected)s."
    )
    numbers = {"control": control, "total": total, "share": percent(control / total)}
    numbers |= {"low": percent(low), "high": percent(high), "expected": percent(expected)}
    advice = _(
        "Where one arm has run out of galaxies the other gets its share: enlarge the panel or the "
        "pool. Otherwise look at the log of the web servers."
    )
    share = control / total
    return Check(
        "arms",
        title,
        finding % numbers,
        expected,
        is_warning,
        advice * is_warning,
        share,
        low,
        high,
    )


def binomial_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return Wilson's 99% interval of a share (Wilson 1927, JASA 22, 209); `trials` above 0."""
    share, z2 = successes / trials, _WIDE**2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    half = _WIDE / (1 + z2 / trials) * spread
    return max(0.0, middle - half), min(1.0, middle + half)


def drift(workflow: Workflow) -> Check:
    """Look whether votes given since the current model's round cost it more than those before.

    The cost is the negative log probability of each panel vote under the predicted
    fractions, in nats, which does not depend on how many votes a galaxy has.
    """
    title = _("Drift of the current model")
    model = selectors.current_model(workflow)
    if model is None:
        return Check("drift", title, _("There is no model yet."), DRIFTED)
    try:
        before, after = _costs(model.round)
    except NotComparableError as error:
        return Check("drift", title, error.message, DRIFTED)
    if min(before[1].sum(), after[1].sum()) < AT_LEAST:
        finding = _("Only %(votes)s votes on the panel since round %(number)s: too few to tell.")
        numbers = {"votes": int(after[1].sum()), "number": model.round.number}
        return Check("drift", title, finding % numbers, DRIFTED)
    return _drift_check(title, model.round, before, after)


def _drift_check(
    title: str, round_: Round, before: tuple[Votes, Votes], after: tuple[Votes, Votes]
) -> Check:
    value = float(after[0].sum() / after[1].sum() - before[0].sum() / before[1].sum())
    rng = np.random.default_rng(0)
    drawn = _resampled(after, rng) - _resampled(before, rng)
    low, high = (float(each) for each in np.quantile(drawn, [0.05, 0.95]))
    is_warning = low > DRIFTED
    finding = _(
        "%(votes)s votes since round %(number)s cost its model %(value)s nats per vote more than "
        "those before, 90%% interval %(low)s to %(high)s."
    )
    numbers = {"votes": int(after[1].sum()), "number": round_.number, "value": f"{value:+.3f}"}
    numbers |= {"low": f"{low:+.3f}", "high": f"{high:+.3f}"}
    advice = _(
        "Galaxies or people have changed since: start a round, and look at the newest votes."
    )
    return Check(
        "drift",
        title,
        finding % numbers,
        DRIFTED,
        is_warning,
        advice * is_warning,
        value,
        low,
        high,
    )


def _costs(round_: Round) -> tuple[tuple[Votes, Votes], tuple[Votes, Votes]]:
    """Return costs (n,) and votes (n,) per panel galaxy, before the round and since."""
    panel = panel_counts(version=round_.version)
    predicted = predictions_of(round_, [id_str for id_str, _counts in panel.values()])
    known = {subject: each for subject, each in panel.items() if each[0] in predicted}
    new = _votes_since(round_, known)
    shape = (len(known), len(round_.version.tree.label_cols))
    chances = np.reshape([predicted[id_str] for id_str, _counts in known.values()], shape)
    logs = -np.log(_fractions(chances, round_.version.tree))
    total = np.reshape([counts for _id, counts in known.values()], shape).astype(float)
    # Votes that were taken back or count for another person leave nothing below zero.
    old = np.maximum(total - new, 0)
    return ((old * logs).sum(axis=1), old.sum(axis=1)), ((new * logs).sum(axis=1), new.sum(axis=1))


def _votes_since(round_: Round, panel: Panel) -> Votes:
    """Return the latest votes (n, A) on the panel since the round read the votes."""
    tree, row_of = round_.version.tree, {subject: row for row, subject in enumerate(panel)}
    counts = np.zeros((len(panel), len(tree.label_cols)))
    since = Classification.objects.filter(
        version=round_.version, kind=Kind.VOTE, arm=Arm.CONTROL, created_at__gt=round_.started_at
    )
    latest = since.order_by("-id").values_list("subject_id", "annotations")[:RECENT]
    for subject, path in latest.iterator():
        for question, answer in path if subject in row_of else ():
            counts[row_of[subject], tree.column_index[question, answer]] += 1
    return counts


def _fractions(concentrations: Votes, tree: DecisionTree) -> Votes:
    found = np.empty(concentrations.shape)
    for columns in tree.question_slices.values():
        part = concentrations[:, columns]
        found[:, columns] = part / part.sum(axis=1, keepdims=True)
    return found


def _resampled(parts: tuple[Votes, Votes], rng: np.random.Generator) -> Votes:
    """Return the cost per vote of DRAWS samples of the galaxies that have votes."""
    costs, votes = (part[parts[1] > 0] for part in parts)
    chosen = [rng.integers(0, len(votes), len(votes)) for _draw in range(DRAWS)]
    return np.array([costs[rows].sum() / votes[rows].sum() for rows in chosen])


def percent(share: float) -> str:
    """Return a share for a person."""
    return f"{100 * share:.1f}%"
