"""The rounds of a replay, arm by arm, each in a folder of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow.parquet as pq

from mlcore.calibration import IDENTITY
from mlcore.cnn.model import CnnModel
from mlcore.cnn.predict import predict
from mlcore.images import ImageCache
from mlcore.progress import OnProgress, ShouldStop, report
from mlcore.round_plan import RoundPlan
from mlcore.simulate.replay_pool import crowd_fractions
from mlcore.simulate.replay_report import MislabelScore, RoundScore, score_mislabels, score_round
from mlcore.simulate.votes_strategies import spread_thin
from mlcore.training_round import STAGES, run_round

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.simulate.replay_plan import ReplayPlan, ReplaySizes
    from mlcore.simulate.replay_pool import ReplaySurvey

# The arms, as their folders are called.
CHOSEN: Final = "chosen"
RANDOM: Final = "random"
THIN: Final = "thin"


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
class ReplayRounds:
    """The rounds of all arms, in folders of their own."""

    survey: ReplaySurvey
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
        """How many galaxies are asked about when, at random."""
        return self.plan.sizes(len(self.survey.pool.galaxies))

    @property
    def first_votes(self) -> NDArray[np.int64]:
        """Votes (n,) that the first round asks for."""
        asked = np.where(self.survey.pool.control, self.plan.votes_per_galaxy, 0)
        asked[self.order[: self.sizes.first]] = self.plan.votes_per_galaxy
        return asked

    def first_round(self) -> RoundScore:
        """Return the score of the round that all arms begin with."""
        return self._round(1, CHOSEN, self.first_votes)

    def later_rounds(self, arm: str) -> list[RoundScore]:
        """Return the scores of the other rounds of an arm."""
        asked, scores = self.first_votes, []
        for number in range(2, self.plan.rounds + 1):
            asked = asked + self._more(arm, number, asked)
            scores.append(self._round(number, arm, asked))
        return scores

    def _more(self, arm: str, number: int, asked: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the votes (n,) that an arm asks for beyond those that it has."""
        votes, most = self.sizes.later * self.plan.votes_per_galaxy, self.plan.retirement_votes
        if arm == THIN:
            more = np.zeros_like(asked)
            more[self.order] = spread_thin(asked[self.order], votes, most)
            return more
        if arm == CHOSEN:
            rows, wanted = self._queued(number - 1)
        else:
            rows = self.order[asked[self.order] == 0]
            wanted = np.full(len(rows), self.plan.votes_per_galaxy)
        return spend(votes, rows, wanted, most - asked)

    def _folder(self, number: int, arm: str) -> Path:
        return self.directory / f"round-{number}-{CHOSEN if number == 1 else arm}"

    def _last_stage(self, number: int, arm: str) -> str:
        if number < self.plan.rounds:
            return "acquire" if arm == CHOSEN else "train"
        # A galaxy with one vote can not be doubted, so wrong classes are looked for where
        # each has several.
        return "flag" if arm == RANDOM else "train"

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
        queue = pq.read_table(self._folder(number, CHOSEN) / "acquire" / "queue.parquet")
        queue = queue.sort_by("rank")
        rows = pool.rows(queue["id_str"].to_pylist())
        is_open = ~pool.control[rows]
        wanted = queue["votes_wanted"].to_numpy().astype(np.int64)
        return rows[is_open], wanted[is_open]

    def mislabels(self) -> MislabelScore:
        """Score the ranking of the last round; galaxies that it could not judge come last."""
        pool, folder = self.survey.pool, self._folder(self.plan.rounds, RANDOM)
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
