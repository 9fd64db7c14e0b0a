"""One chunk of galaxies as a table of the catalogue. No database here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lenticular.releases.columns import ARMS, ARROW_TYPES, LEVEL, PRIOR, Column
from lenticular.subjects.selectors import catalogue_id
from mlcore.votes.posteriors import credible_interval, posterior_mean
from mlcore.votes.tallies import fractions, per_answer, totals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mlcore.tree import DecisionTree

    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SubjectRows:
    """What is released of n galaxies, of which A label columns are asked.

    Attributes
    ----------
    survey, external_id
        n names each.
    ra, dec
        Degrees (ICRS), shape (n,); NaN where not known.
    counts
        Votes, shape (n, A).
    arms
        Votes by arm in the order of `ARMS`, shape (n, 4).
    mean_probability
        Mean recorded selection probability of the votes, shape (n,); NaN for none.
    in_panel
        bool, shape (n,).
    panel_probability
        Of any galaxy, to be drawn into the control panel.
    retirement
        Reason of each galaxy, empty while it is asked about.
    concentrations
        The model's, shape (n, A); NaN where it predicted nothing.
    """

    survey: Sequence[str]
    external_id: Sequence[str]
    ra: Floats
    dec: Floats
    counts: NDArray[np.int64]
    arms: NDArray[np.int64]
    mean_probability: Floats
    in_panel: NDArray[np.bool_]
    panel_probability: float
    retirement: Sequence[str]
    concentrations: Floats

    def __len__(self) -> int:
        return len(self.survey)


def rows_table(rows: SubjectRows, tree: DecisionTree, columns: Sequence[Column]) -> pa.Table:
    """Return the chunk as a table of `columns`; NaN becomes null, an empty chunk an empty table.

    Parameters
    ----------
    rows
        n galaxies, 0 allowed.
    tree
        The tree of their counts.
    columns
        As `columns.release_columns` gives them for `tree`.
    """
    values = dict(_subject_values(rows, tree)) | dict(_vote_values(rows, tree))
    arrays = [
        pa.array(values[column.name], ARROW_TYPES[column.type], from_pandas=True)
        for column in columns
    ]
    return pa.Table.from_arrays(arrays, names=[column.name for column in columns])


def _subject_values(rows: SubjectRows, tree: DecisionTree) -> Iterator[tuple[str, Any]]:
    names = zip(rows.survey, rows.external_id, strict=True)
    yield "id_str", [catalogue_id(survey, external_id) for survey, external_id in names]
    yield "survey", list(rows.survey)
    yield "external_id", list(rows.external_id)
    yield "ra", rows.ra
    yield "dec", rows.dec
    yield "classifications", rows.counts[:, tree.question_slices[tree.start]].sum(axis=1)
    yield "retirement_reason", list(rows.retirement)
    yield "control_panel", rows.in_panel
    yield "control_panel_probability", np.full(len(rows), rows.panel_probability)
    for arm, votes in zip(ARMS, rows.arms.T, strict=True):
        yield f"votes_{arm}", votes
    yield "mean_selection_probability", rows.mean_probability


def _vote_values(rows: SubjectRows, tree: DecisionTree) -> Iterator[tuple[str, Any]]:
    total = totals(rows.counts, tree)
    for question, votes in zip(tree.questions, total.T, strict=True):
        yield f"{question.slug}_total-votes", votes.astype(np.int64)
    # The posterior of a question that nobody was asked is the prior: it says nothing.
    voted = np.where(per_answer(total, tree) > 0, rows.counts, np.nan)
    interval = credible_interval(voted, tree, PRIOR, LEVEL)
    by_answer = {
        "": rows.counts,
        "_fraction": fractions(rows.counts, tree),
        "_mean": posterior_mean(voted, tree, PRIOR),
        "_lower": interval[..., 0],
        "_upper": interval[..., 1],
        "_predicted": rows.concentrations / per_answer(totals(rows.concentrations, tree), tree),
        "_concentration": rows.concentrations,
    }
    for suffix, values in by_answer.items():
        for column, of_answer in zip(tree.label_cols, values.T, strict=True):
            yield f"{column}{suffix}", of_answer
