"""What the same number of votes would have taught, had the galaxies been chosen at random.

The first round of the demonstration is random already: before there is a model the queue
is in random order. The comparison therefore goes on from the first round's votes as a
project without a machine would: galaxy after galaxy in random order, each until it
retires, until as many votes are spent as the last round had. The control panel and its
votes are the last round's, so that both models are judged on the same.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lenticular.rounds.pipeline import plan_of
from lenticular.rounds.workspace import round_folder
from mlcore.simulate.volunteers import SimulatedVolunteer, VolunteerPopulation, classify
from mlcore.training_round import run_round

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lenticular.operations.demo_plan import DemoPlan
    from lenticular.operations.demo_votes import Crowd
    from lenticular.rounds.models import Round
    from mlcore.tree import DecisionTree

SUBJECTS = Path("input", "subjects.parquet")


def evaluate_random_choice(
    *,
    first: Round,
    last: Round,
    plan: DemoPlan,
    crowd: Crowd,
    directory: Path,
    on_progress: Callable[[str, float, str], None],
) -> dict[str, Any]:
    """Train on randomly chosen galaxies and return the evaluation on the control panel.

    Parameters
    ----------
    first, last
        Finished rounds of one workflow: where to go on from, and the votes to spend.
    directory
        Work folder; emptied first.
    on_progress
        Called with the stage, the fraction done and a line for a person.
    """
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "input").mkdir(parents=True)
    tree = last.version.tree
    before = pq.read_table(round_folder(first) / SUBJECTS)
    after = pq.read_table(round_folder(last) / SUBJECTS)
    counts = _random_votes(before, after, tree, plan, crowd)
    for place, column in enumerate(tree.label_cols):
        index = after.column_names.index(column)
        after = after.set_column(index, column, pa.array(counts[:, place], pa.int32()))
    pq.write_table(after, directory / SUBJECTS)
    work = replace(plan_of(last), previous_model=None)
    result = run_round(work, directory, until="evaluate", on_progress=on_progress)
    return result.records["evaluate"].result


def _random_votes(
    before: pa.Table, after: pa.Table, tree: DecisionTree, plan: DemoPlan, crowd: Crowd
) -> NDArray[np.int64]:
    """Return counts (n, A) for the rows of `after`: its panel, and random galaxies beside."""
    panel = after["control"].to_numpy()
    counts = np.where(panel[:, None], _counts(after, tree), _counts(before, tree))
    first = tree.question_slices[tree.start]
    budget = int(_counts(after, tree)[~panel][:, first].sum())
    rng = np.random.default_rng([plan.seed, 3])
    people = VolunteerPopulation(plan.volunteers, plan.seed).volunteers()
    activity = np.array([person.activity for person in people])
    spent = int(counts[~panel][:, first].sum())
    for row in rng.permutation(np.flatnonzero(~panel)):
        name = after["id_str"][int(row)].as_py().partition(":")[2]
        wanted = plan.retirement_votes - int(counts[row, first].sum())
        asked = min(max(wanted, 0), budget - spent, len(people))
        chosen = rng.choice(len(people), asked, replace=False, p=activity / activity.sum())
        for person in chosen:
            counts[row] += _one_vote(people[person], crowd.seen[name], tree, rng)
        spent += asked
    return counts


def _counts(table: pa.Table, tree: DecisionTree) -> NDArray[np.int64]:
    return np.column_stack([table[column].to_numpy() for column in tree.label_cols]).astype(int)


def _one_vote(
    person: SimulatedVolunteer,
    fractions: NDArray[np.float64],
    tree: DecisionTree,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    vote = np.zeros(len(tree.label_cols), dtype=int)
    for question, answer in classify(person, fractions, tree, rng):
        vote[tree.column_index[question, answer]] = 1
    return vote
