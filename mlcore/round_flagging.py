"""The doubting half of a round: whose votes experts should look at, and why.

The judged are ranked (`mlcore.gp.mislabels`); for those that experts are asked about there is
evidence beside: the nearest galaxies on which volunteers gave the answer that was expected,
and a picture of what the network looked at (`mlcore.cnn.attribution`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from mlcore.calibration import IDENTITY
from mlcore.cnn.attribution import attributions, heat_picture
from mlcore.cnn.model import CnnModel
from mlcore.cnn.predict import predict
from mlcore.cnn.rings import ring_features
from mlcore.cnn.untaught import untaught
from mlcore.errors import InvalidInputError
from mlcore.files import replacing
from mlcore.gp.fit import fit_vote_gp
from mlcore.gp.mislabels import MislabelCandidate, flag_mislabels
from mlcore.gp.reduce import Reducer
from mlcore.round_calibration import unseen_concentrations
from mlcore.round_catalogue import voted_rows
from mlcore.round_encoder import pretrained
from mlcore.round_files import CALLED_RIGHT, EVIDENCE, PICTURES
from mlcore.round_learning import image_cache

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.images import ImageCache
    from mlcore.round_files import RoundFiles
    from mlcore.round_plan import RoundConfig
    from mlcore.tree import DecisionTree

#: Look-alikes shown beside a flag, and flags that get a picture: about 20 KB each.
ALIKE, PICTURED = 4, 500


@dataclass(frozen=True)
class Judged:
    """The n galaxies with votes, as models see them that never saw these votes.

    Attributes
    ----------
    ids
        n ids.
    rows
        In the image cache, shape (n,).
    counts
        Votes, shape (n, A).
    features
        Shape (n, d); a galaxy that cannot be placed has NaN.
    """

    ids: list[str]
    rows: NDArray[np.intp]
    counts: NDArray[np.float64]
    features: NDArray[np.float64]


def flag_subjects(files: RoundFiles) -> dict[str, Any]:
    """Write ``mislabels.parquet``: every judged subject, the most doubtful votes first.

    Judged are those that `min_flag_votes` volunteers have seen, without those that experts
    have answered for; rates are theirs alone. Where an expert has called the votes on a question
    right, the galaxy is listed at another one, or last.
    Training galaxies are judged by networks of the other folds, those of the control panel
    by the round's own, which never saw them; and all by a Gaussian process with each galaxy
    left out, on features that owe nothing to any vote.

    Columns: ``id_str``, ``question``, ``rank`` from 0, ``p_value``, ``q_value``,
    ``flagged``, ``score``, ``n_votes``, ``observed`` and ``expected`` (fraction by answer),
    ``reason``. Beside it, of the flagged, ``evidence.parquet``: ``id_str``, ``alike`` (ids of
    look-alikes on which volunteers gave the expected answer, nearest first) and ``picture``,
    the name of a PNG in ``looked-at/``, empty beyond 500.

    Where nothing tells galaxies apart before any vote, the Gaussian process knows no more than
    the survey's fractions, and the stage's record says so.
    """
    plan, folder = files.plan, files.folder("flag").path
    cache = image_cache(files, plan.config.train, "flag", 0.0, 0.02)
    start_from = pretrained(files, cache, "flag", 0.02, 0.04)
    rows, counts, concentrations = _judged(files, cache, start_from)
    ids = [cache.ids[row] for row in rows]
    features, problem = _label_free_features(files, cache, rows, start_from)
    gp = fit_vote_gp(
        features,
        counts,
        plan.tree,
        seed=plan.seed,
        on_progress=files.part("flag", 0.8, 0.9),
        should_stop=files.should_stop,
    )
    # An expert's answers are no volunteers' votes: they teach, and are not doubted.
    votes = np.where(_judged_by_experts(files, ids)[:, None], 0.0, counts)
    before = files.judged_before()
    seen = votes[:, plan.tree.question_slices[plan.tree.start]].sum(axis=1)
    candidates = flag_mislabels(
        ids,
        votes,
        concentrations,
        gp,
        plan.tree,
        may_flag=seen >= plan.config.min_flag_votes,
        called_right=_called_right(before, ids, plan.tree),
        false_discovery_rate=1.0,
        seed=plan.seed,
    )
    known = {pair for pair, verdict in before.items() if verdict != CALLED_RIGHT}
    flagged = _count_flagged(candidates, plan.config, known)
    _write_candidates(candidates, flagged, folder / "mislabels.parquet")
    _write_evidence(files, cache, Judged(ids, rows, counts, features), candidates[:flagged])
    return {"judged": len(candidates), "flagged": flagged, "fallback": problem}


def _judged_by_experts(files: RoundFiles, ids: list[str]) -> NDArray[np.bool_]:
    """Return which galaxies (n,) have an expert's answers in place of votes."""
    judged = {rows.ids[row] for rows in files.subjects() for row in np.flatnonzero(rows.verdict)}
    return np.array([id_str in judged for id_str in ids], dtype=bool)


def _called_right(
    before: dict[tuple[str, str], str], ids: list[str], tree: DecisionTree
) -> NDArray[np.bool_]:
    """Return the questions (n, Q) on which an expert has called the votes right."""
    row_of = {id_str: row for row, id_str in enumerate(ids)}
    place_of = {question: place for place, question in enumerate(tree.question_slices)}
    called = np.zeros((len(ids), len(place_of)), dtype=bool)
    for (id_str, question), verdict in before.items():
        if verdict == CALLED_RIGHT and id_str in row_of and question in place_of:
            called[row_of[id_str], place_of[question]] = True
    return called


