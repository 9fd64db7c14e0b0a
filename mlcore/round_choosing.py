"""The choosing half of a round: what to ask next, and whose votes to doubt.

Both work on the network's representations, reduced, under a Gaussian process of the vote
fractions (`mlcore.gp`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlcore.cnn.encoder import make_encoder
from mlcore.cnn.model import CnnModel, load_weights
from mlcore.cnn.network import TreeNetwork
from mlcore.cnn.predict import predict
from mlcore.cnn.rings import ring_features
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
from mlcore.gp.mislabels import MislabelCandidate, flag_mislabels
from mlcore.gp.model import MAX_JOINT, VoteGP
from mlcore.gp.reduce import Reducer
from mlcore.neighbours import write_neighbours
from mlcore.round_calibration import unseen_concentrations
from mlcore.round_catalogue import voted_rows
from mlcore.round_learning import image_cache, pretrained
from mlcore.round_survey import Survey, open_survey
from mlcore.stages import json_checksum

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.images import ImageCache
    from mlcore.round_files import RoundFiles
    from mlcore.round_plan import RoundConfig

BLOCK = 8192
# A diverse batch is chosen among this many times as many of the best galaxies.
SHORTLIST = 8


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
    ``votes_wanted``, those promised included; ``top_answer``, the network's, to the
    first question. Beside it, ``neighbours/`` holds the galaxies that look alike
    (`mlcore.neighbours`). Where no question could be learned, the order is random, and
    the stage's record says so.
    """
    folder = files.folder("acquire").path
    with open_survey(files, folder / ".representations") as survey:
        model = fit_vote_model(files, survey, "acquire", 0.4)
        candidates = _candidates(survey, files.plan.config.retirement_votes)
        work = _Choosing(files, survey, model, candidates)
        scores = work.scores()
        found = _write_neighbours(files, survey, model)
        batch, wanted = work.batch(scores)
        order = _order(scores, batch, survey.control[candidates])
        remaining = files.plan.config.retirement_votes - survey.votes[candidates]
        remaining[batch] = np.minimum(remaining[batch], wanted)
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
        "rule": "random" if model.problem else files.plan.config.acquisition,
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

    @cached_property
    def rule(self) -> AcquisitionRule:
        config = self.files.plan.config
        return make_rule(
            "random" if self.model.problem else config.acquisition,
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

    def batch(self, scores: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Return the batch, as places among the candidates, and the votes it wants."""
        config = self.files.plan.config
        active = np.flatnonzero(~self.survey.control[self.candidates])
        best = active[np.argsort(-scores[active], kind="stable")]
        if self.rule.counts_votes and len(best):
            return self._diverse(best[: min(SHORTLIST * config.batch, MAX_JOINT)], scores)
        places = best[: config.batch]
        return places, np.full(len(places), config.retirement_votes, dtype=np.int64)

    def _diverse(
        self, places: NDArray[np.intp], scores: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Choose among `places`; ask of each as long as its votes are worth the last choice's."""
        config, rows = self.files.plan.config, self.candidates[places]
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
            scores[places],
            self.model.gp.covariance(features, asked.mean(axis=0)),
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
    scores: NDArray[np.float64], batch: NDArray[np.intp], control: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Return the candidates in the order of asking: batch, by score, control panel."""
    group = np.where(control, 2, 1)
    group[batch] = 0
    within = -scores.copy()
    within[batch] = np.arange(len(batch))
    order: NDArray[np.intp] = np.lexsort((within, group))
    return order


def flag_subjects(files: RoundFiles) -> dict[str, Any]:
    """Write ``mislabels.parquet``: every judged subject, the most doubtful votes first.

    Training galaxies are judged by networks of the other folds, those of the control
    panel by the round's own, which never saw them; and all by a Gaussian process with
    each galaxy left out, on features that owe nothing to any vote.

    Columns: ``id_str``, ``question``, ``rank`` from 0, ``p_value``, ``q_value``,
    ``flagged``, ``score``, ``n_votes``, ``observed`` and ``expected`` (fraction by answer),
    ``reason``.
    """
    plan, folder = files.plan, files.folder("flag").path
    cache = image_cache(files, plan.config.train, "flag", 0.0, 0.02)
    start_from = pretrained(files, cache, "flag", 0.02, 0.04)
    rows, counts, concentrations = _judged(files, cache, start_from)
    ids = [cache.ids[row] for row in rows]
    features = _label_free_features(files, cache, rows, start_from)
    gp = fit_vote_gp(
        features,
        counts,
        plan.tree,
        seed=plan.seed,
        on_progress=files.part("flag", 0.8, 0.95),
        should_stop=files.should_stop,
    )
    seen = counts[:, plan.tree.question_slices[plan.tree.start]].sum(axis=1)
    found = flag_mislabels(
        ids, counts, concentrations, gp, plan.tree, false_discovery_rate=1.0, seed=plan.seed
    )
    enough = {ids[row] for row in np.flatnonzero(seen >= plan.config.min_flag_votes)}
    candidates = [candidate for candidate in found if candidate.id_str in enough]
    flagged = _count_flagged(candidates, plan.config)
    _write_candidates(candidates, flagged, folder / "mislabels.parquet")
    return {"judged": len(candidates), "flagged": flagged}


def _count_flagged(candidates: list[MislabelCandidate], config: RoundConfig) -> int:
    """Return how many of the ranked candidates experts are asked about."""
    below = sum(candidate.q_value <= config.false_discovery_rate for candidate in candidates)
    return max(below, min(config.review_at_least, len(candidates)))


def _judged(
    files: RoundFiles, cache: ImageCache, start_from: Path | None
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Return cache rows (n,), votes and concentrations (n, A) of all galaxies with votes.

    No network has seen the votes that it is asked about.
    """
    plan = files.plan
    rows, counts = voted_rows(files, "training", cache)
    theirs = unseen_concentrations(files, cache, start_from, stage="flag", start=0.04, end=0.75)
    held_out, held_out_counts = voted_rows(files, "held_out", cache)
    model = CnnModel.load(files.folder("train").path / "model")
    ours = predict(model, cache, held_out, should_stop=files.should_stop).concentrations
    return (
        np.concatenate([rows, held_out]),
        np.concatenate([counts, held_out_counts]),
        np.concatenate([theirs * model.calibration.factors(plan.tree), ours]),
    )


def _label_free_features(
    files: RoundFiles, cache: ImageCache, rows: NDArray[np.intp], start_from: Path | None
) -> NDArray[np.float64]:
    """Return reduced features (n, d) that no vote has taught anything.

    They are an encoder's where one was pretrained, here or elsewhere; random weights say
    less of a galaxy than its rings do.
    """
    config, on_progress = files.plan.config.train, files.part("flag", 0.75, 0.8)
    encoder, origin = make_encoder(config.encoder)
    if start_from is not None:
        load_weights(encoder, start_from)
    if start_from is None and origin.source == "scratch":
        features = ring_features(
            cache.images, rows, on_progress=on_progress, should_stop=files.should_stop
        )
    else:
        network = TreeNetwork(encoder, files.plan.tree, config).eval()
        untaught = CnnModel(network, files.plan.tree, config, origin)
        features = predict(
            untaught, cache, rows, on_progress=on_progress, should_stop=files.should_stop
        ).representations
    reducer = Reducer.fit(features, max_dimensions=files.plan.config.dimensions)
    return reducer.transform(features)


def _write_candidates(candidates: list[MislabelCandidate], flagged: int, path: Path) -> None:
    fractions = pa.map_(pa.string(), pa.float64())
    columns = {
        "id_str": pa.array([each.id_str for each in candidates], pa.string()),
        "question": pa.array([each.question for each in candidates], pa.string()),
        "rank": pa.array(range(len(candidates)), pa.int64()),
        "p_value": pa.array([each.p_value for each in candidates], pa.float64()),
        "q_value": pa.array([each.q_value for each in candidates], pa.float64()),
        "flagged": pa.array([rank < flagged for rank in range(len(candidates))], pa.bool_()),
        "score": pa.array([each.score for each in candidates], pa.float64()),
        "n_votes": pa.array([each.n_votes for each in candidates], pa.int64()),
        "observed": pa.array([list(each.observed.items()) for each in candidates], fractions),
        "expected": pa.array([list(each.expected.items()) for each in candidates], fractions),
        "reason": pa.array([each.reason for each in candidates], pa.string()),
    }
    with replacing(path) as partial:
        pq.write_table(pa.table(columns), partial)
