"""The choosing half of a round: what to ask next, and whose votes to doubt.

Both work on the network's representations, reduced, under a Gaussian process of the vote
fractions (`mlcore.gp`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlcore.cnn.encoder import make_encoder
from mlcore.cnn.model import CnnModel, load_weights
from mlcore.cnn.network import TreeNetwork
from mlcore.cnn.predict import predict
from mlcore.cnn.rings import ring_features
from mlcore.files import replacing
from mlcore.gp.acquisition import InformationRule, score_candidates, select_batch, votes_wanted
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
    """A Gaussian process of the votes, and how representations come to its features."""

    reducer: Reducer
    gp: VoteGP


def fit_vote_model(files: RoundFiles, survey: Survey, stage: str, end: float) -> VoteModel:
    """Fit on every subject with votes; the same round always gives the same model."""
    config = files.plan.config
    reducer = Reducer.fit(
        survey.representations, max_dimensions=config.dimensions, should_stop=files.should_stop
    )
    gp = fit_vote_gp(
        reducer.transform(survey.representations[survey.labelled]),
        survey.counts,
        files.plan.tree,
        seed=files.plan.seed,
        on_progress=files.part(stage, 0.0, end),
        should_stop=files.should_stop,
    )
    return VoteModel(reducer, gp)


def choose_subjects(files: RoundFiles) -> dict[str, Any]:
    """Write ``queue.parquet``: every subject still to ask about, the best first.

    Columns: ``id_str``; ``score`` (information in nats that the expected votes would
    give); ``rank`` from 0, the diverse batch first, then by score, the control panel
    last; ``votes_wanted``, those promised included; ``top_answer``, the network's, to the
    first question. Beside it, ``neighbours/`` holds the galaxies that look alike
    (`mlcore.neighbours`).
    """
    folder = files.folder("acquire").path
    with open_survey(files, folder / ".representations") as survey:
        model = fit_vote_model(files, survey, "acquire", 0.4)
        candidates = _candidates(survey, files.plan.config.retirement_votes)
        scores = _scores(files, survey, model, candidates)
        found = _write_neighbours(files, survey, model.reducer)
        batch, wanted = _batch(files, survey, model, candidates, scores)
        order = _order(scores, batch, survey.control[candidates])
        remaining = files.plan.config.retirement_votes - survey.votes[candidates]
        remaining[batch] = np.minimum(remaining[batch], wanted)
        labels = np.array(files.plan.tree.label_cols)
        first = files.plan.tree.question_slices[files.plan.tree.start]
        queue = pa.table(
            {
                "id_str": [survey.ids[row] for row in candidates[order]],
                "score": scores[order],
                "rank": np.arange(len(order), dtype=np.int64),
                "votes_wanted": remaining[order].astype(np.int32),
                "top_answer": labels[first][survey.top[candidates[order]]].tolist(),
            }
        )
    with replacing(folder / "queue.parquet") as partial:
        pq.write_table(queue, partial)
    model.reducer.save(folder / "reducer.npz")
    return {
        "candidates": len(candidates),
        "batch": len(batch),
        "dimensions": model.reducer.n_dimensions,
        "labelled": len(survey.labelled),
        "mean_score": float(scores.mean()) if len(scores) else 0.0,
        "neighbours_among": found["searched"],
    }


def _candidates(survey: Survey, retirement_votes: int) -> NDArray[np.intp]:
    return np.flatnonzero(~survey.retired & (survey.votes < retirement_votes))


def _scores(
    files: RoundFiles, survey: Survey, model: VoteModel, candidates: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the information (m,) of the expected votes on each candidate, in nats."""
    config, scores = files.plan.config, np.empty(len(candidates))
    for start in range(0, len(candidates), BLOCK):
        block = slice(start, start + BLOCK)
        scores[block] = score_candidates(
            model.gp,
            model.reducer.transform(survey.representations[candidates[block]]),
            files.plan.tree,
            InformationRule(config.expected_votes),
            n_draws=config.draws,
            seed=files.plan.seed,
            should_stop=files.should_stop,
        )
        done = min(start + BLOCK, len(candidates))
        said = f"{done:,} of {len(candidates):,} galaxies scored"
        files.report("acquire", 0.4 + 0.4 * done / len(candidates), said)
    return scores


def _write_neighbours(files: RoundFiles, survey: Survey, reducer: Reducer) -> dict[str, Any]:
    return write_neighbours(
        survey.ids,
        lambda rows: reducer.transform(survey.representations[rows]),
        files.folder("acquire").path / "neighbours",
        source=json_checksum([files.record("predict").checksum, files.plan.checksum]),
        seed=files.plan.seed,
        on_progress=files.part("acquire", 0.8, 0.95),
        should_stop=files.should_stop,
    )


def _batch(
    files: RoundFiles,
    survey: Survey,
    model: VoteModel,
    candidates: NDArray[np.intp],
    scores: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return the diverse batch, as places among the candidates, and the votes it wants."""
    config, tree = files.plan.config, files.plan.tree
    active = np.flatnonzero(~survey.control[candidates])
    best = active[np.argsort(-scores[active], kind="stable")]
    places = best[: min(SHORTLIST * config.batch, MAX_JOINT)]
    if not len(places):
        return places, np.empty(0, dtype=np.int64)
    features = model.reducer.transform(survey.representations[candidates[places]])
    out = np.flatnonzero(survey.pending[candidates[places]] > 0)
    chosen, _ = select_batch(
        scores[places], model.gp.covariance(features), config.batch, pending=out.tolist()
    )
    draws = model.gp.sample_fractions(features[chosen], config.draws, files.plan.seed)
    limit = config.retirement_votes
    wanted = votes_wanted(draws, tree, min_votes=min(3, limit), max_votes=limit)
    return places[chosen], wanted


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
