"""The galaxies of a votes-needed replay: what they look like, and what a crowd would say.

What they look like is measured once and without labels: Fourier amplitudes around rings
(`mlcore.cnn.rings`), reduced to at most 40 dimensions. Every strategy sees the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlcore.catalogue import hash_split
from mlcore.cnn.rings import ring_features
from mlcore.errors import InvalidInputError, NotEnoughVotesError
from mlcore.gp.reduce import Reducer
from mlcore.images import ImageCache
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked
from mlcore.simulate.answers import answer_fractions
from mlcore.simulate.galaxies import draw_truth
from mlcore.simulate.render import render
from mlcore.simulate.replay_folder import read_labelled_folder
from mlcore.simulate.replay_question import confusion_of, question_alone, tree_of_classes
from mlcore.simulate.survey import external_id

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.tree import DecisionTree

_SALT = "lenticular-replay"
_SHARES = {"pool": 0.8, "test": 0.2}
SPLIT = f"test: 20% by sha256 of salt {_SALT!r} and the id"
IMAGE_SIZE = 64
# A galaxy fills about this share of a survey's cutout.
_CROP = 0.625
_LEAST_POOL, _LEAST_TEST = 40, 10
_STAGE = "look at the galaxies"


@dataclass(frozen=True)
class VoteSurvey:
    """N galaxies and what is true of them.

    Attributes
    ----------
    name
        For a person.
    tree
        What volunteers are asked.
    features
        Standardised, label-free, (N, d).
    fractions
        What a large crowd would answer, (N, A).
    test
        bool (N,): the galaxies on which predictions are scored, and nothing else.
    """

    name: str
    tree: DecisionTree
    features: NDArray[np.float64]
    fractions: NDArray[np.float64]
    test: NDArray[np.bool_]

    def __post_init__(self) -> None:
        pool, test = int((~self.test).sum()), int(self.test.sum())
        if pool < _LEAST_POOL or test < _LEAST_TEST:
            raise NotEnoughVotesError(
                f"galaxies must be at least {_LEAST_POOL} in the pool and {_LEAST_TEST} in the "
                f"test set, are {pool} and {test}"
            )


def survey_of_folder(
    folder: Path,
    directory: Path,
    *,
    tree: DecisionTree | None = None,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> VoteSurvey:
    """Return the galaxies of a folder of images and published classes.

    A crowd answers with the fractions of `confusion_of` the published class.

    Parameters
    ----------
    folder
        See `mlcore.simulate.replay_folder.read_labelled_folder`.
    directory
        Gets the image cache.
    tree
        One question of it must have the classes among its answers, and is asked alone;
        None makes a tree of the classes found.

    Raises
    ------
    CatalogueError
        Where ``labels.csv`` cannot be used.
    InvalidInputError
        For one class alone, more than 50, or a tree without the classes.
    NotEnoughVotesError
        For fewer than 40 galaxies in the pool, or 10 in the test set.
    CancelledError
        After `should_stop` said so.
    """
    found = read_labelled_folder(folder, on_progress=on_progress, should_stop=should_stop)
    if tree is None:
        tree = tree_of_classes(found.name, found.class_column, found.classes)
    else:
        tree = question_alone(tree, found.classes)
    answers = [answer.slug for answer in tree.questions[0].answers]
    confusion = confusion_of(answers)
    crowd = {each: confusion.fractions(each, tree) for each in answers}
    ids = [galaxy.id_str for galaxy in found.galaxies]
    cache = ImageCache.build(
        [galaxy.image.resolve() for galaxy in found.galaxies],
        ids,
        directory / "images",
        size=IMAGE_SIZE,
        crop_fraction=_CROP,
        should_stop=should_stop,
    )
    return _survey(
        found.name,
        tree,
        ids,
        ring_features(cache.images, np.arange(len(ids)), should_stop=should_stop),
        np.array([crowd[galaxy.class_slug] for galaxy in found.galaxies]),
    )


def drawn_survey(
    tree: DecisionTree,
    n: int,
    seed: int,
    *,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> VoteSurvey:
    """Return n drawn galaxies; nothing is written.

    Parameters
    ----------
    tree
        One of `mlcore.simulate.answers.KNOWN_TREES`.
    n, seed
        Of `mlcore.simulate.survey`; galaxy i depends on (seed, i) alone.

    Raises
    ------
    InvalidInputError
        For a negative seed, or a tree that drawn galaxies know no answers to.
    NotEnoughVotesError
        For fewer than 40 galaxies in the pool, or 10 in the test set.
    CancelledError
        After `should_stop` said so.
    """
    if seed < 0:
        raise InvalidInputError(f"seed must be at least 0, is {seed}")
    truths = [draw_truth(seed, index) for index in range(n)]
    images = np.empty((n, IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    for index, truth in enumerate(truths):
        stop_if_asked(should_stop, _STAGE)
        images[index] = render(truth, IMAGE_SIZE)
        report(on_progress, _STAGE, (index + 1) / n, f"{index + 1:,} of {n:,} galaxies drawn")
    return _survey(
        "drawn",
        tree,
        [external_id(seed, index) for index in range(n)],
        ring_features(images, np.arange(n)),
        np.array([answer_fractions(truth, tree) for truth in truths]).reshape(
            n, len(tree.label_cols)
        ),
    )


def _survey(
    name: str,
    tree: DecisionTree,
    ids: list[str],
    rings: NDArray[np.float32],
    fractions: NDArray[np.float64],
) -> VoteSurvey:
    test = np.array([part == "test" for part in hash_split(ids, _SHARES, _SALT)], dtype=bool)
    features = Reducer.fit(rings).transform(rings) if len(ids) > 1 else rings.astype(np.float64)
    return VoteSurvey(name, tree, features, fractions, test)
