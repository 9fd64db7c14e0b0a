"""The whole loop offline, on real galaxies whose published class is known.

A fifth of the galaxies, dealt by a hash of their ids, is the test set: it is in no image
cache that training or pretraining sees, and gets no votes. The rest is the pool. Some of
it is the control panel, on which rounds judge their model. The first round asks about
random galaxies, several votes each. After it one arm asks for the votes that the round's
queue wants; another goes on as the first round; a third asks at random too, one vote at a
time, where there are fewest. All get as many votes, and go through
`mlcore.training_round`, from the same pretrained encoder.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from mlcore.catalogue import hash_split
from mlcore.errors import NotEnoughVotesError
from mlcore.simulate.replay_folder import LabelledGalaxy, read_labelled_folder
from mlcore.simulate.replay_pool import ReplayPool, ReplaySurvey, crowd_fractions, plant
from mlcore.simulate.replay_question import question_alone, tree_of_classes
from mlcore.simulate.replay_report import ReplayReport
from mlcore.simulate.replay_rounds import CHOSEN, RANDOM, THIN, ReplayRounds
from mlcore.simulate.votes_crowd import draw_votes

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.progress import OnProgress, ShouldStop
    from mlcore.simulate.replay_folder import LabelledFolder
    from mlcore.simulate.replay_plan import ReplayPlan
    from mlcore.tree import DecisionTree

_SALT = "lenticular-replay"
_SHARES = {"pool": 0.8, "test": 0.2}
_SPLIT = f"test: 20% by sha256 of salt {_SALT!r} and the id"
_LEAST_TEST = 10


def replay(
    folder: Path,
    plan: ReplayPlan,
    directory: Path,
    *,
    tree: DecisionTree | None = None,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> ReplayReport:
    """Run the loop on the galaxies of a folder, and score every round on the test set.

    Parameters
    ----------
    folder
        See `mlcore.simulate.replay_folder.read_labelled_folder`.
    plan
        How it is done.
    directory
        Gets the image caches, the pretrained encoder and a folder per round. A killed
        replay of the same folder and plan goes on from there.
    tree
        One question of it must have the classes among its answers, and is asked alone;
        None makes a tree of the classes found.
    on_progress
        Called with the part of the replay, the fraction of it done, and a line.
    should_stop
        Asked often; once it says yes, CancelledError is raised.

    Raises
    ------
    CatalogueError
        Where ``labels.csv`` cannot be used.
    NotEnoughVotesError
        For too few galaxies with a readable image.
    InvalidInputError
        For one class alone, or a tree without the classes.
    CancelledError
        Where the caller asked for a stop.
    """
    begun = time.monotonic()
    found = read_labelled_folder(folder, on_progress=on_progress, should_stop=should_stop)
    survey = divide(found, plan, tree)
    work = ReplayRounds(survey, plan, directory, on_progress, should_stop)
    first = work.first_round()
    return ReplayReport(
        rounds=(first, *work.later_rounds(CHOSEN)),
        control=(first, *work.later_rounds(RANDOM)),
        thin=(first, *work.later_rounds(THIN)),
        mislabels=work.mislabels(),
        rejected=found.rejected,
        seed=plan.seed,
        seconds=round(time.monotonic() - begun, 1),
        facts=_facts(survey, plan),
    )


def divide(
    found: LabelledFolder, plan: ReplayPlan, tree: DecisionTree | None = None
) -> ReplaySurvey:
    """Deal the galaxies of a folder into the pool and the test set, as `replay` does.

    Raises
    ------
    InvalidInputError
        For one class alone, or a tree without the classes.
    NotEnoughVotesError
        For too few galaxies in either.
    """
    if tree is None:
        tree = tree_of_classes(found.name, found.class_column, found.classes)
    else:
        tree = question_alone(tree, found.classes)
    parts = hash_split([galaxy.id_str for galaxy in found.galaxies], _SHARES, _SALT)
    pool, test = (
        tuple(each for each, part in zip(found.galaxies, parts, strict=True) if part == name)
        for name in _SHARES
    )
    sizes = plan.sizes(len(pool))
    if len(test) < _LEAST_TEST:
        raise NotEnoughVotesError(
            f"galaxies of the test set must be at least {_LEAST_TEST}, are {len(test)}"
        )
    published = published_answers(pool, tree)
    seen = plant(published, len(tree.label_cols), plan.planted_share, plan.seed)
    control = np.zeros(len(pool), dtype=bool)
    control[np.random.default_rng([plan.seed, 2]).permutation(len(pool))[: sizes.panel]] = True
    return ReplaySurvey(
        pool=ReplayPool(
            galaxies=pool,
            tree=tree,
            seen=seen,
            planted=seen != published,
            control=control,
            record=draw_votes(
                crowd_fractions(seen, tree),
                tree,
                volunteers=plan.volunteers,
                votes=plan.retirement_votes,
                seed=plan.seed,
            ),
        ),
        test=test,
        truth=published_answers(test, tree),
    )


def published_answers(galaxies: tuple[LabelledGalaxy, ...], tree: DecisionTree) -> NDArray[np.intp]:
    """Return the place of each galaxy's published class among the answers, shape (n,)."""
    place = {answer.slug: place for place, answer in enumerate(tree.questions[0].answers)}
    return np.array([place[galaxy.class_slug] for galaxy in galaxies], dtype=np.intp)


def _facts(survey: ReplaySurvey, plan: ReplayPlan) -> dict[str, Any]:
    """Return what else is to be known of the replay, as JSON values."""
    pool, truth = survey.pool, survey.truth
    answers = [answer.slug for answer in pool.tree.questions[0].answers]
    return {
        "split": _SPLIT,
        "tree": pool.tree.slug,
        "classes": answers,
        "commonest_class": answers[int(np.bincount(truth).argmax())],
        "test_galaxies": len(survey.test),
        "pool_galaxies": len(pool.galaxies),
        "panel_galaxies": int(pool.control.sum()),
        "votes_per_galaxy": plan.votes_per_galaxy,
        "planted_in_pool": int(pool.planted.sum()),
        "settings": plan.sized(len(pool.galaxies)).to_dict(),
    }
