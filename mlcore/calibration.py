"""What a model's guesses are worth: two guesses made one, and as sure as they may be.

A network that has learnt its galaxies by heart is too sure of others: the fractions are
right on average, their spread too narrow. Multiplying all concentrations of a question by
one scale changes how sure it is and not what it says, as a temperature does for classes
(Guo et al. 2017, ICML 70, 1321).

Where look-alikes have a say (`mlcore.cnn.lookalikes`), their fractions f and the network's m
are pooled first, each raised to a power that says how far it may be trusted (a logarithmic
opinion pool; Genest & Zidek 1986, Stat. Sci. 1, 114), while the network's total A goes on
telling how sure it is:

    alpha = scale * A * g,    g  proportional to  m ** network * f ** lookalikes

Scale and powers are the most probable ones, by the Dirichlet-multinomial of
`mlcore.votes.likelihood`, for votes that neither guess has seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import gammaln, softmax

from mlcore.errors import InvalidInputError
from mlcore.votes.likelihood import check_votes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mlcore.tree import DecisionTree

#: Questions with fewer votes than this, on galaxies with two or more, stay as they are.
MIN_VOTES = 50
#: Scales are sought in this range; a saturated head may need a hundredth.
SMALLEST, LARGEST = 1e-3, 1e3
#: How far a scale's logarithm lies from 0 before any vote is seen (standard deviation).
PRIOR_SPREAD = 1.0
#: What the powers of network and look-alikes are before any vote is seen, how far they may be
#: off, and their bound.
POWERS, POWER_SPREAD, LARGEST_POWER = (0.4, 0.8), 0.3, 3.0
# A guess is never quite sure that an answer gets no vote at all.
_LEAST_FRACTION = 1e-6
_GRID = np.linspace(np.log(SMALLEST), np.log(LARGEST), 43)


@dataclass(frozen=True)
class QuestionCalibration:
    """The scale and the powers of one question, and what they were fitted to.

    Attributes
    ----------
    scale
        What its concentrations are multiplied by: below 1 where they were too sure.
    galaxies, votes
        Galaxies with two votes or more, and the votes on them; one vote alone says
        nothing of how sure to be.
    gain
        How much more likely the votes that it was fitted to have become than by the network
        as it is, in nats per vote; with powers, single votes are among them.
    network, lookalikes
        The powers of the two guesses; 1 and 0 leave the network alone.
    """

    scale: float = 1.0
    galaxies: int = 0
    votes: float = 0.0
    gain: float = 0.0
    network: float = 1.0
    lookalikes: float = 0.0

    def __post_init__(self) -> None:
        if not SMALLEST <= self.scale <= LARGEST:
            raise InvalidInputError(f"scale must be in [{SMALLEST}, {LARGEST}], is {self.scale}")
        for name in ("network", "lookalikes"):
            power = getattr(self, name)
            if not 0 <= power <= LARGEST_POWER:
                raise InvalidInputError(f"{name} must be in [0, {LARGEST_POWER}], is {power}")

    def pool(
        self, concentrations: NDArray[np.floating], fractions: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Return one question's concentrations (n, K), pooled with fractions (n, K) and scaled."""
        total = concentrations.sum(axis=1, keepdims=True, dtype=np.float64)
        powers = (self.network, self.lookalikes)
        shares = _pooled(_logs(concentrations), _logs(fractions), powers)
        return np.asarray(self.scale * total * shares)


@dataclass(frozen=True)
class Calibration:
    """The scales of a model.

    Attributes
    ----------
    questions
        Question slug to its scale; the concentrations of others stay as they are, so that
        none at all changes nothing.
    """

    questions: Mapping[str, QuestionCalibration]

    def apply(
        self,
        concentrations: NDArray[np.float32],
        tree: DecisionTree,
        fractions: NDArray[np.floating] | None = None,
    ) -> NDArray[np.float32]:
        """Return the concentrations (n, A), pooled with the look-alikes' fractions and scaled.

        Without fractions (n, A) they are scaled alone. Raises as `factors` does.
        """
        scaled = concentrations * self.factors(tree).astype(np.float32)
        if fractions is None:
            return scaled
        for slug, part in tree.question_slices.items():
            fitted = self.questions.get(slug, IGNORANT)
            scaled[:, part] = fitted.pool(concentrations[:, part], fractions[:, part])
        return scaled

    def factors(self, tree: DecisionTree) -> NDArray[np.float64]:
        """Return what each concentration is multiplied by, shape (A,).

        Raises
        ------
        InvalidInputError
            For the scale of a question that the tree lacks.
        """
        unknown = sorted(set(self.questions) - set(tree.question_slices))
        if unknown:
            raise InvalidInputError(f"questions must be the tree's, {unknown[0]!r} is not")
        factors = np.ones(len(tree.label_cols))
        for slug, fitted in self.questions.items():
            factors[tree.question_slices[slug]] = fitted.scale
        return factors

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, by question."""
        return {slug: vars(fitted).copy() for slug, fitted in self.questions.items()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Return what `to_dict` gave; raises InvalidInputError for anything else."""
        try:
            return cls({slug: QuestionCalibration(**each) for slug, each in document.items()})
        except (TypeError, AttributeError) as error:
            raise InvalidInputError(f"document must be a calibration, is not: {error}") from error


#: What changes nothing of a network alone.
IDENTITY = Calibration({})
#: A question's, before any vote that both guesses have not seen.
IGNORANT = QuestionCalibration(network=POWERS[0], lookalikes=POWERS[1])


