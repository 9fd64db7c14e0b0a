"""Ways to spend votes: which galaxies are asked about, and by how many volunteers.

Each strategy is told what is known and a number of votes, and says how many more each
galaxy gets. Those that give a galaxy all its votes at once may go a little over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.special import betainc

from mlcore.gp.acquisition import tree_information
from mlcore.gp.vote_design import VoteDesign

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mlcore.gp.vote_regression import VoteRegression
    from mlcore.tree import DecisionTree

FULL_VOTES = 40
_DRAWS = 32
# Votes that ours chooses at a time.
_BLOCK = 8


@dataclass(frozen=True)
class VotesSoFar:
    """What is known when a strategy is asked.

    Attributes
    ----------
    basis
        (m, p), of the m galaxies of the pool; see `mlcore.gp.vote_regression`.
    counts
        Votes (m, A) so far.
    asked
        Volunteers (m,) so far.
    model
        Fitted to them.
    order
        A random order of the pool (m,), the same for every strategy of a seed.
    seed
        For further randomness.
    """

    basis: NDArray[np.float64]
    counts: NDArray[np.float64]
    asked: NDArray[np.int64]
    model: VoteRegression
    order: NDArray[np.intp]
    seed: int

    @property
    def tree(self) -> DecisionTree:
        """What volunteers are asked."""
        return self.model.tree

    def first_answers(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the columns of (m, A) that belong to the first question."""
        return values[:, self.tree.question_slices[self.tree.start]]


class Strategy(Protocol):
    """A way to spend votes."""

    @property
    def name(self) -> str:
        """Return a short name, unique among strategies."""

    def ask(self, known: VotesSoFar, n_votes: int) -> NDArray[np.int64]:
        """Return how many more votes (m,) each galaxy gets, some `n_votes` in all.

        None where the strategy is done with the pool.
        """


@dataclass(frozen=True)
class RandomWhole:
    """Galaxies in random order, each with all its votes: what most projects do."""

    votes: int = FULL_VOTES
    name: str = "random, 40 votes each"

    def ask(self, known: VotesSoFar, n_votes: int) -> NDArray[np.int64]:
        """See `Strategy`."""
        return _whole(known, known.order, self.votes, n_votes)


@dataclass(frozen=True)
class RandomThin:
    """One vote on every galaxy in random order, then a second one, and so on."""

    name: str = "random, spread thin"

    def ask(self, known: VotesSoFar, n_votes: int) -> NDArray[np.int64]:
        """See `Strategy`."""
        more = np.zeros_like(known.asked)
        more[known.order] = spread_thin(known.asked[known.order], n_votes, FULL_VOTES)
        return more


def spread_thin(asked: NDArray[np.int64], n_votes: int, most: int) -> NDArray[np.int64]:
    """Return how many of `n_votes` more votes (m,) each galaxy gets, where the fewest come first.

    Parameters
    ----------
    asked
        Votes (m,) so far, of m >= 1 galaxies; of those with as many the first comes first.
    n_votes
        To give out, at the most.
    most
        Votes that a galaxy may have in all.
    """
    turns = asked[:, None] + np.arange(most)
    places = np.arange(len(asked))[:, None]
    following = np.sort((turns * len(asked) + places)[turns < most])[:n_votes]
    return np.bincount(following % len(asked), minlength=len(asked))


