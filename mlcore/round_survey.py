"""Every predicted subject of a round: its input joined with its predictions."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mlcore.cnn.shards import Shard, read_shards
from mlcore.errors import ArtefactError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.round_files import RoundFiles, SubjectRows


@dataclass(frozen=True)
class Survey:
    """The predicted subjects, in the order of the predictions.

    Attributes
    ----------
    ids
        n ids.
    control, retired
        bool, shape (n,): in the control panel; asked about no more.
    votes
        Volunteers who answered the first question, shape (n,).
    pending
        Votes promised but not in yet, shape (n,).
    received
        Volunteers' votes, where an expert's have taken their place too, shape (n,).
    labelled
        Indices of the L subjects with votes, rising.
    counts, concentrations
        Their votes, and what the network says of them, shape (L, A).
    top
        Column of the answer to the first question that the network finds likeliest,
        shape (n,).
    representations
        float32, shape (n, D), memory-mapped.
    """

    ids: tuple[str, ...]
    control: NDArray[np.bool_]
    retired: NDArray[np.bool_]
    votes: NDArray[np.int64]
    pending: NDArray[np.int64]
    received: NDArray[np.int64]
    labelled: NDArray[np.intp]
    counts: NDArray[np.float64]
    concentrations: NDArray[np.float64]
    top: NDArray[np.intp]
    representations: NDArray[np.float32]

    def counts_of(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the votes (m, A) of the subjects at `rows`; zeros where there are none."""
        counts = np.zeros((len(rows), self.counts.shape[1]))
        voted = np.isin(rows, self.labelled)
        counts[voted] = self.counts[np.searchsorted(self.labelled, rows[voted])]
        return counts


def some_of(rows: NDArray[np.intp], most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the rows, or `most` of them at random where they are more."""
    return rows if len(rows) <= most else rng.choice(rows, most, replace=False)


@contextmanager
def open_survey(files: RoundFiles, scratch: Path) -> Iterator[Survey]:
    """Join input and predictions; the file `scratch` is there as long as the survey is open.

    Raises
    ------
    ArtefactError
        Where the predictions are not of the round's input.
    """
    try:
        yield _with_predictions(files, _read_input(files), scratch)
    finally:
        scratch.unlink(missing_ok=True)


def _read_input(files: RoundFiles) -> Survey:
    unreadable = files.record("predict").result["unreadable"]
    first = files.plan.tree.question_slices[files.plan.tree.start]
    ids: list[str] = []
    columns: dict[str, list[NDArray[np.int64]]] = {}
    counts = [np.empty((0, len(files.plan.tree.label_cols)), dtype=np.int64)]
    for rows in files.subjects():
        kept = _kept(rows, unreadable)
        ids += [rows.ids[row] for row in kept]
        voted = rows.counts[kept].sum(axis=1) > 0
        counts.append(rows.counts[kept][voted])
        found = {
            "control": rows.control[kept],
            "retired": rows.retired[kept],
            "pending": rows.pending[kept],
            "received": rows.received[kept],
            "votes": rows.counts[kept, first].sum(axis=1),
            "voted": voted,
        }
        for name, values in found.items():
            columns.setdefault(name, []).append(values.astype(np.int64))
    whole = {name: np.concatenate(parts) for name, parts in columns.items()}
    empty = np.empty((0, counts[0].shape[1]))
    return Survey(
        ids=tuple(ids),
        control=whole["control"].astype(bool),
        retired=whole["retired"].astype(bool),
        votes=whole["votes"],
        pending=whole["pending"],
        received=whole["received"],
        labelled=np.flatnonzero(whole["voted"]),
        counts=np.concatenate(counts).astype(np.float64),
        concentrations=empty,
        top=np.zeros(len(ids), dtype=np.intp),
        representations=np.empty((0, 0), dtype=np.float32),
    )


def _kept(rows: SubjectRows, unreadable: Collection[str]) -> NDArray[np.intp]:
    return np.array(
        [row for row, id_str in enumerate(rows.ids) if id_str not in unreadable], dtype=np.intp
    )


def _with_predictions(files: RoundFiles, survey: Survey, scratch: Path) -> Survey:
    tree = files.plan.tree
    concentrations = np.empty((len(survey.labelled), len(tree.label_cols)))
    top = np.zeros(len(survey.ids), dtype=np.intp)
    representations = np.empty((0, 0), dtype=np.float32)
    start = 0
    for shard in read_shards(files.folder("predict").path):
        rows = slice(start, start + len(shard.ids))
        _check_ids(survey.ids[rows], shard)
        found = shard.predictions
        if start == 0:
            shape = (len(survey.ids), found.representations.shape[1])
            representations = np.memmap(scratch, np.float32, "w+", shape=shape)
        representations[rows] = found.representations
        top[rows] = found.concentrations[:, tree.question_slices[tree.start]].argmax(axis=1)
        inside = (survey.labelled >= rows.start) & (survey.labelled < rows.stop)
        concentrations[inside] = found.concentrations[survey.labelled[inside] - start]
        start = rows.stop
    if start != len(survey.ids):
        raise ArtefactError(f"predictions must be of {len(survey.ids)} subjects, are of {start}")
    return replace(survey, concentrations=concentrations, top=top, representations=representations)


def _check_ids(ids: tuple[str, ...], shard: Shard) -> None:
    if ids != shard.ids:
        raise ArtefactError("predictions must be of the round's subjects in their order, are not")
