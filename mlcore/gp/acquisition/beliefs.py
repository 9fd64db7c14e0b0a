"""What the Gaussian process believes of some galaxies, before they are asked about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.special import softmax

from mlcore.errors import InvalidInputError
from mlcore.gp.arrays import as_counts, require_at_least
from mlcore.gp.targets import dirichlet_targets

if TYPE_CHECKING:
    from mlcore.gp.arrays import Floats, Ints
    from mlcore.tree import DecisionTree


# A sigmoid's average over a normal variable of variance v is that of a mean divided by
# sqrt(1 + PAIR v).
PAIR = 0.368
MAX_LOG_ODDS = 500.0


class LatentModel(Protocol):
    """Anything that knows latent log-fractions, as `mlcore.gp.bulk.BulkLatents` does."""

    @property
    def scatter_variance(self) -> Floats:
        """Variance (A,) of galaxies about the smooth function."""

    def latent(self, features: Floats) -> tuple[Floats, Floats]:
        """Return mean and variance (m, A) of the smooth function at features (m, d)."""


@dataclass(frozen=True)
class Beliefs:
    """Latent log-fractions of m galaxies, and the votes that they are promised.

    A galaxy's latent is a smooth function of its looks, which its votes teach about other
    galaxies too, plus its own scatter, which they teach about nothing else.

    Parameters
    ----------
    tree
        The decision tree of the A answers.
    mean
        Mean (m, A) of the latent.
    variance
        The part (m, A) of its variance that comes from the smooth function.
    scatter
        The part (m, A) that is the galaxy's own.
    promised
        Votes (m,) that volunteers have been asked for and have not given yet.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit, a number is not finite, or one that must not is negative.
    """

    tree: DecisionTree
    mean: Floats
    variance: Floats
    scatter: Floats
    promised: Ints

    def __post_init__(self) -> None:
        shape = (len(self.promised), len(self.tree.label_cols))
        for name in ("mean", "variance", "scatter"):
            values = getattr(self, name)
            if values.shape != shape:
                raise InvalidInputError(f"{name} must be {shape}, is {values.shape}")
            if not np.isfinite(values).all() or (name != "mean" and (values < 0).any()):
                raise InvalidInputError(f"{name} must be finite, a variance at least 0, is not")
        if (self.promised < 0).any():
            raise InvalidInputError("promised must be at least 0, but some are not")

    def __len__(self) -> int:
        """Return m, the number of galaxies."""
        return len(self.promised)

    def of(self, rows: Ints) -> Beliefs:
        """Return the beliefs of some of the galaxies."""
        return Beliefs(
            self.tree,
            self.mean[rows],
            self.variance[rows],
            self.scatter[rows],
            self.promised[rows],
        )

    def fractions(self) -> Floats:
        """Return the expected vote fractions (m, A), adding up to 1 within each question.

        The average of the softmax in closed form (Daunizeau 2017, arXiv:1703.00091), from
        every two answers' average against each other: within 0.1 of the average over draws,
        0.01 as a rule.
        """
        total = self.variance + self.scatter
        found = np.empty_like(self.mean)
        for columns in self.tree.question_slices.values():
            found[:, columns] = _mean_softmax(self.mean[:, columns], total[:, columns])
        return found

    def draws(self, n_draws: int, seed: int) -> Floats:
        """Return draws (T, m, A) of the vote fractions that the smooth function gives.

        All galaxies share the same normal numbers, in pairs of opposite sign, so that few
        draws compare galaxies without extra noise.
        """
        require_at_least("n_draws", n_draws, 1)
        rng = np.random.default_rng(seed)
        half = rng.standard_normal(((n_draws + 1) // 2, 1, self.mean.shape[1]))
        found: Floats = self.mean + np.sqrt(self.variance) * np.concatenate([half, -half])[:n_draws]
        for columns in self.tree.question_slices.values():
            found[..., columns] = softmax(found[..., columns], axis=-1)
        return found


def _mean_softmax(mean: Floats, variance: Floats) -> Floats:
    """Return E[softmax(f)] (m, K) for f normal with mean and variance (m, K)."""
    apart = mean[:, None, :] - mean[:, :, None]
    width = np.sqrt(1.0 + PAIR * (variance[:, None, :] + variance[:, :, None]))
    odds = np.exp(np.minimum(apart / width, MAX_LOG_ODDS)).sum(axis=2)
    found: Floats = 1.0 / odds
    found /= found.sum(axis=1, keepdims=True)
    return found


def believe(
    model: LatentModel,
    features: Floats,
    tree: DecisionTree,
    *,
    counts: Floats | None = None,
    promised: Ints | None = None,
) -> Beliefs:
    """Return what `model` believes of galaxies with features (m, d).

    The votes that a galaxy has got already fix most of its scatter, so that more votes on
    it say little of other galaxies: with S the scatter's variance and w = S / (S + noise of
    its votes), the latent given the smooth function f is (1 - w) f + w y, and S (1 - w) is
    left to find out. The noise and y are those of `mlcore.gp.targets`.

    Parameters
    ----------
    counts
        Votes (m, A) in, which `model` has learned from; None for none.
    promised
        Votes (m,) promised; None for none.
    """
    mean, variance = model.latent(features)
    scatter = np.tile(model.scatter_variance, (len(mean), 1))
    if counts is not None:
        votes = as_counts(counts, mean.shape[1])
        for columns in tree.question_slices.values():
            _settle(votes[:, columns], mean[:, columns], variance[:, columns], scatter[:, columns])
    owed = np.zeros(len(mean), dtype=np.int64) if promised is None else promised
    return Beliefs(tree, mean, variance, scatter, owed)


def _settle(votes: Floats, mean: Floats, variance: Floats, scatter: Floats) -> None:
    """Take a question's votes (m, K) into its columns, in place."""
    voted = votes.sum(axis=1) > 0
    even = np.full(votes.shape[1], 1.0 / votes.shape[1])
    targets, noise = dirichlet_targets(votes[voted], even)
    share = scatter[voted] / (scatter[voted] + noise)
    mean[voted] += share * (targets - mean[voted])
    variance[voted] *= (1.0 - share) ** 2
    scatter[voted] *= 1.0 - share