@dataclass(frozen=True)
class RandomAdaptive:
    """Galaxies in random order, each until its first question is settled.

    Settled: after `least` votes or more, the leading answer is ahead of the next one with
    a posterior probability of `sure` (even prior), or the galaxy has 40.
    """

    sure: float = 0.95
    least: int = 3
    name: str = "random, adaptive retirement"

    def ask(self, known: VotesSoFar, n_votes: int) -> NDArray[np.int64]:
        """See `Strategy`: one more vote for each unsettled galaxy among the first begun."""
        open_ones = known.order[~self._settled(known)[known.order]]
        more = np.zeros(len(known.order), dtype=np.int64)
        # Some galaxies at a time, as a project has: begun ones first.
        begun = np.argsort(known.asked[open_ones] == 0, kind="stable")
        chosen = open_ones[begun][: max(n_votes // self.least, 1)]
        wanted = np.where(known.asked[chosen] < self.least, self.least - known.asked[chosen], 1)
        more[chosen] = np.where(np.cumsum(wanted) <= n_votes, wanted, 0)
        return more

    def _settled(self, known: VotesSoFar) -> NDArray[np.bool_]:
        votes = np.sort(known.first_answers(known.counts), axis=1)
        ahead, behind = votes[:, -1], votes[:, -2]
        sure = betainc(behind + 1, ahead + 1, 0.5)
        enough = known.asked >= self.least
        settled: NDArray[np.bool_] = (enough & (sure >= self.sure)) | (known.asked >= FULL_VOTES)
        return settled


@dataclass(frozen=True)
class ThresholdRetires:
    """Galaxies whose leading first answer is predicted at 0.8 or more are not asked about.

    All others are, in random order with 40 votes each, and among them a fifth as many of
    the decided ones, at random.
    """

    threshold: float = 0.8
    extras: float = 0.2
    name: str = "threshold 0.8 retires, 20% extras"

    def ask(self, known: VotesSoFar, n_votes: int) -> NDArray[np.int64]:
        """See `Strategy`."""
        certain = known.first_answers(known.model.mean_fractions(known.basis)).max(axis=1)
        return _threshold(known, certain < self.threshold, self.extras, n_votes)


@dataclass(frozen=True)
class ThresholdSelects:
    """KaDE's rule as its source has it: what is predicted at 0.8 or more is shown.

    Predicted is what interests the project: here, anything but the commonest first answer.
    A fifth as many of the other galaxies are shown with them, at random; 40 votes each.
    Where nothing reaches the threshold, galaxies are shown at random.
    """

    threshold: float = 0.8
    extras: float = 0.2
    name: str = "KaDE: shows what is above 0.8, 20% extras"

    def ask(self, known: VotesSoFar, n_votes: int) -> NDArray[np.int64]:
        """See `Strategy`."""
        commonest = known.first_answers(known.counts).sum(axis=0).argmax()
        predicted = known.first_answers(known.model.mean_fractions(known.basis))
        return _threshold(
            known, 1.0 - predicted[:, commonest] >= self.threshold, self.extras, n_votes
        )


@dataclass(frozen=True)
class InformationTop:
    """The galaxies with the most information (BALD on votes), each with all its votes.

    Walmsley et al. 2020 ask for some 40 votes on each. The first galaxies are random.
    """

    votes: int = FULL_VOTES
    name: str = "BALD top-k, 40 votes each"

    def ask(self, known: VotesSoFar, n_votes: int) -> NDArray[np.int64]:
        """See `Strategy`."""
        if not known.asked.any():
            return _whole(known, known.order, self.votes, n_votes)
        scores = np.empty(len(known.basis))
        for rows, draws in known.model.iterate_fractions(known.basis, _DRAWS, known.seed):
            scores[rows] = tree_information(draws, known.tree, self.votes)
        return _whole(known, np.argsort(-scores, kind="stable"), self.votes, n_votes)


@dataclass(frozen=True)
class Designed:
    """Ours: each vote where it improves the survey's predictions most.

    See `mlcore.gp.vote_design`. A share of the votes is spread thin at random, as a site's
    control arm is. Without `own_votes` it does not look at what the votes on a galaxy say,
    but through the model: to see what that is worth.
    """

    random_share: float = 0.1
    own_votes: bool = True
    name: str = "ours"
    thin: RandomThin = field(default_factory=RandomThin)

    def ask(self, known: VotesSoFar, n_votes: int) -> NDArray[np.int64]:
        """See `Strategy`."""
        more = self.thin.ask(known, round(self.random_share * n_votes))
        design = VoteDesign(
            known.basis,
            known.model.mean_fractions(known.basis),
            known.counts if self.own_votes else np.zeros_like(known.counts),
            known.asked + more,
            known.tree,
            known.model.config,
        )
        chosen, _ = design.choose(n_votes - int(more.sum()), max_votes=FULL_VOTES, block=_BLOCK)
        return more + np.bincount(chosen, minlength=len(more))


def _threshold(
    known: VotesSoFar, wanted: NDArray[np.bool_], extras: float, n_votes: int
) -> NDArray[np.int64]:
    """Ask about the wanted galaxies and `extras` times as many others; if none, about any."""
    fresh = known.order[known.asked[known.order] == 0]
    inside, outside = fresh[wanted[fresh]], fresh[~wanted[fresh]]
    number = round(extras * len(inside))
    both = np.concatenate([inside, outside[:number]])
    mixed = both[np.random.default_rng(known.seed).permutation(len(both))]
    return _whole(known, np.concatenate([mixed, outside[number:]]), FULL_VOTES, n_votes)


def _whole(
    known: VotesSoFar, order: NDArray[np.intp], votes: int, n_votes: int
) -> NDArray[np.int64]:
    """Give `votes` each to the first galaxies of an order that have none yet."""
    more = np.zeros(len(known.asked), dtype=np.int64)
    fresh = order[known.asked[order] == 0]
    more[fresh[: max(round(n_votes / votes), 1)]] = votes
    return more


#: A new one of each, for every seed.
STRATEGIES: tuple[Callable[[], Strategy], ...] = (
    RandomWhole,
    RandomAdaptive,
    ThresholdRetires,
    ThresholdSelects,
    InformationTop,
    lambda: InformationTop(5, "BALD top-k, 5 votes each"),
    RandomThin,
    lambda: Designed(own_votes=False, name="ours, blind to a galaxy's own votes"),
    Designed,
)
