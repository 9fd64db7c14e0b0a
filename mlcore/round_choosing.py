"""The choosing half of a round: what to ask next.

It works on the network's representations, reduced, under a Gaussian process of the vote
fractions (`mlcore.gp`). Whose votes to doubt is `mlcore.round_flagging`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlcore.errors import InvalidInputError
from mlcore.files import replacing
from mlcore.gp.acquisition import (
    AcquisitionRule,
    asked_probability,
    believe,
    make_rule,
    score_candidates,
    select_batch,
    vote_noise,
    votes_wanted,
)
from mlcore.gp.bulk import BulkLatents
from mlcore.gp.fit import fit_vote_gp
from mlcore.gp.model import MAX_JOINT, VoteGP
from mlcore.gp.reduce import Reducer
from mlcore.neighbours import write_neighbours
from mlcore.round_design import place_votes
from mlcore.round_survey import Survey, open_survey, some_of
from mlcore.stages import json_checksum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlcore.round_files import RoundFiles

BLOCK = 8192
# A diverse batch is chosen among this many times as many of the best galaxies.
SHORTLIST = 8
# Beside them are galaxies that votes are promised on, at most so many.
OWED = 1024


@dataclass(frozen=True)
class VoteModel:
    """A Gaussian process of the votes, and how representations come to its features.

    Attributes
    ----------
    reducer
        None where the representations are of no use: all NaN, or all the same.
    gp
        Knows no more than the survey's fractions then.
    problem
        Why nothing could be learned, or nothing.
    """

    reducer: Reducer | None
    gp: VoteGP
    problem: str

    def features(self, representations: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return features (n, d); a column of NaN where there is no reducer."""
        return _features(self.reducer, representations)


def fit_vote_model(files: RoundFiles, survey: Survey, stage: str, end: float) -> VoteModel:
    """Fit on every subject with votes; the same round always gives the same model."""
    config, problem = files.plan.config, ""
    reducer: Reducer | None = None
    try:
        reducer = Reducer.fit(
            survey.representations, max_dimensions=config.dimensions, should_stop=files.should_stop
        )
    except InvalidInputError as error:
        problem = str(error)
    gp = fit_vote_gp(
        _features(reducer, survey.representations[survey.labelled]),
        survey.counts,
        files.plan.tree,
        seed=files.plan.seed,
        on_progress=files.part(stage, 0.0, end),
        should_stop=files.should_stop,
    )
    if not problem and not gp.has_learned:
        problem = f"{files.plan.tree.start}: {gp.fallbacks[files.plan.tree.start]}"
    return VoteModel(reducer, gp, problem)


def _features(reducer: Reducer | None, representations: NDArray[np.float32]) -> NDArray[np.float64]:
    if reducer is None:
        return np.full((len(representations), 1), np.nan)
    return reducer.transform(representations)


def choose_subjects(files: RoundFiles) -> dict[str, Any]:
    """Write ``queue.parquet``: every subject still to ask about, the best first.

    Columns: ``id_str``; ``score`` (of the rule: for ``information``, nats per vote);
    ``rank`` from 0, the batch first, then by score, the control panel last;
    ``votes``, received when the round read them; ``votes_wanted`` beyond those, the promised
    included; ``top_answer``, the network's, to the first question. Under the rule ``design``
    galaxies come after the batch in random order, those with the fewest votes first, and get one
    more each: votes spread thin teach more than many on the best scores. Beside it,
    ``neighbours/`` holds the galaxies that look alike (`mlcore.neighbours`). Where no
    question could be learned, the order is random, and the stage's record says so.
    """
    folder = files.folder("acquire").path
    with open_survey(files, folder / ".representations") as survey:
        model = fit_vote_model(files, survey, "acquire", 0.4)
        candidates = _candidates(survey, files.plan.config.retirement_votes)
        work = _Choosing(files, survey, model, candidates)
        scores = work.scores()
        found = _write_neighbours(files, survey, model)
        batch, wanted = work.batch(scores)
        order = _order(work.turns(scores), batch, survey.control[candidates])
        remaining = work.remaining()
        remaining[batch] = np.minimum(work.left[batch], wanted)
        queue = work.queue(order, scores, remaining)
    with replacing(folder / "queue.parquet") as partial:
        pq.write_table(queue, partial)
    if model.reducer is not None:
        model.reducer.save(folder / "reducer.npz")
    return {
        "candidates": len(candidates),
        "batch": len(batch),
        "batch_votes": int(remaining[batch].sum()),
        "dimensions": model.reducer.n_dimensions if model.reducer else 0,
        "labelled": len(survey.labelled),
        "mean_score": float(scores.mean()) if len(scores) else 0.0,
        "neighbours_among": found["searched"],
        "rule": work.rule_name,
        "fallback": model.problem,
        "doubts": dict(model.gp.fallbacks),
    }


def _candidates(survey: Survey, retirement_votes: int) -> NDArray[np.intp]:
    return np.flatnonzero(~survey.retired & (survey.votes < retirement_votes))


