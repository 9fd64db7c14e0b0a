"""Single votes as parallel arrays, and their weighted sums over subjects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mlcore.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlcore.tree import DecisionTree


@dataclass(frozen=True, eq=False)
class VoteTable:
    """M votes: who said what about which subject.

    Parameters
    ----------
    tree
        The tree that was walked.
    volunteer, subject
        Index of the volunteer and of the subject, from 0; shape (M,), integers. They are
        dense: arrays of V volunteers and S subjects are made from them.
    question
        Place of the question in ``tree.questions``; shape (M,).
    answer
        Place of the answer in its question's answers; shape (M,).

    An empty table is allowed. Raises InvalidInputError for arrays of different lengths,
    that are not integers, out of range, or where one volunteer answered one question of
    one subject twice.
    """

    tree: DecisionTree
    volunteer: NDArray[np.int64]
    subject: NDArray[np.int64]
    question: NDArray[np.int64]
    answer: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("volunteer", "subject", "question", "answer"):
            object.__setattr__(self, name, _index_array(getattr(self, name), name))
            if len(getattr(self, name)) != len(self.volunteer):
                raise InvalidInputError(f"{name} must have {len(self.volunteer)} votes")
        _check_below(self.question, len(self.n_answers), "question")
        _check_below(self.answer, self.n_answers[self.question], "answer")
        self._refuse_repeats()

    def _refuse_repeats(self) -> None:
        keys = (self.volunteer * self.n_subjects + self.subject) * len(self.n_answers)
        _, first, times = np.unique(keys + self.question, return_index=True, return_counts=True)
        if np.any(times > 1):
            vote = first[np.argmax(times > 1)]
            raise InvalidInputError(
                f"volunteer {self.volunteer[vote]} must answer question {self.question[vote]} "
                f"of subject {self.subject[vote]} once, answered {times.max()} times"
            )

    @cached_property
    def n_answers(self) -> NDArray[np.int64]:
        """Number of answers to each question; shape (Q,)."""
        return np.array([len(question.answers) for question in self.tree.questions])

    @property
    def n_volunteers(self) -> int:
        """V: one more than the largest volunteer index."""
        return int(self.volunteer.max(initial=-1)) + 1

    @property
    def n_subjects(self) -> int:
        """S: one more than the largest subject index."""
        return int(self.subject.max(initial=-1)) + 1

    @cached_property
    def column(self) -> NDArray[np.int64]:
        """Place of each vote in ``tree.label_cols``; shape (M,)."""
        first = np.cumsum(self.n_answers) - self.n_answers
        return np.asarray(first[self.question] + self.answer)

    def counts(self, weight: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Return the summed weights of the votes per subject and label column; shape (S, A).

        Parameters
        ----------
        weight
            Of each vote, shape (M,); None counts every vote once.
        """
        width = len(self.tree.label_cols)
        cell = self.subject * width + self.column
        sums = np.bincount(cell, weight, minlength=self.n_subjects * width)
        return sums.astype(np.float64).reshape(self.n_subjects, width)


def _index_array(values: NDArray[np.int64], name: str) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise InvalidInputError(f"{name} must be one axis of integers, is {array.dtype}")
    if array.size and array.min() < 0:
        raise InvalidInputError(f"{name} must be at least 0, is {array.min()}")
    return array.astype(np.int64)


def _check_below(values: NDArray[np.int64], limit: int | NDArray[np.int64], name: str) -> None:
    if np.any(values >= limit):
        raise InvalidInputError(f"{name} must be one that the tree has, is {values.max()}")
