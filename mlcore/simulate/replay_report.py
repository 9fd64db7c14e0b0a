"""What a replay found out: scores on galaxies that no stage has seen, and the table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlcore.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mlcore.simulate.replay_folder import RejectedRow

#: Share of the judged galaxies that an expert has time to look at.
REVIEW_BUDGET = 0.05


@dataclass(frozen=True)
class RoundScore:
    """One round of one arm, judged on the test galaxies.

    Attributes
    ----------
    round
        From 1.
    galaxies, votes
        Galaxies with votes and their votes, the control panel's included.
    accuracy
        How often the answer with the highest predicted fraction is the published class.
    balanced_accuracy
        The same per class, averaged over the classes that the test galaxies have.
    binary_accuracy
        How often it is right about the commonest class or not.
    """

    round: int
    galaxies: int
    votes: int
    accuracy: float
    balanced_accuracy: float
    binary_accuracy: float


def score_round(
    number: int, counts: NDArray[np.int32], predicted: NDArray[np.intp], truth: NDArray[np.intp]
) -> RoundScore:
    """Score the answers predicted for the test galaxies.

    Parameters
    ----------
    number
        Of the round.
    counts
        Votes that the round had, shape (n, A).
    predicted, truth
        Answer and published class of each test galaxy, shape (m,), m >= 1.

    Raises
    ------
    InvalidInputError
        For no test galaxies, or shapes that differ.
    """
    if not len(truth) or predicted.shape != truth.shape:
        raise InvalidInputError(
            f"predicted and truth must be as many and at least 1, "
            f"are {predicted.shape} and {truth.shape}"
        )
    right = predicted == truth
    common = np.bincount(truth).argmax()
    return RoundScore(
        round=number,
        galaxies=int((counts.sum(axis=1) > 0).sum()),
        votes=int(counts.sum()),
        accuracy=float(right.mean()),
        balanced_accuracy=float(np.mean([right[truth == each].mean() for each in set(truth)])),
        binary_accuracy=float(np.mean((predicted == common) == (truth == common))),
    )


@dataclass(frozen=True)
class MislabelScore:
    """How well the planted wrong classes were found among the galaxies with votes.

    Attributes
    ----------
    planted, judged
        Galaxies with a wrong class planted, and all that have votes.
    flagged, flagged_planted
        Galaxies flagged at the round's false discovery rate, and how many were planted.
    average_precision
        Of the planted in the ranking by surprise; None where none was planted.
    recall_at_5_percent
        Share of the planted among the first 5% of that ranking; None likewise.
    """

    planted: int
    judged: int
    flagged: int
    flagged_planted: int
    average_precision: float | None
    recall_at_5_percent: float | None


def score_mislabels(planted: NDArray[np.bool_], flagged: NDArray[np.bool_]) -> MislabelScore:
    """Score a ranking of the galaxies with votes, the most surprising first.

    Parameters
    ----------
    planted, flagged
        In the ranking's order, shape (n,). None gives zeros.
    """
    number = int(planted.sum())
    budget = int(np.ceil(REVIEW_BUDGET * len(planted)))
    places = np.flatnonzero(planted) + 1
    return MislabelScore(
        planted=number,
        judged=len(planted),
        flagged=int(flagged.sum()),
        flagged_planted=int((flagged & planted).sum()),
        average_precision=float(np.mean(np.arange(1, number + 1) / places)) if number else None,
        recall_at_5_percent=float(planted[:budget].sum() / number) if number else None,
    )


@dataclass(frozen=True)
class ReplayReport:
    """Everything that a replay has to say.

    Attributes
    ----------
    rounds, control
        Scores of the arm that chose its galaxies, and of random choice; the first round
        is the same in both.
    mislabels
        Of the last round of the first arm.
    rejected
        Rows that were left out.
    seed, seconds
        Where the randomness came from, and how long it took.
    facts
        What else is to be known, as JSON values: the split, the sizes, the settings.
    """

    rounds: tuple[RoundScore, ...]
    control: tuple[RoundScore, ...]
    mislabels: MislabelScore
    rejected: tuple[RejectedRow, ...]
    seed: int
    seconds: float
    facts: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "rounds": [asdict(score) for score in self.rounds],
            "control": {"rounds": [asdict(score) for score in self.control]},
            "mislabels": asdict(self.mislabels),
            "seed": self.seed,
            "seconds": self.seconds,
            "rejected": [asdict(row) for row in self.rejected],
            **self.facts,
        }

    def lines(self) -> list[str]:
        """Return the table for a person."""
        common = self.facts["commonest_class"]
        return [
            f"{'':22}{'votes':>8}{'galaxies':>10}{'accuracy':>10}{'balanced':>10}  {common} or not",
            *(_line(_chosen(score), score) for score in self.rounds),
            *(_line(f"{score.round}, random choice", score) for score in self.control[1:]),
            f"on {self.facts['test_galaxies']:,} galaxies that no stage has seen",
            f"({self.facts['split']})",
            "",
            *self._mislabel_lines(),
            f"Left out: {len(self.rejected)} rows; seed {self.seed}; {self.seconds:.0f} seconds",
        ]

    def _mislabel_lines(self) -> list[str]:
        found = self.mislabels
        said = (
            f"Wrong classes: {found.planted} planted among {found.judged:,} galaxies with votes; "
            f"{found.flagged} flagged, {found.flagged_planted} of them rightly"
        )
        if found.average_precision is None:
            return [said]
        precision, recall = found.average_precision, found.recall_at_5_percent
        return [said, f"  average precision {precision:.3f}, recall {recall:.3f} in the first 5%"]


def _chosen(score: RoundScore) -> str:
    return "1, random start" if score.round == 1 else f"{score.round}, chosen by the GP"


def _line(name: str, score: RoundScore) -> str:
    return (
        f"round {name:<16}{score.votes:>8,}{score.galaxies:>10,}{score.accuracy:>10.3f}"
        f"{score.balanced_accuracy:>10.3f}  {score.binary_accuracy:.3f}"
    )
