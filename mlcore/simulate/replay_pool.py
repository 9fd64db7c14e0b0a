"""The galaxies that a replay may ask about, and the votes that they would get.

A galaxy's votes come in one order, whoever asks for them: two arms that ask for three votes
on it are told the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlcore.errors import InvalidInputError
from mlcore.files import replacing
from mlcore.round_files import SUBJECTS
from mlcore.simulate.replay_question import confusion_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.simulate.replay_folder import LabelledGalaxy
    from mlcore.simulate.votes_crowd import VoteRecord
    from mlcore.tree import DecisionTree


def crowd_fractions(classes: NDArray[np.intp], tree: DecisionTree) -> NDArray[np.float64]:
    """Return what a crowd says (n, A) of galaxies whose classes are the answers (n,)."""
    answers = [answer.slug for answer in tree.questions[0].answers]
    confusion = confusion_of(answers)
    return np.array([confusion.fractions(each, tree) for each in answers])[classes]


def plant(truth: NDArray[np.intp], n_classes: int, share: float, seed: int) -> NDArray[np.intp]:
    """Return the classes that volunteers see: some galaxies get a wrong one.

    Parameters
    ----------
    truth
        Published class of each galaxy, shape (n,).
    n_classes
        At least 2.
    share
        Of galaxies that get another class, each other one equally likely; the number is
        rounded, but at least 1 where the share is above 0.

    Raises
    ------
    InvalidInputError
        For a share outside [0, 1].
    """
    if not 0 <= share <= 1:
        raise InvalidInputError(f"share must be in [0, 1], is {share}")
    rng = np.random.default_rng([seed, 1])
    number = min(max(round(share * len(truth)), int(share > 0)), len(truth))
    chosen = rng.choice(len(truth), number, replace=False)
    seen = truth.copy()
    seen[chosen] = (truth[chosen] + rng.integers(1, n_classes, number)) % n_classes
    return seen


@dataclass(frozen=True)
class ReplayPool:
    """Everything that a replay may ask about.

    Attributes
    ----------
    galaxies
        n galaxies.
    tree
        Asks one question.
    seen
        Place of the answer that volunteers take each galaxy for, shape (n,).
    planted
        bool, shape (n,): seen as another class than the published one.
    control
        bool, shape (n,): in the control panel.
    record
        The votes, in the order in which they come.
    """

    galaxies: tuple[LabelledGalaxy, ...]
    tree: DecisionTree
    seen: NDArray[np.intp]
    planted: NDArray[np.bool_]
    control: NDArray[np.bool_]
    record: VoteRecord

    @property
    def ids(self) -> list[str]:
        """The n ids."""
        return [galaxy.id_str for galaxy in self.galaxies]

    def rows(self, ids: Sequence[str]) -> NDArray[np.intp]:
        """Return the places of `ids`; raises InvalidInputError for one that is not here."""
        place = {galaxy.id_str: row for row, galaxy in enumerate(self.galaxies)}
        absent = [id_str for id_str in ids if id_str not in place]
        if absent:
            raise InvalidInputError(f"ids must be in the pool, {absent[0]!r} is not")
        return np.array([place[id_str] for id_str in ids], dtype=np.intp)

    def counts(self, asked: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the counts (n, A) of the first `asked` (n,) volunteers on each galaxy."""
        return self.record.counts(asked).astype(np.int32)

    def write_input(self, counts: NDArray[np.int32], directory: Path) -> None:
        """Write ``input/subjects.parquet``, what `mlcore.training_round` reads, in one step."""
        n = len(self.galaxies)
        columns = {
            "id_str": self.ids,
            "file_loc": [str(galaxy.image.resolve()) for galaxy in self.galaxies],
            "control": self.control,
            "retired": np.zeros(n, dtype=bool),
            "pending": np.zeros(n, dtype=np.int32),
            **dict(zip(self.tree.label_cols, counts.T, strict=True)),
        }
        (directory / SUBJECTS).parent.mkdir(parents=True, exist_ok=True)
        with replacing(directory / SUBJECTS) as partial:
            pq.write_table(pa.table(columns), partial)


@dataclass(frozen=True)
class ReplaySurvey:
    """The galaxies, divided: the pool, and the test set with its published classes."""

    pool: ReplayPool
    test: tuple[LabelledGalaxy, ...]
    truth: NDArray[np.intp]
