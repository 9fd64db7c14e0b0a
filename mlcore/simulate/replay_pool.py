"""The galaxies that a replay may ask about, and the votes that they would get.

A galaxy's votes depend on the seed and its id alone, not on when or by which arm it is
asked about, so that two arms which ask about the same galaxy are told the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlcore.errors import InvalidInputError
from mlcore.files import replacing
from mlcore.round_files import SUBJECTS
from mlcore.simulate.replay_question import confusion_of
from mlcore.simulate.volunteers import SimulatedVolunteer, VolunteerPopulation, classify

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.simulate.replay_folder import LabelledGalaxy
    from mlcore.tree import DecisionTree


@dataclass(frozen=True)
class Crowd:
    """Volunteers, and how often each of them turns up.

    Attributes
    ----------
    people
        At least one.
    activity
        Chances, shape (people,), summing to 1.
    seed
        Of their votes.
    """

    people: tuple[SimulatedVolunteer, ...]
    activity: NDArray[np.float64]
    seed: int

    @classmethod
    def draw(cls, size: int, seed: int) -> Crowd:
        """Draw `size` volunteers; raises InvalidInputError for fewer than 1."""
        people = VolunteerPopulation(size, seed).volunteers()
        activity = np.array([person.activity for person in people])
        return cls(people, activity / activity.sum(), seed)

    def votes(
        self, id_str: str, fractions: NDArray[np.float64], tree: DecisionTree, wanted: int
    ) -> NDArray[np.int32]:
        """Return the counts (A,) of `wanted` different volunteers on one galaxy.

        Raises
        ------
        InvalidInputError
            For more votes than there are volunteers.
        """
        if wanted > len(self.people):
            raise InvalidInputError(f"wanted must be at most {len(self.people)}, is {wanted}")
        rng = np.random.default_rng([self.seed, _number_of(id_str)])
        counts = np.zeros(len(tree.label_cols), dtype=np.int32)
        for person in rng.choice(len(self.people), wanted, replace=False, p=self.activity):
            for step in classify(self.people[person], fractions, tree, rng):
                counts[tree.column_index[step]] += 1
        return counts


def _number_of(id_str: str) -> int:
    return int.from_bytes(hashlib.sha256(id_str.encode()).digest()[:8])


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
    crowd
        Who votes.
    votes_per_galaxy
        Votes that a galaxy gets once it is asked about.
    """

    galaxies: tuple[LabelledGalaxy, ...]
    tree: DecisionTree
    seen: NDArray[np.intp]
    planted: NDArray[np.bool_]
    control: NDArray[np.bool_]
    crowd: Crowd
    votes_per_galaxy: int

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

    def counts(self, rows: Collection[int] | NDArray[np.intp]) -> NDArray[np.int32]:
        """Return votes (n, A): those of `rows`, and zeros elsewhere."""
        answers = [answer.slug for answer in self.tree.questions[0].answers]
        confusion = confusion_of(answers)
        crowd_says = np.array([confusion.fractions(each, self.tree) for each in answers])
        counts = np.zeros((len(self.galaxies), len(answers)), dtype=np.int32)
        for row in rows:
            galaxy, seen = self.galaxies[row], crowd_says[self.seen[row]]
            counts[row] = self.crowd.votes(galaxy.id_str, seen, self.tree, self.votes_per_galaxy)
        return counts

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
