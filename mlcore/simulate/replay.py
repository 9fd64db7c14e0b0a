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
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from mlcore.calibration import IDENTITY
from mlcore.catalogue import hash_split
from mlcore.cnn.model import CnnModel
from mlcore.cnn.predict import predict
from mlcore.errors import NotEnoughVotesError
from mlcore.images import ImageCache
from mlcore.progress import OnProgress, ShouldStop, report
from mlcore.round_plan import RoundPlan
from mlcore.simulate.replay_folder import LabelledGalaxy, read_labelled_folder
from mlcore.simulate.replay_pool import ReplayPool, crowd_fractions, plant
from mlcore.simulate.replay_question import question_alone, tree_of_classes
from mlcore.simulate.replay_report import (
    MislabelScore,
    ReplayReport,
    RoundScore,
    score_mislabels,
    score_round,
)
from mlcore.simulate.votes_crowd import draw_votes
from mlcore.training_round import STAGES, run_round

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.simulate.replay_folder import LabelledFolder
    from mlcore.simulate.replay_plan import ReplayPlan, ReplaySizes
    from mlcore.tree import DecisionTree

_SALT = "lenticular-replay"
_SHARES = {"pool": 0.8, "test": 0.2}
_SPLIT = f"test: 20% by sha256 of salt {_SALT!r} and the id"
_LEAST_TEST = 10
# The arms, as their folders are called.
_CHOSEN, _RANDOM, _THIN = "chosen", "random", "thin"


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
    work = _Replay(divide(found, plan, tree), plan, directory, on_progress, should_stop)
    first = work.first_round()
    return ReplayReport(
        rounds=(first, *work.later_rounds(_CHOSEN)),
        control=(first, *work.later_rounds(_RANDOM)),
        thin=(first, *work.later_rounds(_THIN)),
        mislabels=work.mislabels(),
        rejected=found.rejected,
        seed=plan.seed,
        seconds=round(time.monotonic() - begun, 1),
        facts=work.facts(),
    )


@dataclass(frozen=True)
class Survey:
    """The galaxies, divided: the pool, and the test set with its published classes."""

    pool: ReplayPool
    test: tuple[LabelledGalaxy, ...]
    truth: NDArray[np.intp]


