"""The demonstration's table: what the loop did, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lenticular.consensus.models import Tally
from lenticular.rounds.models import FlagState, FlagStratum, MislabelFlag, Round

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lenticular.operations.demo_votes import Crowd
    from lenticular.releases.models import Release


def report_lines(
    *,
    rounds: Sequence[Round],
    random_choice: dict[str, Any],
    crowd: Crowd,
    release: Release,
    release_folder: str,
) -> list[str]:
    """Return the lines of the table.

    Parameters
    ----------
    rounds
        Finished rounds, in order.
    random_choice
        The evaluation after as many votes on randomly chosen galaxies.
    crowd
        The truth, for counting what was planted.
    release
        The release made at the end.
    release_folder
        Where its files are.
    """
    return [
        "Held-out score on the control panel, which no model was trained on",
        f"{'':24}{'votes':>8}{'galaxies':>10}{'nats per vote':>15}{'accuracy':>10}",
        *(
            _score(f"round {round_.number}, {_chosen(round_)}", round_.votes, round_.evaluation)
            for round_ in rounds
        ),
        _score("random choice instead", rounds[-1].votes, random_choice),
        "(nats per vote: negative log likelihood over all questions, lower is better;",
        " accuracy: the first question's, volunteers' most frequent answer)",
        "",
        *_mislabels(rounds, crowd),
        "",
        f"Release {release.number}: {release.subjects:,} galaxies, {release.votes:,} votes",
        f"  {release_folder}",
    ]


def _chosen(round_: Round) -> str:
    return "random start" if round_.number == 1 else "chosen by the GP"


def _score(name: str, votes: int, evaluation: dict[str, Any]) -> str:
    first = next(iter(evaluation["questions"].values()))
    return (
        f"{name:<24}{votes:>8,}{evaluation['n']:>10,}"
        f"{evaluation['nll_per_vote']:>15.4f}{first['accuracy']:>10.3f}"
    )


def _mislabels(rounds: Sequence[Round], crowd: Crowd) -> list[str]:
    planted = {name for name in crowd.planted if _has_votes(name, rounds[-1])}
    flags = MislabelFlag.objects.filter(
        round__in=rounds, stratum=FlagStratum.FLAGGED
    ).select_related("subject")
    flagged = {flag.subject.external_id for flag in flags}
    confirmed = {flag.subject.external_id for flag in flags if flag.state == FlagState.MISLABEL}
    line = (
        f"Wrong labels: {len(planted)} planted among the galaxies with votes, "
        f"{len(flagged)} flagged, {len(confirmed)} confirmed by the expert"
    )
    return [line]


def _has_votes(name: str, round_: Round) -> bool:
    return Tally.objects.filter(
        version=round_.version, subject__external_id=name, classifications__gt=0
    ).exists()
