"""The votes that every galaxy of a replay would get, one after the other, drawn at once.

The volunteers and their way of answering are those of `mlcore.simulate.volunteers`; here
whole columns of them answer together, because a replay needs some 10^5 classifications for
each seed. A galaxy's votes come in one order, whoever asks for them: two strategies that
ask for three votes on it are told the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlcore.errors import InvalidInputError
from mlcore.simulate.volunteers import (
    ARTIFACT_HAPPY,
    CAREFUL,
    FIRST_ANSWER,
    VolunteerPopulation,
    safe_answer,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlcore.simulate.volunteers import SimulatedVolunteer
    from mlcore.tree import DecisionTree, Question


@dataclass(frozen=True)
class VoteRecord:
    """Votes in the order in which they would come.

    Attributes
    ----------
    running
        Counts (n, V + 1, A) after the first 0 to V volunteers.
    """

    running: NDArray[np.uint8]

    @property
    def most(self) -> int:
        """V, the votes that a galaxy can get."""
        return int(self.running.shape[1]) - 1

    def counts(self, n_votes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the counts (n, A) of each galaxy's first `n_votes` (n,) volunteers.

        Raises
        ------
        InvalidInputError
            For a number below 0 or above `most`.
        """
        if len(n_votes) and not 0 <= n_votes.min() <= n_votes.max() <= self.most:
            raise InvalidInputError(
                f"n_votes must be from 0 to {self.most}, are {n_votes.min()} to {n_votes.max()}"
            )
        return self.running[np.arange(len(self.running)), n_votes].astype(np.float64)


def draw_votes(
    fractions: NDArray[np.float64],
    tree: DecisionTree,
    *,
    volunteers: int,
    votes: int,
    seed: int,
) -> VoteRecord:
    """Let different volunteers walk the tree for each galaxy; the busy ones come more often.

    Parameters
    ----------
    fractions
        The crowd's fractions (n, A); each question sums to 1.
    tree
        The tree to walk.
    volunteers
        Size of the crowd.
    votes
        V on each galaxy, from 1 to the smaller of `volunteers` and 255.
    seed
        Of the crowd and of its votes.

    Raises
    ------
    InvalidInputError
        For numbers out of their range.
    """
    if not 1 <= votes <= min(volunteers, 255):
        raise InvalidInputError(f"votes must be from 1 to {min(volunteers, 255)}, is {votes}")
    people = VolunteerPopulation(volunteers, seed).volunteers()
    rng = np.random.default_rng([seed, 7])
    activity = np.log([person.activity for person in people])
    # The largest of log-weights with Gumbel noise are a weighted draw without replacement.
    keys = activity + rng.gumbel(size=(len(fractions), volunteers))
    who = np.argsort(-keys, axis=1)[:, :votes]
    reached = {question.slug: np.zeros(who.shape, dtype=bool) for question in tree.questions}
    reached[tree.start][:] = True
    running = np.zeros((len(fractions), votes + 1, len(tree.label_cols)), dtype=np.uint8)
    for question in tree.questions:
        columns = tree.question_slices[question.slug]
        chances = _Answering.of(people, question).chances(fractions[:, columns], who)
        said = (chances.cumsum(axis=2) < rng.random(who.shape)[:, :, None]).sum(axis=2)
        said = np.minimum(said, len(question.answers) - 1)
        for place, answer in enumerate(question.answers):
            gave = reached[question.slug] & (said == place)
            running[:, 1:, columns.start + place] = gave
            if answer.next is not None:
                reached[answer.next] |= gave
    return VoteRecord(running.cumsum(axis=1, dtype=np.uint8))


@dataclass(frozen=True)
class _Answering:
    """How each of P volunteers answers one question of K answers.

    Careful ones as `mlcore.simulate.volunteers` says; of the others each answers with
    ``fixed + crowd_share * crowd``.
    """

    careful: NDArray[np.bool_]
    sharpness: NDArray[np.float64]
    taste: NDArray[np.float64]
    hesitation: NDArray[np.float64]
    slip: NDArray[np.float64]
    fixed: NDArray[np.float64]
    crowd_share: NDArray[np.float64]
    safe: int

    @classmethod
    def of(cls, people: tuple[SimulatedVolunteer, ...], question: Question) -> _Answering:
        width = len(question.answers)
        artifacts = [place for place, answer in enumerate(question.answers) if answer.artifact]
        careless = [_careless(person.manner, width, artifacts) for person in people]
        return cls(
            careful=np.array([person.manner == CAREFUL for person in people]),
            sharpness=np.array([0.5 + each.question_skill(question.slug) for each in people]),
            taste=np.array([each.taste(question.slug, width) for each in people]),
            hesitation=np.array([each.hesitation for each in people]),
            slip=np.array([each.slip for each in people]),
            fixed=np.array([fixed for fixed, _ in careless]),
            crowd_share=np.array([share for _, share in careless]),
            safe=safe_answer([answer.slug for answer in question.answers]),
        )

    def chances(self, crowd: NDArray[np.float64], who: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the chance (n, V, K) of each answer, of volunteers (n, V) and crowd (n, K)."""
        wide = crowd[:, None, :]
        own = wide ** self.sharpness[who][:, :, None] * np.exp(self.taste)[who]
        hesitate = self.hesitation[who] * (1 - crowd.max(axis=1))[:, None]
        mixed = (1 - hesitate)[:, :, None] * own / own.sum(axis=2, keepdims=True)
        mixed[:, :, self.safe] += hesitate
        slip = self.slip[who][:, :, None]
        careless = self.fixed[who] + self.crowd_share[who][:, :, None] * wide
        answered: NDArray[np.float64] = np.where(
            self.careful[who][:, :, None], (1 - slip) * mixed + slip / crowd.shape[1], careless
        )
        return answered


def _careless(manner: str, width: int, artifacts: list[int]) -> tuple[NDArray[np.float64], float]:
    """Return the fixed chances (K,), and the share of the crowd's, of a careless volunteer."""
    fixed = np.zeros(width)
    if manner == FIRST_ANSWER:
        fixed[0] = 1.0
    elif manner == ARTIFACT_HAPPY and artifacts:
        fixed[artifacts] = 0.9 / len(artifacts)
        return fixed, 0.1
    elif manner == ARTIFACT_HAPPY:
        return fixed, 1.0
    else:
        fixed += 1 / width
    return fixed, 0.0