def fit_calibration(
    counts: NDArray[np.float64],
    concentrations: NDArray[np.float64],
    tree: DecisionTree,
    fractions: NDArray[np.float64] | None = None,
) -> Calibration:
    """Return the most probable scale of each question, and powers where there are two guesses.

    The prior of a scale's logarithm is Gaussian around 0 with spread `PRIOR_SPREAD`, and
    that of a power around `POWERS` with `POWER_SPREAD`, so that few galaxies move them
    little; fewer than `MIN_VOTES` votes leave them there.

    Parameters
    ----------
    counts
        Votes that neither guess has seen, shape (n, A); weighted votes are allowed.
    concentrations
        What the network predicted, shape (n, A), positive.
    tree
        The tree of the A columns.
    fractions
        What look-alikes say, shape (n, A), positive; None where they are not asked.

    Raises
    ------
    InvalidInputError
        For shapes that differ, NaN, negative counts, or guesses that are not positive.
    """
    counts, concentrations = check_votes(counts, concentrations, tree)
    if fractions is not None:
        _, fractions = check_votes(counts, fractions, tree)
    return Calibration(
        {
            slug: _fit_question(
                counts[:, part],
                concentrations[:, part],
                None if fractions is None else fractions[:, part],
            )
            for slug, part in tree.question_slices.items()
        }
    )


def _fit_question(
    counts: NDArray[np.float64],
    concentrations: NDArray[np.float64],
    fractions: NDArray[np.float64] | None,
) -> QuestionCalibration:
    votes = counts.sum(axis=1)
    # A vote alone on its galaxy tells nothing of the scale, but something of the powers.
    telling = votes > (1 if fractions is None else 0)
    enough = votes[votes > 1].sum() >= MIN_VOTES
    galaxies, told = int((votes > 1).sum()), float(votes[votes > 1].sum())
    if not enough:
        start = QuestionCalibration() if fractions is None else IGNORANT
        return replace(start, galaxies=galaxies, votes=told)
    k, a = counts[telling], concentrations[telling]
    likelihood = _Likelihood(k, a, None if fractions is None else fractions[telling])
    scale, *powers = likelihood.best()
    found = QuestionCalibration(scale, galaxies, told, 0.0, *powers)
    gain = (_cost(k, a) - likelihood.cost([np.log(scale), *powers])) / k.sum()
    return replace(found, gain=float(gain))


@dataclass(frozen=True)
class _Likelihood:
    """The votes (n, K) of one question, and the one or two guesses of them."""

    counts: NDArray[np.float64]
    concentrations: NDArray[np.float64]
    fractions: NDArray[np.float64] | None

    @cached_property
    def _guesses(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the totals (n, 1), and the logs (n, K) of either guess."""
        total = self.concentrations.sum(axis=1, keepdims=True)
        theirs = self.fractions if self.fractions is not None else np.ones_like(self.counts)
        return total, _logs(self.concentrations), _logs(theirs)

    def cost(self, point: Sequence[float]) -> float:
        """Return -log p of the votes in nats for (log scale,) or (log scale, two powers)."""
        total, ours, theirs = self._guesses
        powers = (point[1], point[2]) if len(point) > 1 else (1.0, 0.0)
        return _cost(self.counts, np.exp(point[0]) * total * _pooled(ours, theirs, powers))

    def _badness(self, point: Sequence[float]) -> float:
        """Return the cost, and that of being far from the prior."""
        far = [point[0] / PRIOR_SPREAD]
        far += [(p - q) / POWER_SPREAD for p, q in zip(point[1:], POWERS, strict=False)]
        return self.cost(point) + 0.5 * float(np.square(far).sum())

    def best(self) -> list[float]:
        """Return the most probable scale, and powers where there are two guesses."""
        powers = [] if self.fractions is None else [*POWERS]
        # The likelihood need not have one peak alone: look everywhere, then near the best.
        costs = [self._badness([each, *powers]) for each in _GRID]
        place = int(np.argmin(costs))
        near = (_GRID[max(place - 1, 0)], _GRID[min(place + 1, len(_GRID) - 1)])
        if not powers:
            alone = minimize_scalar(
                lambda each: self._badness([each]),
                bounds=near,
                method="bounded",
                options={"xatol": 1e-6},
            )
            return [_clipped(alone.x)]
        found = minimize(
            self._badness,
            [_GRID[place], *powers],
            method="L-BFGS-B",
            bounds=[(_GRID[0], _GRID[-1]), *[(0.0, LARGEST_POWER)] * 2],
        )
        return [_clipped(found.x[0]), *(float(each) for each in found.x[1:])]


def _clipped(log_scale: float) -> float:
    return float(np.clip(np.exp(log_scale), SMALLEST, LARGEST))


def _logs(guess: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the logarithms (n, K) of a guess's fractions, none below `_LEAST_FRACTION`."""
    shares = guess.astype(np.float64) / guess.sum(axis=1, keepdims=True, dtype=np.float64)
    return np.asarray(np.log(np.maximum(shares, _LEAST_FRACTION)))


def _pooled(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], powers: tuple[float, float]
) -> NDArray[np.float64]:
    """Return the fractions (n, K) of two guesses' logs, each by its power."""
    return np.asarray(softmax(powers[0] * ours + powers[1] * theirs, axis=1))


def _cost(k: NDArray[np.float64], a: NDArray[np.float64]) -> float:
    """Return -log p of the counts (n, K) in nats, up to what the guesses leave alone."""
    total = a.sum(axis=1)
    of_totals = gammaln(total) - gammaln(total + k.sum(axis=1))
    return -float(of_totals.sum() + (gammaln(a + k) - gammaln(a)).sum())