@dataclass(frozen=True)
class _Choosing:
    """The candidates of a round, their model, and the rule that it was given."""

    files: RoundFiles
    survey: Survey
    model: VoteModel
    candidates: NDArray[np.intp]

    @property
    def rule_name(self) -> str:
        return "random" if self.model.problem else self.files.plan.config.acquisition

    @cached_property
    def rule(self) -> AcquisitionRule:
        config = self.files.plan.config
        return make_rule(
            self.rule_name,
            n_votes=config.expected_votes,
            n_draws=config.draws,
            seed=self.files.plan.seed,
        )

    @cached_property
    def latents(self) -> BulkLatents:
        return BulkLatents.of(self.model.gp)

    def scores(self) -> NDArray[np.float64]:
        """Return the rule's score (m,) of each candidate."""
        n, scores = len(self.candidates), np.empty(len(self.candidates))
        for start in range(0, n, BLOCK):
            block = slice(start, min(start + BLOCK, n))
            rows = self.candidates[block]
            scores[block] = score_candidates(
                self.latents,
                self.model.features(self.survey.representations[rows]),
                self.files.plan.tree,
                self.rule,
                counts=self.survey.counts_of(rows),
                promised=self.survey.pending[rows],
                should_stop=self.files.should_stop,
            )
            said = f"{block.stop:,} of {n:,} galaxies scored"
            self.files.report("acquire", 0.4 + 0.4 * block.stop / n, said)
        return scores

    @property
    def left(self) -> NDArray[np.int64]:
        """Votes (m,) that each candidate lacks to retirement, the promised included."""
        left: NDArray[np.int64] = (
            self.files.plan.config.retirement_votes - self.survey.votes[self.candidates]
        )
        return left

    @property
    def spreads_thin(self) -> bool:
        """Whether galaxies outside the batch get a vote each, even where chance chooses all."""
        return self.files.plan.config.acquisition == "design"

    def remaining(self) -> NDArray[np.int64]:
        """Return the votes (m,) that each candidate wants outside the batch."""
        if not self.spreads_thin:
            return self.left
        return np.minimum(self.left, self.survey.pending[self.candidates] + 1)

    def turns(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what orders the candidates (m,) after the batch: low ones come first."""
        if not self.spreads_thin:
            return -scores
        given = self.survey.votes[self.candidates] + self.survey.pending[self.candidates]
        chance = np.random.default_rng([self.files.plan.seed, 3]).random(len(given))
        turns: NDArray[np.float64] = given + chance
        return turns

    def batch(self, scores: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Return the batch, as places among the candidates, and the votes it wants."""
        config = self.files.plan.config
        if self.rule_name == "design":
            return place_votes(self.files.plan, self.survey, self.candidates, self.model.features)
        active = np.flatnonzero(~self.survey.control[self.candidates])
        best = active[np.argsort(-scores[active], kind="stable")]
        if self.rule.counts_votes and len(best):
            return self._diverse(*self._shortlist(best), scores)
        places = best[: 0 if self.spreads_thin else config.batch]
        return places, np.full(len(places), config.retirement_votes, dtype=np.int64)

    def _shortlist(self, best: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the places to choose among, and rows of others that votes are promised on."""
        plan, promised = self.files.plan, np.flatnonzero(self.survey.pending)
        room = MAX_JOINT - min(len(promised), OWED)
        places = best[: min(SHORTLIST * plan.config.batch, room)]
        others = np.setdiff1d(promised, self.candidates[places])
        return places, some_of(others, OWED, np.random.default_rng([plan.seed, 2]))

    def _diverse(
        self, places: NDArray[np.intp], owed: NDArray[np.intp], scores: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Choose among `places`; ask of each as long as its votes are worth the last choice's.

        The votes promised on the rows `owed` of the survey count as given; none is chosen.
        """
        config, rows = self.files.plan.config, np.concatenate([self.candidates[places], owed])
        features = self.model.features(self.survey.representations[rows])
        beliefs = believe(
            self.latents,
            features,
            self.files.plan.tree,
            counts=self.survey.counts_of(rows),
            promised=self.survey.pending[rows],
        )
        asked = asked_probability(beliefs.fractions(), self.files.plan.tree)
        chosen, gains = select_batch(
            np.concatenate([scores[places], np.zeros(len(owed))]),
            self.model.gp.covariance(features, asked[: len(places)].mean(axis=0)),
            config.batch,
            noise=vote_noise(beliefs, config.expected_votes),
            promised_noise=vote_noise(beliefs, beliefs.promised),
        )
        # A vote on the last one chosen is what any other vote must be worth.
        price = gains.min(initial=np.inf) * scores[places[chosen]] / gains
        limit = config.retirement_votes
        wanted = votes_wanted(
            beliefs.of(chosen), min_votes=min(3, limit), max_votes=limit, price=price
        )
        return places[chosen], wanted

    def queue(
        self,
        order: NDArray[np.intp],
        scores: NDArray[np.float64],
        votes_wanted: NDArray[np.int64],
    ) -> pa.Table:
        """Return the queue's rows, the candidates in `order`."""
        rows = self.candidates[order]
        tree = self.files.plan.tree
        answers = np.array(tree.label_cols)[tree.question_slices[tree.start]]
        return pa.table(
            {
                "id_str": [self.survey.ids[row] for row in rows],
                "score": scores[order],
                "rank": np.arange(len(order), dtype=np.int64),
                "votes": self.survey.received[rows].astype(np.int32),
                "votes_wanted": votes_wanted[order].astype(np.int32),
                "top_answer": answers[self.survey.top[rows]].tolist(),
            }
        )


def _write_neighbours(files: RoundFiles, survey: Survey, model: VoteModel) -> dict[str, Any]:
    return write_neighbours(
        survey.ids,
        lambda rows: model.features(survey.representations[rows]),
        files.folder("acquire").path / "neighbours",
        source=json_checksum([files.record("predict").checksum, files.plan.checksum]),
        seed=files.plan.seed,
        on_progress=files.part("acquire", 0.8, 0.95),
        should_stop=files.should_stop,
    )


def _order(
    turns: NDArray[np.float64], batch: NDArray[np.intp], control: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Return the candidates in the order of asking: batch, others by turn, control panel."""
    group = np.where(control, 2, 1)
    group[batch] = 0
    within = turns.copy()
    within[batch] = np.arange(len(batch))
    order: NDArray[np.intp] = np.lexsort((within, group))
    return order
