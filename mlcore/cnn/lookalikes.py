"""What the votes on look-alikes say: a guess for which few votes are enough.

A network that learns from votes what to look at needs many of them. Beside it stands a
regression of the same votes (`mlcore.gp.vote_regression`) on features that no vote has taught:
those of the encoder as it was before training, pretrained on the survey's own images or
published, and shape features. It knows less, and knows it sooner. How far either is trusted
is learnt from votes that neither has seen (`mlcore.calibration`).

A galaxy and its mirror image are both learnt from, with half of the votes each; on the mirror
image the votes for handed answers change places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from zipfile import BadZipFile

import numpy as np

from mlcore.cnn.dataset import sampling_weights
from mlcore.cnn.encoder import blank_encoder
from mlcore.cnn.shapes import ShapeFeatures
from mlcore.cnn.untaught import Untaught
from mlcore.cnn.weights import file_sha256, load_weights, require_sha256, save_weights
from mlcore.errors import ArtefactError
from mlcore.files import replacing
from mlcore.gp.reduce import MAX_DIMENSIONS, Reducer
from mlcore.gp.vote_regression import (
    KernelBasis,
    RegressionConfig,
    effective_votes,
    fit_vote_regression,
    question_softmax,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from mlcore.cnn.config import TrainConfig
    from mlcore.images import ImageCache
    from mlcore.progress import OnProgress, ShouldStop
    from mlcore.tree import DecisionTree

#: Galaxies with votes that are learnt from, at the most.
MOST_LEARNED: Final = 20_000
# Others that tell how galaxies differ.
_UNLABELLED: Final = 1024
# With fewer galaxies for each direction, all are as far from each other.
_GALAXIES_A_DIRECTION: Final = 8
# A galaxy is looked at from four sides, and its mirror image too.
_BOTH_SIDES: Final = 8
_REGRESSION: Final = RegressionConfig()
# What galaxies' votes are worth has been said before they come to the regression.
_AS_THEY_ARE: Final = RegressionConfig(rho=0.0)
_ARRAYS, _WEIGHTS = "lookalikes.npz", "untaught.safetensors"


@dataclass(frozen=True)
class LookalikeBasis:
    """What galaxies look like, before any vote: images become p numbers.

    Attributes
    ----------
    features
        From images to features.
    reducer
        To their main directions.
    kernel
        Says who looks alike, through p landmarks.
    """

    features: Untaught
    reducer: Reducer
    kernel: KernelBasis

    @classmethod
    def learn(
        cls,
        features: Untaught,
        cache: ImageCache,
        rows: NDArray[np.intp],
        config: TrainConfig,
        *,
        seed: int,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> tuple[Self, NDArray[np.float64]]:
        """Learn how galaxies differ from some of them and from others all over the cache.

        Parameters
        ----------
        features
            From images to features.
        cache, rows, config
            The galaxies (n,), n >= 1, and the settings that their images are seen by.
        seed
            Draws the landmarks.

        Returns
        -------
        LookalikeBasis, ndarray
            And the basis (n, 2, p) of the galaxies and their mirror images.

        Raises
        ------
        InvalidInputError
            Where all galaxies look the same.
        CancelledError
            After `should_stop` said so.
        """
        others = np.linspace(0, len(cache) - 1, min(len(cache), _UNLABELLED), dtype=np.intp)
        wanted = np.union1d(rows, others)
        found = features.of_rows(
            cache,
            wanted,
            config,
            _BOTH_SIDES,
            on_progress=on_progress,
            should_stop=should_stop,
        )
        reducer = Reducer.fit(
            found.reshape(-1, found.shape[2]),
            max_dimensions=max(min(len(wanted) // _GALAXIES_A_DIRECTION, MAX_DIMENSIONS), 1),
            should_stop=should_stop,
        )
        reduced = reducer.transform(found.reshape(-1, found.shape[2]))
        kernel = KernelBasis.among(reduced, _REGRESSION.landmarks, seed)
        basis = kernel.of(reduced).reshape(len(wanted), 2, -1)
        return cls(features, reducer, kernel), basis[np.searchsorted(wanted, rows)]

    def of(self, images: torch.Tensor, views: int) -> NDArray[np.float64]:
        """Return the basis (n, S, p) of standardised images; see `Untaught.sides`."""
        seen = self.features.sides(images, views)
        reduced = self.reducer.transform(seen.reshape(-1, seen.shape[2]))
        return self.kernel.of(reduced).reshape(*seen.shape[:2], -1)


@dataclass(frozen=True)
class Lookalikes:
    """Vote fractions from the votes on look-alikes.

    Attributes
    ----------
    basis
        What galaxies look like.
    weights, intercept
        Of the log-fractions, (p, A) and (A,).
    tree
        Of the A answers.
    """

    basis: LookalikeBasis
    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]
    tree: DecisionTree

    @classmethod
    def taught(
        cls,
        basis: LookalikeBasis,
        known: NDArray[np.float64],
        counts: NDArray[np.float64],
        tree: DecisionTree,
        *,
        balance: float = 0.0,
    ) -> Self:
        """Learn from the votes (n, A) on galaxies of a known basis (n, 2, p).

        `balance` is how much rare answers are heeded: see `lookalike_balance` of
        `mlcore.train_config.TrainConfig`.
        """
        return cls(basis, *_regression(known, counts, tree, balance), tree)

    def fractions(self, images: torch.Tensor, views: int) -> NDArray[np.float64]:
        """Return the expected fractions (n, A) of standardised images, over `views`."""
        return self.of_known(self.basis.of(images, views))

    def of_known(self, known: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the expected fractions (n, A) of a known basis (n, S, p)."""
        return _fractions(known, self.weights, self.intercept, self.tree)

    def save(self, directory: Path) -> dict[str, Any]:
        """Write two files, and return what `load` wants to know of them, as JSON values."""
        save_weights(self.basis.features, directory / _WEIGHTS)
        reducer, kernel = self.basis.reducer, self.basis.kernel
        with replacing(directory / _ARRAYS) as partial, partial.open("wb") as file:
            np.savez(
                file,
                landmarks=kernel.landmarks,
                length=np.array(kernel.length),
                weights=self.weights,
                intercept=self.intercept,
                **{f"reducer_{name}": value for name, value in vars(reducer).items()},
            )
        return {
            "encoder": self.basis.features.encoder is not None,
            "sha256": {name: file_sha256(directory / name) for name in (_ARRAYS, _WEIGHTS)},
        }

    @classmethod
    def load(
        cls, directory: Path, said: Mapping[str, Any], tree: DecisionTree, config: TrainConfig
    ) -> Self:
        """Return what `save` wrote and said; nothing in the files is executed.

        Raises
        ------
        ArtefactError
            Where a file is missing, damaged, or not the one that was written.
        """
        try:
            for name in (_ARRAYS, _WEIGHTS):
                require_sha256(directory / name, said["sha256"][name])
            shapes = ShapeFeatures(len(config.bands)) if config.shape_features else None
            features = Untaught(blank_encoder(config) if said["encoder"] else None, shapes)
            load_weights(features, directory / _WEIGHTS)
            with np.load(directory / _ARRAYS, allow_pickle=False) as stored:
                return cls._of_arrays(features, stored, tree)
        except (OSError, KeyError, TypeError, ValueError, BadZipFile) as error:
            raise ArtefactError(
                f"{directory} must hold look-alikes, is damaged: {error}"
            ) from error

    @classmethod
    def _of_arrays(cls, features: Untaught, stored: Any, tree: DecisionTree) -> Self:
        reducer = Reducer(
            n_columns=int(stored["reducer_n_columns"]),
            columns=stored["reducer_columns"],
            mean=stored["reducer_mean"],
            components=stored["reducer_components"],
            scale=stored["reducer_scale"],
        )
        kernel = KernelBasis(stored["landmarks"], float(stored["length"]))
        basis = LookalikeBasis(features, reducer, kernel)
        return cls(basis, stored["weights"], stored["intercept"], tree)


