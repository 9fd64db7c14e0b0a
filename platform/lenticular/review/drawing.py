"""The drawing of spot checks: galaxies at random among those that a round did not flag.

Wrong votes that surprised no model can be counted by looking at some galaxies that nobody
doubts. Of the most suspect after the flagged as many are drawn as of all the rest: wrong votes
are commoner there (see `mlcore.votes.contamination`).
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from django.db import transaction
from django.db.models import Case, Max, When

from lenticular.common.errors import ForbiddenError
from lenticular.review.errors import AlreadyDrawnError, CannotDrawError
from lenticular.review.models import FlagVerdict, SpotChecks
from lenticular.rounds.models import FlagState, FlagStratum, MislabelFlag, Round
from lenticular.rounds.publishing import MISLABELS, flag_of, stage_batches
from lenticular.subjects.selectors import catalogue_id, subjects_by_catalogue_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.db.models import QuerySet

    from lenticular.accounts.models import User

#: The share of the judged that come next after the flagged, and how many of a stratum are drawn.
NEXT, DRAWN = 0.15, 50
SETTLED = {FlagState.MISLABEL: "wrong", FlagState.VOTES_RIGHT: "right"}


@dataclass(frozen=True)
class Judged:
    """The galaxies that a round judged, as they stand before any is drawn.

    Attributes
    ----------
    total
        All of them, and those that it did not judge because an expert had settled a flag with
        answers of their own, which have taken the place of the votes.
    others
        Rows of ``mislabels.parquet``, most suspect first, of those that no expert has judged
        and that are not flagged.
    wrong, right
        How many had a settled verdict on their question before the round.
    undecided
        How many are flagged in the file alone: an expert was unsure of them before.
    """

    total: int
    others: Sequence[int]
    wrong: int
    right: int
    undecided: int


@dataclass(frozen=True)
class Drawn:
    """A row of ``mislabels.parquet``, and the stratum that it was drawn from."""

    row: int
    stratum: FlagStratum


def draw_spot_checks(
    *,
    round: Round,  # noqa: A002
    expert: User,
    rng: np.random.Generator | None = None,
) -> SpotChecks:
    """Draw the spot checks of the current model's round, once.

    Fifty of the 15% that come next after the flagged, and fifty of the rest; all where there
    are fewer. They come after the flags, in random order, so that those judged at any time
    are a random part of their stratum.

    Parameters
    ----------
    round
        Of the workflow's current model.
    expert
        Who may review.
    rng
        For the draw; None takes a new one.

    Raises
    ------
    ForbiddenError
        Where `expert` may not review.
    AlreadyDrawnError
        Where they are drawn.
    CannotDrawError
        Where the round's model is not the current one, or the list of judged galaxies is
        gone or damaged.
    """
    if not expert.may_review:
        raise ForbiddenError("spot checks need the role expert")
    if not Round.objects.filter(pk=round.pk, model__is_current=True).exists():
        raise CannotDrawError(f"{round} must have made the current model, has not")
    try:
        judged = read_judged(round)
        drawn = choose(judged, rng or np.random.default_rng())
        rows = _read_rows(round, [each.row for each in drawn])
    except (OSError, pa.ArrowInvalid) as error:
        raise CannotDrawError(f"{MISLABELS} of {round} must be whole, is not") from error
    return _keep(round, expert, judged, [(rows[each.row], each.stratum) for each in drawn])


def edge(judged: Judged) -> int:
    """Return how many of the others are next after the flagged; those after them are the rest."""
    return min(round(NEXT * judged.total), len(judged.others))


def choose(judged: Judged, rng: np.random.Generator) -> list[Drawn]:
    """Draw of both strata, at random and without repeats; return them all in random order."""
    middle = edge(judged)
    places = {
        FlagStratum.NEXT: range(middle),
        FlagStratum.REST: range(middle, len(judged.others)),
    }
    drawn = [
        Drawn(judged.others[within[place]], stratum)
        for stratum, within in places.items()
        for place in rng.choice(len(within), min(DRAWN, len(within)), replace=False).tolist()
    ]
    return [drawn[place] for place in rng.permutation(len(drawn))]


def read_judged(round_: Round) -> Judged:
    """Sort the galaxies that the round judged by what is known of them."""
    flagged = _ids(MislabelFlag.objects.filter(round=round_))
    settled = _settled_before(round_)
    answered = _answered_before(round_)
    total, counts, others = 0, dict.fromkeys(("wrong", "right", "undecided"), 0), array("q")
    columns = ["id_str", "question", "flagged"]
    for batch in stage_batches(round_, "flag", MISLABELS, columns):
        for place, row in enumerate(batch.to_pylist(), start=total):
            answered.pop(row["id_str"], None)
            if row["id_str"] in flagged:
                continue
            standing = settled.get((row["id_str"], row["question"]))
            if standing is None and not row["flagged"]:
                others.append(place)
            else:
                counts[standing or "undecided"] += 1
        total += batch.num_rows
    for standing in answered.values():
        counts[standing] += 1
    return Judged(total + len(answered), others, **counts)


def _ids(flags: QuerySet[MislabelFlag]) -> set[str]:
    names = flags.values_list("subject__survey__slug", "subject__external_id")
    return {catalogue_id(survey, external_id) for survey, external_id in names.iterator()}


def _answered_before(round_: Round) -> dict[str, str]:
    """Return catalogue id to verdict of galaxies that were settled with an expert's answers.

    Wrong votes on any question make it "wrong".
    """
    found = FlagVerdict.objects.filter(
        flag__round__workflow=round_.workflow_id,
        state__in=SETTLED,
        classification__version=round_.version_id,
    ).exclude(flag__round=round_)
    # Wrong ones last, so that they count.
    rows = found.order_by(Case(When(state=FlagState.MISLABEL, then=1), default=0)).values_list(
        "flag__subject__survey__slug", "flag__subject__external_id", "state"
    )
    return {
        catalogue_id(survey, external_id): SETTLED[FlagState(state)]
        for survey, external_id, state in rows.iterator()
    }


def _settled_before(round_: Round) -> Mapping[tuple[str, str], str]:
    """Return (catalogue id, question) to the verdict of another round of the same version.

    The latest counts.
    """
    found = MislabelFlag.objects.filter(
        round__version=round_.version_id, state__in=SETTLED
    ).exclude(round=round_)
    rows = found.order_by("pk").values_list(
        "subject__survey__slug", "subject__external_id", "question", "state"
    )
    return {
        (catalogue_id(survey, external_id), question): SETTLED[FlagState(state)]
        for survey, external_id, question, state in rows.iterator()
    }


def _read_rows(round_: Round, wanted: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return the rows of these numbers, whole."""
    ordered, start = np.sort(np.asarray(wanted, dtype=np.int64)), 0
    found: dict[int, dict[str, Any]] = {}
    for batch in stage_batches(round_, "flag", MISLABELS):
        end = start + batch.num_rows
        here = ordered[(ordered >= start) & (ordered < end)]
        if len(here):
            taken = batch.take(pa.array(here - start)).to_pylist()
            found |= zip(here.tolist(), taken, strict=True)
        start = end
    return found


@transaction.atomic
def _keep(
    round_: Round, expert: User, judged: Judged, drawn: list[tuple[dict[str, Any], FlagStratum]]
) -> SpotChecks:
    """Write the drawing and its galaxies; of two experts at once the second is refused."""
    middle = edge(judged)
    made, is_first = SpotChecks.objects.get_or_create(
        round=round_,
        defaults={
            "expert": expert,
            "next_galaxies": middle,
            "rest_galaxies": len(judged.others) - middle,
            "earlier_wrong": judged.wrong,
            "earlier_right": judged.right,
            "undecided": judged.undecided,
        },
    )
    if not is_first:
        raise AlreadyDrawnError(f"{round_} must have no spot checks yet, has them")
    subjects = subjects_by_catalogue_id(row["id_str"] for row, _ in drawn)
    last = round_.flags.aggregate(last=Max("rank"))["last"] or 0
    MislabelFlag.objects.bulk_create(
        flag_of(round_, subjects[row["id_str"]].pk, rank, row, stratum)
        for rank, (row, stratum) in enumerate(
            ((row, stratum) for row, stratum in drawn if row["id_str"] in subjects), start=last + 1
        )
    )
    return made
