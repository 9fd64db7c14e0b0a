"""The choosing half of a round: what to ask next.

It works on the network's representations, reduced, under a Gaussian process of the vote
fractions (`mlcore.gp`). Whose votes to doubt is `mlcore.round_flagging`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlcore.files import replacing
from mlcore.gp.acquisition import InformationRule, score_candidates, select_batch, votes_wanted
from mlcore.gp.fit import fit_vote_gp
from mlcore.gp.model import MAX_JOINT, VoteGP
from mlcore.gp.reduce import Reducer
from mlcore.neighbours import write_neighbours
from mlcore.round_survey import Survey, open_survey
from mlcore.stages import json_checksum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlcore.round_files import RoundFiles

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
