"""Reads of flags, spot checks and verdicts: those of each workflow's current model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Q, QuerySet

from lenticular.common.errors import NotFoundError
from lenticular.review.contamination import (
    Contamination,
    Draw,
    Verdicts,
    estimate_contamination,
    share_of_wrong_labels,
)
from lenticular.review.models import SpotChecks
from lenticular.rounds.models import FlagState, FlagStratum, MislabelFlag, Round
from lenticular.rounds.publishing import MISLABELS
from lenticular.rounds.workspace import readable_record, stage_folder

if TYPE_CHECKING:
    from mlcore.votes.contamination import Contamination as Share

FLAGS, SPOT_CHECKS = "flags", "spot-checks"
KINDS = {
    "": Q(),
    FLAGS: Q(stratum=FlagStratum.FLAGGED),
    SPOT_CHECKS: ~Q(stratum=FlagStratum.FLAGGED),
}
_COUNTED = {
    FlagState.MISLABEL: "confirmed",
    FlagState.VOTES_RIGHT: "refuted",
    FlagState.UNSURE: "unsure",
    FlagState.OPEN: "open",
}


@dataclass(frozen=True)
class SpotCheckProgress:
    """How far the review of a round's spot checks is, and what all verdicts say together.

    Attributes
    ----------
    made
        The drawing.
    following, rest
        The strata: the most suspect after the flagged, and all others.
    earlier
        Galaxies that were settled in earlier rounds.
    judged
        All galaxies that the round judged.
    share
        Of these, the share whose votes are wrong; None before each stratum has a verdict.
    """

    made: SpotChecks
    following: Draw
    rest: Draw
    earlier: Verdicts
    judged: int
    share: Share | None

    @property
    def drawn(self) -> int:
        """Spot checks."""
        return self.following.verdicts.total + self.rest.verdicts.total

    @property
    def reviewed(self) -> int:
        """Spot checks with a verdict."""
        return self.following.verdicts.reviewed + self.rest.verdicts.reviewed


@dataclass(frozen=True)
class Progress:
    """How far the review of one round is, and what it says so far.

    `judged` is of how many galaxies the round judged the votes, None where that is not
    known; `spot_checks` is None before they are drawn; `can_draw` tells whether they can be,
    which takes the list of the judged galaxies.
    """

    round: Round
    flags: Verdicts
    judged: int | None
    contamination: Contamination | None
    spot_checks: SpotCheckProgress | None
    can_draw: bool


def flags_to_review(
    *, state: str = "", kind: str = "", workflow: str = ""
) -> QuerySet[MislabelFlag]:
    """Return what is to review of the current models' rounds, workflow by workflow, by rank.

    Parameters
    ----------
    state
        Only galaxies in this state; empty for all.
    kind
        Only ``flags``, or only ``spot-checks``; empty for both.
    workflow
        Only galaxies of the workflow with this slug; empty for all.
    """
    found = MislabelFlag.objects.filter(KINDS[kind], round__model__is_current=True)
    if state:
        found = found.filter(state=state)
    if workflow:
        found = found.filter(round__workflow__slug=workflow)
    found = found.select_related("round__workflow", "round__version", "subject__survey")
    ordered = found.order_by("round__workflow__slug", "rank", "id")
    return ordered.prefetch_related("subject__images")


def get_flag(*, flag_id: int) -> MislabelFlag:
    """Return one flag, of whatever round; raises NotFoundError where there is none."""
    found = MislabelFlag.objects.select_related(
        "round__workflow", "round__version", "subject__survey"
    )
    flag = found.prefetch_related("subject__images", "verdicts__expert").filter(pk=flag_id).first()
    if flag is None:
        raise NotFoundError(f"flag {flag_id} does not exist")
    return flag


def neighbours(
    flag: MislabelFlag, *, state: str = "", kind: str = ""
) -> tuple[MislabelFlag | None, MislabelFlag | None]:
    """Return what is before and after this one in the round, by rank, of that state and kind."""
    flags = MislabelFlag.objects.filter(KINDS[kind], round=flag.round_id)
    if state:
        flags = flags.filter(state=state)
    before = flags.filter(rank__lt=flag.rank).order_by("-rank").first()
    return before, flags.filter(rank__gt=flag.rank).order_by("rank").first()


def next_to_judge(flag: MislabelFlag, *, state: str = FlagState.OPEN) -> MislabelFlag | None:
    """Return what to judge after this one: the next of its kind by rank, else the first.

    Where none of its kind is in that state, open or unsure, the first of the other.
    """
    waiting = MislabelFlag.objects.filter(round=flag.round_id, state=state).order_by("rank")
    alike = waiting.filter(KINDS[SPOT_CHECKS if flag.is_spot_check else FLAGS])
    return alike.filter(rank__gt=flag.rank).first() or alike.first() or waiting.first()


def progress_of_rounds() -> list[Progress]:
    """Return the progress of every current model's round that judged a galaxy, by workflow."""
    rounds = list(
        Round.objects.filter(model__is_current=True)
        .select_related("workflow")
        .order_by("workflow__slug")
    )
    verdicts = _verdicts(rounds)
    drawings = {made.round_id: made for made in SpotChecks.objects.filter(round__in=rounds)}
    found = [
        _progress(round_, verdicts.get(round_.pk, {}), drawings.get(round_.pk)) for round_ in rounds
    ]
    return [each for each in found if each.judged or each.flags.total]


