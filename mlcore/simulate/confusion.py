"""Volunteers for real galaxies whose published class is all that we know.

A confusion matrix says how often each class is answered for a galaxy of each
published class. The six classes of Galaxy Zoo 1 are confused here as its papers
describe (Lintott et al. 2008; Bamford et al. 2009, for the faint and the small):
ellipticals with don't-know and with edge-on disks, the two senses of winding with
each other and with ellipticals where arms are faint, mergers with all. The
figures are ours, chosen once and not fitted to any set of votes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlcore.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mlcore.tree import DecisionTree


@dataclass(frozen=True, slots=True)
class Confusion:
    """How a crowd answers for each published class.

    Parameters
    ----------
    classes
        At least 2 different names.
    rows
        One row for each published class: the fractions in which the classes, in
        the same order, are answered. Each row is at least 0 and sums to 1.

    Raises
    ------
    InvalidInputError
        When a rule above is broken.
    """

    classes: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        count = len(self.classes)
        if count < 2 or len(set(self.classes)) < count:
            raise InvalidInputError(
                f"classes must be at least 2 different names, are {self.classes}"
            )
        if len(self.rows) != count or any(len(row) != count for row in self.rows):
            raise InvalidInputError(f"rows must be {count} rows of {count}, are {self.rows}")
        for name, row in zip(self.classes, self.rows, strict=True):
            if not (min(row) >= 0 and abs(sum(row) - 1) < 1e-6):
                raise InvalidInputError(
                    f"row of {name!r} must sum to 1 with none below 0, is {row}"
                )

    @classmethod
    def even(cls, classes: Sequence[str], accuracy: float) -> Confusion:
        """Give every class the same accuracy, and every wrong answer the same share.

        Raises
        ------
        InvalidInputError
            When the accuracy is not from 0 to 1, or the classes are not at least 2
            different names.
        """
        if not 0 <= accuracy <= 1:
            raise InvalidInputError(f"accuracy must be from 0 to 1, is {accuracy}")
        wrong = (1 - accuracy) / max(1, len(classes) - 1)
        rows = tuple(
            tuple(accuracy if answered == true else wrong for answered in classes)
            for true in classes
        )
        return cls(tuple(classes), rows)

    def row(self, class_name: str) -> NDArray[np.float64]:
        """Return the fractions answered for a published class; shape (classes,).

        Raises
        ------
        InvalidInputError
            When the class is not one of ours.
        """
        if class_name not in self.classes:
            known = ", ".join(self.classes)
            raise InvalidInputError(f"class_name must be one of {known}, is {class_name!r}")
        return np.array(self.rows[self.classes.index(class_name)])

    def fractions(self, class_name: str, tree: DecisionTree) -> NDArray[np.float64]:
        """Return the fractions in the order of a one-question tree's columns.

        They are what `mlcore.simulate.volunteers.classify` takes; shape (A,).

        Raises
        ------
        InvalidInputError
            When the class is not one of ours, or the tree does not ask one question
            with these classes as its answers.
        """
        answers = [answer.slug for question in tree.questions for answer in question.answers]
        if len(tree.questions) != 1 or sorted(answers) != sorted(self.classes):
            raise InvalidInputError(
                f"tree must ask one question with the answers {sorted(self.classes)}, "
                f"has {len(tree.questions)} with {sorted(answers)}"
            )
        row = dict(zip(self.classes, self.row(class_name), strict=True))
        return np.array([row[answer] for answer in answers])


# Rows: published class; columns: what is answered.
GZ1_CONFUSION = Confusion(
    classes=(
        "elliptical", "spiral-clockwise", "spiral-anticlockwise", "edge-on", "merger", "dont-know",
    ),
    rows=(
        (0.86, 0.01, 0.01, 0.05, 0.01, 0.06),
        (0.07, 0.80, 0.04, 0.03, 0.02, 0.04),
        (0.07, 0.04, 0.80, 0.03, 0.02, 0.04),
        (0.08, 0.015, 0.015, 0.84, 0.01, 0.04),
        (0.10, 0.03, 0.03, 0.03, 0.74, 0.07),
        (0.20, 0.03, 0.03, 0.08, 0.06, 0.60),
    ),
)  # fmt: skip


def confusion_volunteer(
    class_name: str, confusion: Confusion
) -> Callable[[np.random.Generator], str]:
    """Return a function that draws one answer for a galaxy of a published class.

    Parameters
    ----------
    class_name
        The published class.
    confusion
        How often each class is answered for it.

    Raises
    ------
    InvalidInputError
        When the class is not one of the confusion's.
    """
    row = confusion.row(class_name)
    chances = row / row.sum()

    def answer(rng: np.random.Generator) -> str:
        return confusion.classes[int(rng.choice(len(chances), p=chances))]

    return answer
