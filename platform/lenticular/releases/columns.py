"""The columns of a released catalogue: names, types, units, meanings. No database here.

Names of votes follow Zoobot: ``<question>_<answer>``, ``…_fraction``, ``…_total-votes``
(Walmsley et al. 2022, MNRAS 509, 3966). UCDs are of the IVOA's list 1.5.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lenticular.releases.errors import ColumnClashError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlcore.tree import DecisionTree, Question

ARROW_TYPES = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
}
ARMS = ("active", "control", "gold", "other")
"""The arms whose votes are counted apart; ``other`` is what no arm drew, as imported votes."""

LEVEL = 0.9
"""Posterior probability between ``_lower`` and ``_upper``."""

PRIOR = 1.0
"""Dirichlet concentration of each answer before any vote."""


@dataclass(frozen=True)
class Column:
    """One column: `type` is a key of `ARROW_TYPES`, `unit` as VOUnits, `ucd` may be empty."""

    name: str
    type: str
    description: str
    unit: str = ""
    ucd: str = ""


SUBJECT = (
    Column("id_str", "string", "Survey and external id, survey:id", ucd="meta.id;meta.main"),
    Column("survey", "string", "Survey that the galaxy comes from", ucd="meta.id;meta.dataset"),
    Column("external_id", "string", "Id of the galaxy in its survey", ucd="meta.id"),
    Column("ra", "float64", "Right ascension (ICRS)", "deg", "pos.eq.ra;meta.main"),
    Column("dec", "float64", "Declination (ICRS)", "deg", "pos.eq.dec;meta.main"),
    Column("classifications", "int32", "Volunteers who classified the galaxy", ucd="meta.number"),
    Column("retirement_reason", "string", "Why it is asked about no more; empty while it is"),
)
SELECTION = (
    Column("control_panel", "boolean", "In the control panel, drawn at random (0 or 1 in CSV)"),
    Column(
        "control_panel_probability",
        "float64",
        "Probability with which any galaxy is drawn into the control panel",
        ucd="stat.probability",
    ),
    *(
        Column(f"votes_{arm}", "int32", f"Votes served by the arm {arm}", ucd="meta.number")
        for arm in ARMS[:-1]
    ),
    Column("votes_other", "int32", "Votes that no arm served, as imported ones", ucd="meta.number"),
    Column(
        "mean_selection_probability",
        "float64",
        "Mean over the votes of the recorded probability of drawing this galaxy when it was "
        "served; blank where no vote has one",
        ucd="stat.probability;stat.mean",
    ),
)


def release_columns(tree: DecisionTree) -> tuple[Column, ...]:
    """Return every column of the catalogue of `tree`, in order.

    Raises
    ------
    ColumnClashError
        Where a label column has the name of another column.
    """
    votes = (column for question in tree.questions for column in question_columns(question))
    columns = (*SUBJECT, *SELECTION, *votes)
    name, times = Counter(column.name for column in columns).most_common(1)[0]
    if times > 1:
        raise ColumnClashError(f"column names must be unique, {name!r} comes {times} times")
    return columns


def question_columns(question: Question) -> Iterator[Column]:
    """Yield the columns of one question: its total, then seven of each answer."""
    text = question.text()
    yield Column(f"{question.slug}_total-votes", "int32", f"Votes on: {text}", ucd="meta.number")
    for answer in question.answers:
        yield from _answer_columns(f"{question.slug}_{answer.slug}", f"{text} {answer.text()}")


def _answer_columns(name: str, meaning: str) -> Iterator[Column]:
    of_fraction = f"the vote fraction of: {meaning}"
    within = f"of the {LEVEL:.0%} credible interval of {of_fraction}; blank without votes"
    fractions = {
        "fraction": ("Votes for this answer / votes on its question; blank without votes", "ratio"),
        "mean": (f"Posterior mean of {of_fraction}; blank without votes", "mean"),
        "lower": (f"Lower end {within}", "min"),
        "upper": (f"Upper end {within}", "max"),
        "predicted": (f"The model's mean prediction of {of_fraction}", "mean"),
    }
    yield Column(name, "int32", f"Votes for: {meaning}", ucd="meta.number;src.morph")
    for suffix, (description, kind) in fractions.items():
        ucd = "src.morph;arith.ratio" if kind == "ratio" else f"src.morph;stat.{kind}"
        yield Column(f"{name}_{suffix}", "float32", description, ucd=ucd)
    said = f"Concentration of the model's Dirichlet prediction for: {meaning}"
    yield Column(f"{name}_concentration", "float32", said, ucd="stat.param;src.morph")


def arrow_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """Return the Arrow schema; each field carries description, unit and UCD as metadata."""
    return pa.schema([_field(column) for column in columns])


def _field(column: Column) -> pa.Field:
    notes = {"description": column.description, "unit": column.unit, "ucd": column.ucd}
    said = {key: value for key, value in notes.items() if value}
    return pa.field(column.name, ARROW_TYPES[column.type], metadata=said)


def schema_document(columns: tuple[Column, ...]) -> dict[str, Any]:
    """Return the content of ``schema.json``: one entry per column, in order."""
    entries = [
        {
            "name": column.name,
            "type": column.type,
            "unit": column.unit or None,
            "description": column.description,
            "ucd": column.ucd or None,
        }
        for column in columns
    ]
    return {"null": "blank in CSV, null in Parquet", "columns": entries}