def _verdicts(rounds: list[Round]) -> dict[int, dict[str, Verdicts]]:
    """Return the verdicts by round and stratum."""
    rows = MislabelFlag.objects.filter(round__in=rounds).order_by()
    counts: dict[tuple[int, str], dict[str, int]] = {}
    for round_id, stratum, state, n in rows.values_list("round", "stratum", "state").annotate(
        n=Count("pk")
    ):
        counts.setdefault((round_id, stratum), {})[_COUNTED[FlagState(state)]] = n
    found: dict[int, dict[str, Verdicts]] = {}
    for (round_id, stratum), numbers in counts.items():
        found.setdefault(round_id, {})[stratum] = Verdicts(**numbers)
    return found


def _progress(round_: Round, verdicts: dict[str, Verdicts], made: SpotChecks | None) -> Progress:
    flags = verdicts.get(FlagStratum.FLAGGED, Verdicts())
    judged = judged_galaxies(round_)
    return Progress(
        round=round_,
        flags=flags,
        judged=judged,
        contamination=estimate_contamination(
            confirmed=flags.confirmed,
            refuted=flags.refuted,
            unsettled=flags.unsettled,
            judged=judged,
        ),
        spot_checks=_spot_checks(made, flags, verdicts) if made else None,
        can_draw=made is None and (stage_folder(round_, "flag").path / MISLABELS).is_file(),
    )


def _spot_checks(
    made: SpotChecks, flags: Verdicts, verdicts: dict[str, Verdicts]
) -> SpotCheckProgress:
    following = Draw(made.next_galaxies, verdicts.get(FlagStratum.NEXT, Verdicts()))
    rest = Draw(made.rest_galaxies, verdicts.get(FlagStratum.REST, Verdicts()))
    earlier = Verdicts(made.earlier_wrong, made.earlier_right)
    return SpotCheckProgress(
        made=made,
        following=following,
        rest=rest,
        earlier=earlier,
        judged=flags.total + earlier.total + made.undecided + following.galaxies + rest.galaxies,
        share=share_of_wrong_labels(
            flags=flags, earlier=earlier, undecided=made.undecided, draws=[following, rest]
        ),
    )


def judged_galaxies(round_: Round) -> int | None:
    """Return of how many galaxies the round judged the votes; None where its record is no good."""
    record = readable_record(round_, "flag")
    return int(record.result["judged"]) if record and "judged" in record.result else None
