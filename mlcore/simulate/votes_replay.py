"""Votes that each strategy needs, on galaxies whose true fractions are known.

The score is the skill of predictions on the test set, in nats per volunteer: how much
better than the survey's mean fractions they foretell one more volunteer's walk through the
tree,

    skill = sum over questions of P(asked) sum_a f_a (log p_a - log m_a),

with f the true fractions, p the predicted ones and m those of a model that sees no
features. It was chosen before anything was measured: unlike accuracy it is 0 for a model
that has learned nothing, rewards fractions and not the leading answer alone, and adds up
over a tree. The reference is the same model on the whole pool with 40 votes each; a
strategy is done at 90%, 95% or 99% of its skill.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mlcore.errors import InvalidInputError, NotEnoughVotesError
from mlcore.gp.acquisition import asked_probability
from mlcore.gp.vote_regression import RegressionConfig, fit_vote_regression, kernel_basis
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked
from mlcore.simulate.votes_crowd import draw_votes
from mlcore.simulate.votes_strategies import FULL_VOTES, STRATEGIES, VotesSoFar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mlcore.gp.vote_regression import VoteRegression
    from mlcore.simulate.votes_crowd import VoteRecord
    from mlcore.simulate.votes_strategies import Strategy
    from mlcore.simulate.votes_survey import VoteSurvey
    from mlcore.tree import DecisionTree

#: A fraction predicted below it counts as this.
_LEAST_FRACTION = 1e-6


@dataclass(frozen=True)
class VotesPlan:
    """How a votes-needed replay is done.

    Attributes
    ----------
    pool
        Galaxies that each seed draws from the survey's pool, where there are as many.
    first, growth
        Votes of the first round, and how much more all votes are after each further one.
    volunteers
        Size of the crowd, at least 40.
    goal
        Share of the reference's skill at which a curve ends.
    config
        Of the regression.
    """

    pool: int = 2000
    first: int = 200
    growth: float = 1.4
    volunteers: int = 300
    goal: float = 0.99
    config: RegressionConfig = field(default_factory=lambda: RegressionConfig(landmarks=128))

    def __post_init__(self) -> None:
        for name, least in (("pool", 20), ("first", 1), ("volunteers", FULL_VOTES)):
            if getattr(self, name) < least:
                raise InvalidInputError(
                    f"{name} must be at least {least}, is {getattr(self, name)}"
                )
        if not self.growth >= 1.05:
            raise InvalidInputError(f"growth must be at least 1.05, is {self.growth}")
        if not 0 < self.goal <= 1:
            raise InvalidInputError(f"goal must be in (0, 1], is {self.goal}")


@dataclass(frozen=True)
class Curve:
    """What one strategy reached, and for how many votes.

    Attributes
    ----------
    strategy
        Its name.
    votes, galaxies
        Volunteers asked in all after each round, and galaxies with a vote; both rise.
    skill
        Nats per volunteer, after each round.
    accuracy
        Share of test galaxies whose leading first answer is right.
    """

    strategy: str
    votes: tuple[int, ...]
    galaxies: tuple[int, ...]
    skill: tuple[float, ...]
    accuracy: tuple[float, ...]


@dataclass(frozen=True)
class SeedResult:
    """One seed: every strategy's curve, and the scores that they are held against.

    Attributes
    ----------
    seed, pool, test
        The seed, and how many galaxies there were.
    full_skill, full_accuracy
        With 40 votes on every galaxy of the pool.
    majority_accuracy
        Of always saying the commonest first answer.
    best_skill
        Of the true fractions: no model can do better.
    curves
        One per strategy.
    """

    seed: int
    pool: int
    test: int
    full_skill: float
    full_accuracy: float
    majority_accuracy: float
    best_skill: float
    curves: tuple[Curve, ...]


def replay_seed(
    survey: VoteSurvey,
    plan: VotesPlan,
    seed: int,
    *,
    strategies: tuple[Strategy, ...] | None = None,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> SeedResult:
    """Run every strategy on one draw of the pool, the crowd and its votes.

    Parameters
    ----------
    survey
        The galaxies.
    plan
        How it is done.
    seed
        Of the pool, the landmarks, the crowd, its votes and the random order; at least 0.
    strategies
        All of `STRATEGIES` when None.
    on_progress
        Called with the strategy, its share of the votes, and a line.
    should_stop
        Asked before each fit.

    Raises
    ------
    InvalidInputError
        For a negative seed.
    NotEnoughVotesError
        Where even 40 votes on every galaxy teach the model nothing.
    CancelledError
        After `should_stop` said so.
    """
    if seed < 0:
        raise InvalidInputError(f"seed must be at least 0, is {seed}")
    world = World.of(survey, plan, seed)
    whole = np.full(len(world.basis), FULL_VOTES)
    full_skill, full_accuracy = world.score(world.fit(whole))
    if not full_skill > 0:
        raise NotEnoughVotesError(
            "skill of the whole pool with 40 votes each must be above 0 to compare anything, "
            f"is {full_skill:.4f}: the features tell nothing of the answers"
        )
    chosen = tuple(make() for make in STRATEGIES) if strategies is None else strategies
    curves = []
    for place, strategy in enumerate(chosen):
        rounds = []
        for asked, model in world.rounds(strategy):
            stop_if_asked(should_stop, strategy.name)
            rounds.append((int(asked.sum()), int((asked > 0).sum()), *world.score(model)))
            done = f"{rounds[-1][0]:,} votes, {rounds[-1][2] / full_skill:.0%} of the full skill"
            report(on_progress, f"seed {seed}", place / len(chosen), f"{strategy.name}: {done}")
            if rounds[-1][2] >= plan.goal * full_skill:
                break
        curves.append(Curve(strategy.name, *(tuple(each) for each in zip(*rounds, strict=True))))
    first = survey.tree.question_slices[survey.tree.start]
    return SeedResult(
        seed=seed,
        pool=len(world.basis),
        test=len(world.truth),
        full_skill=full_skill,
        full_accuracy=full_accuracy,
        majority_accuracy=float(np.bincount(world.truth[:, first].argmax(axis=1)).max())
        / len(world.truth),
        best_skill=world.skill(world.truth),
        curves=tuple(curves),
    )


@dataclass(frozen=True)
class World:
    """One seed's galaxies, and the votes that they would get.

    Attributes
    ----------
    tree, plan, seed
        What is asked, and how.
    rows
        Rows (m,) of the pool in the survey.
    basis, test_basis
        Of the pool (m, p), and of the test set (t, p).
    truth
        True fractions (t, A) of the test set.
    baseline
        Fractions (A,) of a model that sees no features.
    record
        Votes of the pool.
    """

    tree: DecisionTree
    plan: VotesPlan
    seed: int
    rows: NDArray[np.intp]
    basis: NDArray[np.float64]
    test_basis: NDArray[np.float64]
    truth: NDArray[np.float64]
    baseline: NDArray[np.float64]
    record: VoteRecord

    @classmethod
    def of(cls, survey: VoteSurvey, plan: VotesPlan, seed: int) -> World:
        """Draw the pool, the landmarks from it, and all votes."""
        rng = np.random.default_rng([seed, 11])
        pool = rng.permutation(np.flatnonzero(~survey.test))[: plan.pool]
        test = np.flatnonzero(survey.test)
        both = np.concatenate([pool, test])
        basis = kernel_basis(survey.features, plan.config.landmarks, seed, among=pool)[both]
        record = draw_votes(
            survey.fractions[pool],
            survey.tree,
            volunteers=plan.volunteers,
            votes=FULL_VOTES,
            seed=seed,
        )
        counts = record.counts(np.full(len(pool), FULL_VOTES)).sum(axis=0, keepdims=True)
        blind = fit_vote_regression(np.zeros((1, 1)), counts, survey.tree, plan.config)
        return cls(
            survey.tree,
            plan,
            seed,
            pool,
            basis[: len(pool)],
            basis[len(pool) :],
            survey.fractions[test],
            blind.mean_fractions(np.zeros((1, 1)))[0],
            record,
        )

    def fit(self, asked: NDArray[np.int64]) -> VoteRegression:
        """Fit the votes of the first `asked` (m,) volunteers on each galaxy."""
        voted = asked > 0
        counts = self.record.counts(asked)[voted]
        return fit_vote_regression(self.basis[voted], counts, self.tree, self.plan.config)

    def rounds(self, strategy: Strategy) -> Iterator[tuple[NDArray[np.int64], VoteRegression]]:
        """Yield the volunteers (m,) asked so far, and the model of their votes, per round."""
        asked = np.zeros(len(self.basis), dtype=np.int64)
        model, target = self.fit(asked), self.plan.first
        order = np.random.default_rng([self.seed, 13]).permutation(len(asked))
        while True:
            more = self._ask(strategy, asked, model, order, target)
            if not more.any():
                return
            asked = asked + more
            model = self.fit(asked)
            yield asked, model
            target = max(int(target * self.plan.growth), int(asked.sum()) + 1)

    def _ask(
        self,
        strategy: Strategy,
        asked: NDArray[np.int64],
        model: VoteRegression,
        order: NDArray[np.intp],
        target: int,
    ) -> NDArray[np.int64]:
        """Let the strategy ask until there are `target` votes, or it is done."""
        before = asked
        while asked.sum() < target:
            known = VotesSoFar(
                self.basis, self.record.counts(asked), asked, model, order, self.seed
            )
            more = strategy.ask(known, target - int(asked.sum()))
            if not more.any():
                break
            asked = asked + more
        return asked - before

    def score(self, model: VoteRegression) -> tuple[float, float]:
        """Return the skill and the accuracy on the test set."""
        predicted = model.mean_fractions(self.test_basis)
        first = self.tree.question_slices[self.tree.start]
        right = predicted[:, first].argmax(axis=1) == self.truth[:, first].argmax(axis=1)
        return self.skill(predicted), float(right.mean())

    def skill(self, predicted: NDArray[np.float64]) -> float:
        """Return the mean skill of predicted fractions (t, A), in nats per volunteer."""
        widths = [span.stop - span.start for span in self.tree.question_slices.values()]
        weight = np.repeat(asked_probability(self.truth, self.tree), widths, axis=1) * self.truth
        gained = np.log(np.maximum(predicted, _LEAST_FRACTION)) - np.log(self.baseline)
        return float((weight * gained).sum(axis=1).mean())
