"""What is released, read from the stages below as one stream in the order of subjects.

Call everything here inside `consensus.snapshots.one_moment`: the log, the tallies, the
queue and the retirements are then of the same moment.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from lenticular.classifications.selectors import counted_votes, last_classification_id
from lenticular.common.chunks import in_chunks
from lenticular.consensus.selectors import (
    count_classifications,
    counts_by_subject,
    retirement_reasons,
)
from lenticular.releases.columns import ARMS
from lenticular.releases.errors import ConsensusDiffersError, NoVotesError, PredictionsDifferError
from lenticular.releases.rows import SubjectRows
from lenticular.rounds.selectors import current_model, iterate_predictions, prediction_id
from lenticular.selection.selectors import iterate_entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from lenticular.classifications.selectors import CountedVote
    from lenticular.rounds.models import TrainedModel
    from lenticular.selection.models import QueueEntry
    from lenticular.workflows.models import WorkflowVersion
    from mlcore.tree import DecisionTree

CHUNK = 2000


@dataclass(frozen=True)
class Snapshot:
    """Which moment of which workflow version is released; `model` where it has a current one."""

    version: WorkflowVersion
    last_classification_id: int
    votes: int
    model: TrainedModel | None


@dataclass
class Totals:
    """What the rows came to, counted as they go by."""

    subjects: int = 0
    with_votes: int = 0
    predicted: int = 0
    votes: int = 0
    arms: Counter[str] = field(default_factory=Counter)
    retired: Counter[str] = field(default_factory=Counter)

    def add(self, rows: SubjectRows) -> None:
        """Count one chunk."""
        voted = rows.arms.sum(axis=1)
        self.subjects += len(rows)
        self.votes += int(voted.sum())
        self.with_votes += int((voted > 0).sum())
        self.predicted += int((~np.isnan(rows.concentrations[:, 0])).sum())
        self.arms.update(dict(zip(ARMS, rows.arms.sum(axis=0).tolist(), strict=True)))
        self.retired.update(reason for reason in rows.retirement if reason)


def take_snapshot(*, version: WorkflowVersion) -> Snapshot:
    """Return what there is to release now.

    A current model of another version is left out: its answers are to other questions.

    Raises
    ------
    NoVotesError
        Where nobody has voted under this version.
    """
    votes = count_classifications(version=version)
    if not votes:
        raise NoVotesError(f"{version} must have votes to be released, has none")
    model = current_model(version.workflow)
    return Snapshot(
        version=version,
        last_classification_id=last_classification_id(workflow=version.workflow),
        votes=votes,
        model=model if model and model.round.version_id == version.pk else None,
    )


def read_rows(snapshot: Snapshot, totals: Totals) -> Iterator[SubjectRows]:
    """Yield the galaxies of the workflow's queue in chunks, and count them into `totals`.

    Raises
    ------
    ConsensusDiffersError
        Where the tallies are not what the log says, or galaxies outside the queue have votes.
    PredictionsDifferError
        Where the model's predictions are not of these galaxies in this order.
    """
    predictions = Predictions(snapshot)
    entries = iterate_entries(workflow=snapshot.version.workflow, chunk_size=CHUNK)
    for chunk in in_chunks(entries, CHUNK):
        rows = _rows(snapshot, chunk, predictions)
        totals.add(rows)
        yield rows
    predictions.check_used_up()
    if totals.votes != snapshot.votes:
        raise ConsensusDiffersError(
            f"the tallies of {snapshot.version} have {snapshot.votes} votes, "
            f"those of the queue's galaxies {totals.votes}; run rebuild_consensus and fill_queue"
        )


class Predictions:
    """The model's concentrations, read beside the galaxies: both are in the queue's order."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._tree: DecisionTree = snapshot.version.tree
        self._round = snapshot.model.round if snapshot.model else None
        self._stream = iterate_predictions(self._round) if self._round else iter(())
        self._next = next(self._stream, None)

    def take(self, ids: Sequence[str]) -> NDArray[np.float64]:
        """Return the concentrations of the next galaxies, shape (n, A); NaN where none."""
        place = {id_str: row for row, id_str in enumerate(ids)}
        found = np.full((len(ids), len(self._tree.label_cols)), np.nan)
        while self._next is not None and self._next[0] in place:
            found[place[self._next[0]]] = self._next[1]
            self._next = next(self._stream, None)
        return found

    def check_used_up(self) -> None:
        """Raise PredictionsDifferError where a prediction was of no galaxy that came by."""
        if self._next is not None:
            raise PredictionsDifferError(
                f"{self._round} predicted {self._next[0]!r}, which is not where it was in the "
                "queue; a new round predicts what is there now"
            )


def _rows(
    snapshot: Snapshot, entries: Sequence[QueueEntry], predictions: Predictions
) -> SubjectRows:
    version, subjects = snapshot.version, [entry.subject for entry in entries]
    ids = [subject.pk for subject in subjects]
    counts = _counts(version, ids)
    arms, probability = _arms(version, ids, counts)
    retired = retirement_reasons(workflow=version.workflow, subject_ids=ids)
    return SubjectRows(
        survey=[subject.survey.slug for subject in subjects],
        external_id=[subject.external_id for subject in subjects],
        ra=np.array([subject.ra for subject in subjects], dtype=np.float64),
        dec=np.array([subject.dec for subject in subjects], dtype=np.float64),
        counts=counts,
        arms=arms,
        mean_probability=probability,
        in_panel=np.array([entry.in_panel for entry in entries]),
        panel_probability=version.workflow.control_panel,
        retirement=[retired.get(pk, "") for pk in ids],
        concentrations=predictions.take([prediction_id(subject) for subject in subjects]),
    )


def _counts(version: WorkflowVersion, ids: Sequence[int]) -> NDArray[np.int64]:
    found = counts_by_subject(version=version, subject_ids=ids)
    none = np.zeros(len(version.tree.label_cols), dtype=np.int64)
    return np.array([found.get(pk, none) for pk in ids])


def _arms(
    version: WorkflowVersion, ids: Sequence[int], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return votes by arm (n, 4) and their mean selection probability (n,), from the log."""
    row_of = {pk: row for row, pk in enumerate(ids)}
    arms = np.zeros((len(ids), len(ARMS)), dtype=np.int64)
    probability = np.full(len(ids), np.nan)
    log = counted_votes(workflow=version.workflow, subject_ids=ids)
    for pk, votes in groupby(log, lambda vote: vote.subject_id):
        of_version = [vote for vote in votes if vote.version_id == version.pk]
        arms[row_of[pk]] = _by_arm(of_version)
        probability[row_of[pk]] = _mean(vote.selection_probability for vote in of_version)
    _check(version, ids, arms.sum(axis=1), counts)
    return arms, probability


def _by_arm(votes: Iterable[CountedVote]) -> list[int]:
    by_arm = Counter(vote.arm if vote.arm in ARMS else ARMS[-1] for vote in votes)
    return [by_arm[arm] for arm in ARMS]


def _mean(probabilities: Iterable[float | None]) -> float:
    known = [each for each in probabilities if each is not None]
    return sum(known) / len(known) if known else np.nan


def _check(
    version: WorkflowVersion,
    ids: Sequence[int],
    logged: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Raise ConsensusDiffersError where a tally has other votes than the log."""
    tree = version.tree
    tallied = counts[:, tree.question_slices[tree.start]].sum(axis=1)
    for row in np.flatnonzero(tallied != logged)[:1]:
        raise ConsensusDiffersError(
            f"subject {ids[row]} has {tallied[row]} votes in the tally of {version}, "
            f"{logged[row]} in the log; run rebuild_consensus"
        )
