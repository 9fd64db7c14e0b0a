"""Simulated volunteers who walk a decision tree as people do.

Model of one answer. Let f be the fractions in which a crowd answers the question
about this galaxy. A volunteer answers from

    p = (1 - slip) * [(1 - hesitate) * normalise(f**sharpness * exp(bias)) + hesitate * safe]
        + slip / K

where

- sharpness grows with the volunteer's skill at that question (1 for the ordinary
  volunteer, so that a population's votes average to about f);
- bias is the volunteer's own taste for each answer, the same for every galaxy;
- hesitate grows as the crowd disagrees (1 - max f) and with the volunteer's own
  hesitation, and goes to the question's safe answer ("smooth", "no", "can't tell",
  or the middle of a scale);
- slip is a wrong button, any of the K answers.

A few volunteers are careless: they click at random, always take the first
answer, or call everything an artifact. Galaxy Zoo DECaLS found that 0.03% of its
volunteers, artifact-happy ones, made 5% of its classifications (Walmsley et al.
2022); activity here has such a heavy tail.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from mlcore.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlcore.tree import DecisionTree, Question

Walk: TypeAlias = tuple[tuple[str, str], ...]

CAREFUL, RANDOM_CLICKER, FIRST_ANSWER, ARTIFACT_HAPPY = (
    "careful",
    "random-clicker",
    "first-answer",
    "artifact-happy",
)
CARELESS = (RANDOM_CLICKER, FIRST_ANSWER, ARTIFACT_HAPPY)
SAFE_ANSWERS = ("smooth", "no", "cant-tell", "dont-know", "none", "in-between", "medium")


@dataclass(frozen=True, slots=True)
class SimulatedVolunteer:
    """One volunteer.

    Attributes
    ----------
    name
        Unique within the population.
    manner
        ``careful``, or one of `CARELESS`.
    skill
        0 to 1 about 0.5; each question's own skill varies about it.
    hesitation
        0 to 1: how often doubt ends in the safe answer.
    bias
        Spread of the volunteer's log-taste for one answer over another.
    slip
        Share of wrong buttons.
    seconds
        Typical time for one question.
    activity
        Relative share of the population's classifications.
    taste_seed
        Fixes the skill and the taste at each question.
    """

    name: str
    manner: str
    skill: float
    hesitation: float
    bias: float
    slip: float
    seconds: float
    activity: float
    taste_seed: int

    def question_skill(self, question: str) -> float:
        """Skill at one question, 0 to 1."""
        shift = self._own(question, "skill").normal(0, 0.1)
        return float(np.clip(self.skill + shift, 0, 1))

    def taste(self, question: str, answers: int) -> NDArray[np.float64]:
        """Log-taste for each answer of a question; shape (answers,)."""
        return self._own(question, "taste").normal(0, self.bias, size=answers)

    def _own(self, question: str, purpose: str) -> np.random.Generator:
        digest = hashlib.sha256(f"{purpose}:{question}".encode()).digest()
        return np.random.default_rng([self.taste_seed, int.from_bytes(digest[:8], "big")])


@dataclass(frozen=True, slots=True)
class VolunteerPopulation:
    """Volunteers drawn by seed: volunteer i depends on (seed, i) alone.

    Parameters
    ----------
    size
        Number of volunteers, at least 1.
    seed
        Whole number from 0.
    careless
        Share of careless volunteers, 0 to 1.
    mean_skill
        Between 0 and 1; 0.5 makes the votes average to about the crowd's.

    Raises
    ------
    InvalidInputError
        When a parameter is out of bounds.
    """

    size: int
    seed: int
    careless: float = 0.04
    mean_skill: float = 0.5

    def __post_init__(self) -> None:
        for name, value in (("size", self.size - 1), ("seed", self.seed)):
            if value < 0:
                low = 1 if name == "size" else 0
                raise InvalidInputError(f"{name} must be at least {low}, is {value + low}")
        for name, share in (("careless", self.careless), ("mean_skill", self.mean_skill)):
            if not 0 <= share <= 1:
                raise InvalidInputError(f"{name} must be from 0 to 1, is {share}")

    def volunteer(self, index: int) -> SimulatedVolunteer:
        """Draw one volunteer.

        Raises
        ------
        InvalidInputError
            When the index is not in the population.
        """
        if not 0 <= index < self.size:
            raise InvalidInputError(f"index must be from 0 to {self.size - 1}, is {index}")
        rng = np.random.default_rng([self.seed, index])
        careless = rng.random() < self.careless
        return SimulatedVolunteer(
            name=f"volunteer-{self.seed}-{index:06d}",
            manner=str(rng.choice(CARELESS)) if careless else CAREFUL,
            skill=float(np.clip(rng.normal(self.mean_skill, 0.15), 0, 1)),
            hesitation=float(rng.beta(1.2, 8)),
            bias=float(rng.gamma(2.0, 0.12)),
            slip=float(rng.beta(1.2, 40)),
            seconds=float(rng.lognormal(np.log(1.2 if careless else 3.5), 0.35)),
            activity=float(1 + rng.pareto(1.2)),
            taste_seed=int(rng.integers(0, 2**63)),
        )

    def volunteers(self) -> tuple[SimulatedVolunteer, ...]:
        """Draw them all, in order."""
        return tuple(self.volunteer(index) for index in range(self.size))


def classify(
    volunteer: SimulatedVolunteer,
    truth_fractions: NDArray[np.float64],
    tree: DecisionTree,
    rng: np.random.Generator,
) -> Walk:
    """Let one volunteer walk the tree for one galaxy.

    Parameters
    ----------
    volunteer
        Who answers.
    truth_fractions
        Shape (A,), the crowd's fractions as `answer_fractions` gives them.
    tree
        The tree to walk.
    rng
        Draws this classification.

    Returns
    -------
    The (question, answer) pairs in the order asked, to the end of a path.

    Raises
    ------
    InvalidInputError
        When the fractions have another shape, are negative or NaN, or sum to 0 in
        some question.
    """
    fractions = _checked(truth_fractions, tree)
    walk = []
    slug: str | None = tree.start
    while slug is not None:
        question = tree.question(slug)
        chances = _chances(volunteer, question, fractions[tree.question_slices[slug]])
        answer = question.answers[int(rng.choice(len(chances), p=chances))]
        walk.append((slug, answer.slug))
        slug = answer.next
    return tuple(walk)


def seconds_taken(volunteer: SimulatedVolunteer, walk: Walk, rng: np.random.Generator) -> float:
    """Time for one classification; the first look at a galaxy takes longer.

    An empty walk takes no time.
    """
    pauses = rng.lognormal(np.log(volunteer.seconds), 0.4, size=len(walk))
    return float(pauses.sum() + 0.5 * pauses[:1].sum())


def _checked(truth_fractions: NDArray[np.float64], tree: DecisionTree) -> NDArray[np.float64]:
    fractions = np.asarray(truth_fractions, dtype=float)
    expected = (len(tree.label_cols),)
    if fractions.shape != expected:
        raise InvalidInputError(f"truth_fractions must have shape {expected}, is {fractions.shape}")
    if not (fractions >= 0).all():
        raise InvalidInputError(f"truth_fractions must be at least 0, has {fractions.min()}")
    for question, place in tree.question_slices.items():
        if not 0 < fractions[place].sum() < np.inf:
            raise InvalidInputError(
                f"truth_fractions of question {question!r} must have a positive sum, "
                f"is {fractions[place].sum()}"
            )
    return fractions


def _chances(
    volunteer: SimulatedVolunteer, question: Question, fractions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Chance of each answer of one question."""
    crowd = fractions / fractions.sum()
    if volunteer.manner != CAREFUL:
        return _careless_chances(volunteer.manner, question, crowd)
    sharpness = 0.5 + volunteer.question_skill(question.slug)
    own = crowd**sharpness * np.exp(volunteer.taste(question.slug, len(crowd)))
    hesitate = volunteer.hesitation * (1 - crowd.max())
    mixed: NDArray[np.float64] = (1 - hesitate) * own / own.sum()
    mixed[safe_answer([answer.slug for answer in question.answers])] += hesitate
    return (1 - volunteer.slip) * mixed + volunteer.slip / len(crowd)


def _careless_chances(
    manner: str, question: Question, crowd: NDArray[np.float64]
) -> NDArray[np.float64]:
    chances = np.zeros(len(crowd))
    artifacts = [place for place, answer in enumerate(question.answers) if answer.artifact]
    if manner == FIRST_ANSWER:
        chances[0] = 1.0
    elif manner == ARTIFACT_HAPPY and artifacts:
        chances[artifacts] = 0.9 / len(artifacts)
        chances += 0.1 * crowd
    elif manner == ARTIFACT_HAPPY:
        chances = crowd
    else:
        chances += 1 / len(crowd)
    return chances


def safe_answer(answers: Sequence[str]) -> int:
    """Return the place of the answer that a hesitant volunteer falls back on.

    The first of `SAFE_ANSWERS` that the question has, or else the middle one.

    Raises
    ------
    InvalidInputError
        When there are no answers.
    """
    if not answers:
        raise InvalidInputError("answers must have at least 1 entry, has 0")
    for safe in SAFE_ANSWERS:
        if safe in answers:
            return list(answers).index(safe)
    return len(answers) // 2