def unseen_fractions(
    known: NDArray[np.float64],
    counts: NDArray[np.float64],
    tree: DecisionTree,
    *,
    folds: int,
    seed: int,
    balance: float = 0.0,
) -> NDArray[np.float64]:
    """Return what look-alikes say (n, A) of galaxies whose own votes they have not seen.

    Parameters
    ----------
    known
        Basis (n, 2, p) of the galaxies and their mirror images.
    counts
        Their votes (n, A).
    tree
        Of the A answers.
    folds
        Regressions, each without one part of the galaxies; at least 2.
    seed
        Deals the galaxies.
    balance
        As in `Lookalikes.taught`.
    """
    fold_of = np.random.default_rng(seed).permutation(len(known)) % folds
    found = np.empty(counts.shape)
    for fold in range(folds):
        inside = fold_of == fold
        weights, intercept = _regression(known[~inside], counts[~inside], tree, balance)
        found[inside] = _fractions(known[inside], weights, intercept, tree)
    return found


def _regression(
    known: NDArray[np.float64], counts: NDArray[np.float64], tree: DecisionTree, balance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights (p, A) and intercept (A,) of a basis (n, 2, p) and votes (n, A)."""
    heeded = len(counts) * sampling_weights(counts, tree, balance)
    worth = heeded[:, None] * _worth(counts, tree) / known.shape[1]
    sides = np.concatenate([worth, worth[:, np.array(tree.mirror)]])
    fitted = fit_vote_regression(
        known.transpose(1, 0, 2).reshape(len(sides), -1), sides, tree, _AS_THEY_ARE
    )
    return fitted.weights, fitted.intercept


def _worth(counts: NDArray[np.float64], tree: DecisionTree) -> NDArray[np.float64]:
    """Return the votes (n, A), each question's scaled to what they are worth together."""
    worth = np.zeros(counts.shape)
    for columns in tree.question_slices.values():
        votes = counts[:, columns].sum(axis=1, keepdims=True)
        share = effective_votes(votes, _REGRESSION.rho) / np.maximum(votes, 1e-12)
        worth[:, columns] = counts[:, columns] * share
    return worth


def _fractions(
    basis: NDArray[np.float64],
    weights: NDArray[np.float64],
    intercept: NDArray[np.float64],
    tree: DecisionTree,
) -> NDArray[np.float64]:
    """Return the mean fractions (n, A) over the sides of a basis (n, S, p)."""
    said = question_softmax(basis @ weights + intercept, tree)
    if said.shape[1] > 1:
        said[:, 1] = said[:, 1][:, np.array(tree.mirror)]
    return np.asarray(said.mean(axis=1))