def divide(found: LabelledFolder, plan: ReplayPlan, tree: DecisionTree | None = None) -> Survey:
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
    return Survey(
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


def spend(
    votes: int, rows: NDArray[np.intp], wanted: NDArray[np.int64], most: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how many votes each galaxy gets, shape (n,), where the first rows come first.

    Parameters
    ----------
    votes
        At the most, in all.
    rows, wanted
        Galaxies in the order of asking, and the votes wanted of each; one may come again.
    most
        Votes that each of the n galaxies may get.
    """
    given = np.zeros_like(most)
    for row, number in zip(rows, wanted, strict=True):
        if votes == 0:
            break
        more = min(number, most[row] - given[row], votes)
        given[row] += more
        votes -= more
    return given


@dataclass(frozen=True)
class _Replay:
    """The rounds of all arms, in folders of their own."""

    survey: Survey
    plan: ReplayPlan
    directory: Path
    on_progress: OnProgress | None
    should_stop: ShouldStop | None

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """The galaxies outside the panel, in the order of asking at random."""
        others = np.flatnonzero(~self.survey.pool.control)
        return np.random.default_rng([self.plan.seed, 3]).permutation(others)

    @cached_property
    def sizes(self) -> ReplaySizes:
        return self.plan.sizes(len(self.survey.pool.galaxies))

    @property
    def first_votes(self) -> NDArray[np.int64]:
        """Votes (n,) that the first round asks for."""
        asked = np.where(self.survey.pool.control, self.plan.votes_per_galaxy, 0)
        asked[self.order[: self.sizes.first]] = self.plan.votes_per_galaxy
        return asked

    def first_round(self) -> RoundScore:
        """Return the score of the round that all arms begin with."""
        return self._round(1, _CHOSEN, self.first_votes)

    def later_rounds(self, arm: str) -> list[RoundScore]:
        """Return the scores of the other rounds of an arm."""
        asked, scores = self.first_votes, []
        for number in range(2, self.plan.rounds + 1):
            asked = asked + self._more(arm, number, asked)
            scores.append(self._round(number, arm, asked))
        return scores

    def _more(self, arm: str, number: int, asked: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the votes (n,) that an arm asks for beyond those that it has."""
        if arm == _CHOSEN:
            rows, wanted = self._queued(number - 1)
        elif arm == _THIN:
            # One more vote everywhere before there are two more anywhere.
            turns = [asked[self.order] + turn for turn in range(self.plan.retirement_votes)]
            rows = np.tile(self.order, len(turns))[np.argsort(np.ravel(turns), kind="stable")]
            wanted = np.ones(len(rows), dtype=np.int64)
        else:
            rows = self.order[asked[self.order] == 0]
            wanted = np.full(len(rows), self.plan.votes_per_galaxy)
        most = self.plan.retirement_votes - asked
        return spend(self.sizes.later * self.plan.votes_per_galaxy, rows, wanted, most)

    def _folder(self, number: int, arm: str) -> Path:
        return self.directory / f"round-{number}-{_CHOSEN if number == 1 else arm}"

    def _last_stage(self, number: int, arm: str) -> str:
        if number < self.plan.rounds:
            return "acquire" if arm == _CHOSEN else "train"
        # A galaxy with one vote can not be doubted, so wrong classes are looked for where
        # each has several.
        return "flag" if arm == _RANDOM else "train"

    def _round(self, number: int, arm: str, asked: NDArray[np.int64]) -> RoundScore:
        """Collect the votes asked for, run the round, and score it."""
        folder, counts = self._folder(number, arm), self.survey.pool.counts(asked)
        name = f"round {number}" if number == 1 else f"round {number}, {arm}"
        self.survey.pool.write_input(counts, folder)
        before = self._folder(number - 1, arm) / "train" / "model"
        until = self._last_stage(number, arm)
        run_round(
            RoundPlan(
                tree=self.survey.pool.tree,
                seed=self.plan.seed,
                # Scores of all arms are of networks as they are.
                config=replace(
                    self.plan.sized(len(self.survey.pool.galaxies)), calibrate=until == "flag"
                ),
                shared=self.directory / "shared",
                previous_model=before if before.is_dir() else None,
            ),
            folder,
            until=until,
            on_progress=self._over_stages(name, until),
            should_stop=self.should_stop,
        )
        return score_round(
            number,
            counts,
            self._predicted(folder, name),
            self.survey.truth,
            crowd_fractions(self.survey.truth, self.survey.pool.tree),
        )

    def _over_stages(self, name: str, until: str) -> OnProgress:
        stages = [stage.name for stage in STAGES]
        number = stages.index(until) + 1

        def scaled(stage: str, fraction: float, message: str) -> None:
            done = (stages.index(stage) + fraction) / number
            report(self.on_progress, name, done, f"{stage}: {message}")

        return scaled

    def _predicted(self, folder: Path, name: str) -> NDArray[np.float64]:
        """Return the fractions (m, A) predicted for the test galaxies, not calibrated."""
        model = replace(CnnModel.load(folder / "train" / "model"), calibration=IDENTITY)
        config, test = model.config, self.survey.test
        cache = ImageCache.build(
            [galaxy.image.resolve() for galaxy in test],
            [galaxy.id_str for galaxy in test],
            self.directory / "test-images",
            size=config.image_size,
            crop_fraction=config.crop_fraction,
            should_stop=self.should_stop,
        )
        report(self.on_progress, name, 1.0, "scored on the test set")
        found = predict(model, cache, np.arange(len(test)), should_stop=self.should_stop)
        concentrations = found.concentrations.astype(np.float64)
        fractions: NDArray[np.float64] = concentrations / concentrations.sum(axis=1, keepdims=True)
        return fractions

    def _queued(self, number: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Return the rows outside the panel that a round queued, and the votes it wants."""
        pool = self.survey.pool
        queue = pq.read_table(self._folder(number, _CHOSEN) / "acquire" / "queue.parquet")
        queue = queue.sort_by("rank")
        rows = pool.rows(queue["id_str"].to_pylist())
        is_open = ~pool.control[rows]
        wanted = queue["votes_wanted"].to_numpy().astype(np.int64)
        return rows[is_open], wanted[is_open]

    def mislabels(self) -> MislabelScore:
        """Score the ranking of the last round; galaxies that it could not judge come last."""
        pool, folder = self.survey.pool, self._folder(self.plan.rounds, _RANDOM)
        ranked = pq.read_table(folder / "flag" / "mislabels.parquet").sort_by("rank")
        rows = pool.rows(ranked["id_str"].to_pylist())
        counts = self._counts(folder)
        unjudged = np.setdiff1d(np.flatnonzero(counts > 0), rows)
        flagged = np.zeros(len(rows) + len(unjudged), dtype=bool)
        flagged[: len(rows)] = ranked["flagged"].to_numpy()
        return score_mislabels(pool.planted[np.concatenate([rows, unjudged])], flagged)

    def _counts(self, folder: Path) -> NDArray[np.int64]:
        table = pq.read_table(folder / "input" / "subjects.parquet")
        columns = [table[column].to_numpy() for column in self.survey.pool.tree.label_cols]
        return np.asarray(np.sum(columns, axis=0))

    def facts(self) -> dict[str, Any]:
        """Return what else is to be known of the replay, as JSON values."""
        pool, truth = self.survey.pool, self.survey.truth
        answers = [answer.slug for answer in pool.tree.questions[0].answers]
        return {
            "split": _SPLIT,
            "tree": pool.tree.slug,
            "classes": answers,
            "commonest_class": answers[int(np.bincount(truth).argmax())],
            "test_galaxies": len(self.survey.test),
            "pool_galaxies": len(pool.galaxies),
            "panel_galaxies": int(pool.control.sum()),
            "votes_per_galaxy": self.plan.votes_per_galaxy,
            "planted_in_pool": int(pool.planted.sum()),
            "settings": self.plan.sized(len(pool.galaxies)).to_dict(),
        }