def _count_flagged(
    candidates: list[MislabelCandidate], config: RoundConfig, known: set[tuple[str, str]]
) -> int:
    """Return how many of the ranked candidates experts are asked about.

    They are not asked again about what is `known`: votes of which one was unsure, or those in the
    control panel that one called wrong. Among the first there are `review_at_least` others.
    """
    below = sum(candidate.q_value <= config.false_discovery_rate for candidate in candidates)
    others = [
        place
        for place, each in enumerate(candidates, start=1)
        if (each.id_str, each.question) not in known
    ]
    asked = others[: config.review_at_least]
    return max(below, *asked, 0)


def _judged(
    files: RoundFiles, cache: ImageCache, start_from: Path | None
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Return cache rows (n,), votes and concentrations (n, A) of all galaxies with votes.

    No network has seen the votes that it is asked about.
    """
    rows, counts = voted_rows(files, "training", cache)
    theirs = unseen_concentrations(files, cache, start_from, stage="flag", start=0.04, end=0.75)
    held_out, held_out_counts = voted_rows(files, "held_out", cache)
    model = CnnModel.load(files.folder("train").path / "model")
    alone = replace(model, lookalikes=None, calibration=IDENTITY)
    ours = predict(alone, cache, held_out, should_stop=files.should_stop).concentrations
    return (
        np.concatenate([rows, held_out]),
        np.concatenate([counts, held_out_counts]),
        np.concatenate([theirs, ours]),
    )


def _label_free_features(
    files: RoundFiles, cache: ImageCache, rows: NDArray[np.intp], start_from: Path | None
) -> tuple[NDArray[np.float64], str]:
    """Return reduced features (n, d) that no vote has taught anything, and what is wrong.

    They are an encoder's where one was pretrained, here or elsewhere; random weights say
    less of a galaxy than its rings do. Where they are of no use, they are a column of NaN.
    """
    config, on_progress = files.plan.config.train, files.part("flag", 0.75, 0.8)
    looks = untaught(config, None, start_from)
    if looks is None:
        features = ring_features(
            cache.images, rows, on_progress=on_progress, should_stop=files.should_stop
        )
    else:
        sides = looks.of_rows(
            cache,
            rows,
            config,
            config.average_views,
            on_progress=on_progress,
            should_stop=files.should_stop,
        )
        features = sides.mean(axis=1)
    try:
        reducer = Reducer.fit(features, max_dimensions=files.plan.config.dimensions)
    except InvalidInputError as error:
        return np.full((len(rows), 1), np.nan), str(error)
    return reducer.transform(features), ""


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


def _write_evidence(
    files: RoundFiles, cache: ImageCache, judged: Judged, flagged: list[MislabelCandidate]
) -> None:
    tree, folder = files.plan.tree, files.folder("flag").path
    pictures = _draw_pictures(files, cache, judged, flagged[:PICTURED])
    alike = find_alike(judged, flagged, tree)
    columns = {
        "id_str": pa.array([each.id_str for each in flagged], pa.string()),
        "alike": pa.array(alike, pa.list_(pa.string())),
        "picture": pa.array(pictures + [""] * (len(flagged) - len(pictures)), pa.string()),
    }
    with replacing(folder / EVIDENCE) as partial:
        pq.write_table(pa.table(columns), partial)


def find_alike(
    judged: Judged, flagged: list[MislabelCandidate], tree: DecisionTree
) -> list[list[str]]:
    """Return for each flagged the galaxies nearest to it whose votes are as its own should be.

    At most four, nearest first: those not flagged themselves on which more than half of the
    votes on the question went to the answer that the models expect. None for a galaxy without
    features.
    """
    place = {id_str: row for row, id_str in enumerate(judged.ids)}
    sound: NDArray[np.bool_] = np.asarray(np.isfinite(judged.features).all(axis=1))
    sound[[place[each.id_str] for each in flagged]] = False
    found = []
    for each in flagged:
        columns = tree.question_slices[each.question]
        votes = judged.counts[:, columns]
        answer = list(each.expected).index(_top(each.expected))
        agreeing = sound & (2 * votes[:, answer] > votes.sum(axis=1))
        others, own = np.flatnonzero(agreeing), judged.features[place[each.id_str]]
        distance = np.linalg.norm(judged.features[others] - own, axis=1)
        nearest = others[np.argsort(distance, kind="stable")[:ALIKE]]
        found.append([judged.ids[row] for row in nearest] if np.isfinite(own).all() else [])
    return found


def _draw_pictures(
    files: RoundFiles, cache: ImageCache, judged: Judged, flagged: list[MislabelCandidate]
) -> list[str]:
    """Draw what speaks for the expected answer against the voted one; return the names."""
    model = CnnModel.load(files.folder("train").path / "model")
    place = dict(zip(judged.ids, judged.rows.tolist(), strict=True))
    images = np.array(cache.images[[place[each.id_str] for each in flagged]])
    found = attributions(
        model,
        images,
        _columns(model.tree, [(each.question, _top(each.expected)) for each in flagged]),
        _columns(model.tree, [(each.question, _top(each.observed)) for each in flagged]),
        should_stop=files.should_stop,
    )
    folder = files.folder("flag").path / PICTURES
    folder.mkdir(exist_ok=True)
    names = [f"{rank:04d}.png" for rank in range(len(flagged))]
    for name, image, attribution in zip(names, images, found, strict=True):
        with replacing(folder / name) as partial:
            Image.fromarray(heat_picture(image, attribution)).save(partial, "PNG", optimize=True)
    return names


def _top(fractions: dict[str, float]) -> str:
    return max(fractions, key=fractions.__getitem__)


def _columns(tree: DecisionTree, steps: list[tuple[str, str]]) -> NDArray[np.intp]:
    return np.array([tree.column_index[step] for step in steps], dtype=np.intp)
