"""Reads of flags and verdicts: those of each workflow's current model."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from lenticular.common.errors import NotFoundError
from lenticular.review.contamination import Contamination, estimate_contamination
from lenticular.rounds.models import FlagState, MislabelFlag, Round
from lenticular.rounds.workspace import stage_folder


@dataclass(frozen=True)
class Progress:
    """How far the review of one round's flags is, and what it says so far."""

    round: Round
    flags: int
    open: int
    confirmed: int
    refuted: int
    unsure: int
    judged: int | None
    contamination: Contamination | None

    @property
    def reviewed(self) -> int:
        """Flags with a verdict."""
        return self.flags - self.open


def flags_to_review(*, state: str = "", workflow: str = "") -> QuerySet[MislabelFlag]:
    """Return the flags of the current models' rounds, workflow by workflow, by rank.

    Parameters
    ----------
    state
        Only flags in this state; empty for all.
    workflow
        Only flags of the workflow with this slug; empty for all.
    """
    found = MislabelFlag.objects.filter(round__model__is_current=True)
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
        "round__workflow", "round__version", "subject__survey", "verdict__expert"
    )
    flag = found.prefetch_related("subject__images").filter(pk=flag_id).first()
    if flag is None:
        raise NotFoundError(f"flag {flag_id} does not exist")
    return flag


def neighbours(
    flag: MislabelFlag, *, state: str = ""
) -> tuple[MislabelFlag | None, MislabelFlag | None]:
    """Return the flags of the round before and after this one by rank, in that state."""
    flags = MislabelFlag.objects.filter(round=flag.round_id)
    if state:
        flags = flags.filter(state=state)
    before = flags.filter(rank__lt=flag.rank).order_by("-rank").first()
    return before, flags.filter(rank__gt=flag.rank).order_by("rank").first()


def next_open(flag: MislabelFlag) -> MislabelFlag | None:
    """Return the open flag to judge after this one: the next by rank, else the first."""
    still_open = MislabelFlag.objects.filter(round=flag.round_id, state=FlagState.OPEN)
    still_open = still_open.order_by("rank")
    return still_open.filter(rank__gt=flag.rank).first() or still_open.first()


def progress_of_rounds() -> list[Progress]:
    """Return the progress of every current model's round that has flags, by workflow."""
    rounds = Round.objects.filter(model__is_current=True).select_related("workflow")
    counted = rounds.annotate(
        n_flags=Count("flags"),
        **{
            f"n_{state.name.lower()}": Count("flags", filter=Q(flags__state=state))
            for state in FlagState
        },
    )
    return [_progress(round_) for round_ in counted.order_by("workflow__slug") if round_.n_flags]


def _progress(round_: Round) -> Progress:
    counts = {
        name: int(getattr(round_, f"n_{name}"))
        for name in ("flags", "open", "mislabel", "votes_right", "unsure")
    }
    judged = judged_galaxies(round_)
    contamination = estimate_contamination(
        confirmed=counts["mislabel"],
        refuted=counts["votes_right"],
        unsettled=counts["open"] + counts["unsure"],
        judged=judged,
    )
    return Progress(
        round=round_,
        flags=counts["flags"],
        open=counts["open"],
        confirmed=counts["mislabel"],
        refuted=counts["votes_right"],
        unsure=counts["unsure"],
        judged=judged,
        contamination=contamination,
    )


def judged_galaxies(round_: Round) -> int | None:
    """Return of how many galaxies the round judged the votes; None where its record is gone."""
    record = stage_folder(round_, "flag").record()
    return int(record.result["judged"]) if record and "judged" in record.result else None
