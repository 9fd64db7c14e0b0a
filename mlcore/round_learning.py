"""The learning half of a round: train, evaluate, predict."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mlcore.cnn.encoder import encoder_of
from mlcore.cnn.model import CnnModel
from mlcore.cnn.predict import predict
from mlcore.cnn.shards import write_shards
from mlcore.cnn.train import train
from mlcore.errors import NotEnoughVotesError
from mlcore.evaluation.comparison import Comparison, compare
from mlcore.evaluation.details import detail
from mlcore.evaluation.figures import evaluate
from mlcore.evaluation.report import evaluation_report
from mlcore.files import write_json
from mlcore.images import ImageCache, summary, told
from mlcore.round_calibration import calibrate
from mlcore.round_catalogue import voted_rows
from mlcore.round_encoder import pretrained
from mlcore.round_lookalikes import ask_lookalikes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlcore.round_files import RoundFiles
    from mlcore.train_config import TrainConfig


def train_network(files: RoundFiles) -> dict[str, Any]:
    """Decode the images, pretrain without labels, train on the votes, and calibrate.

    Look-alikes are asked between the two (`mlcore.round_lookalikes`). What images there are is
    looked at until the network is trained; the rest of the round goes by that.

    Raises
    ------
    NotEnoughVotesError
        Where too few galaxies with votes have an image that can be read, also in the panel.
    ImagesAwayError
        Where images cannot be read just now; nothing is kept of that.
    """
    config, plan = files.plan.config.train, files.plan
    is_trained = (files.folder("train").path / "model").is_dir()
    cache = image_cache(files, config, "train", 0.0, 0.2, retry=not is_trained)
    rows, counts = voted_rows(files, "training", cache)
    voted_rows(files, "held_out", cache)
    start_from = pretrained(files, cache, "train", 0.2, 0.4)
    model = train(
        cache,
        rows,
        counts,
        plan.tree,
        config,
        directory=files.folder("train").path,
        seed=plan.seed,
        start_from=start_from,
        on_progress=files.part("train", 0.4, 0.6 if plan.config.calibrate else 0.95),
        should_stop=files.should_stop,
    )
    begun = 0.6 if plan.config.calibrate else 0.95
    model, known, why_alone = ask_lookalikes(
        files, cache, model, start_from, files.part("train", begun, begun + 0.05)
    )
    if plan.config.calibrate:
        model = replace(model, calibration=calibrate(files, cache, start_from, known))
    model.save_description(files.folder("train").path / "model")
    origin = asdict(model.origin)
    asked_for = asdict(encoder_of(config)[1])
    if start_from is not None:
        origin["reason"] = f"{origin['reason']}; {asked_for['reason']}"
    return {
        "origin": origin,
        "history": [dict(epoch) for epoch in model.history],
        "galaxies": len(rows),
        "unreadable_images": len(cache.unreadable),
        "unreadable": summary(cache.unreadable),
        "lookalikes": {"galaxies": len(known.places) if known else 0, "reason": why_alone},
        "calibration": model.calibration.to_dict(),
    }


def image_cache(
    files: RoundFiles,
    config: TrainConfig,
    stage: str,
    start: float,
    end: float,
    *,
    retry: bool = False,
) -> ImageCache:
    """Return every subject's image at training size; decoded once, kept between rounds.

    Those that could not be read before are tried again where `retry` says so.
    """
    ids: list[str] = []
    paths: list[str] = []
    for rows in files.subjects():
        ids += rows.ids
        paths += [str(files.plan.images / name) for name in rows.files]
    name = f"images-{config.image_size}-{config.crop_fraction:g}"
    return ImageCache.build(
        paths,
        ids,
        files.plan.shared / name,
        size=config.image_size,
        crop_fraction=config.crop_fraction,
        on_progress=files.part(stage, start, end),
        should_stop=files.should_stop,
        skip_unreadable=True,
        retry_unreadable=retry,
    )


def evaluate_model(files: RoundFiles) -> dict[str, Any]:
    """Judge the model on the control panel alone, and against the model before it.

    ``evaluation.json`` tells more than the record: see `mlcore.evaluation.report`.

    Raises
    ------
    NotEnoughVotesError
        Where too few images of the control panel could be read.
    """
    plan = files.plan
    cache = image_cache(files, plan.config.train, "evaluate", 0.0, 0.3)
    rows, counts = voted_rows(files, "held_out", cache)
    model = CnnModel.load(files.folder("train").path / "model")
    found = _concentrations(files, model, cache, rows)
    evaluation = evaluate(counts, found, plan.tree, seed=plan.seed)
    result = {**evaluation.to_dict(), "previous": None, "comparison": None}
    result |= _against_previous(files, cache, rows, counts, found)
    details = detail([cache.ids[row] for row in rows], counts, found, plan.tree, seed=plan.seed)
    report = evaluation_report(result, details, model.calibration)
    write_json(files.folder("evaluate").path / "evaluation.json", report)
    return result


def _against_previous(
    files: RoundFiles,
    cache: ImageCache,
    rows: NDArray[np.intp],
    counts: NDArray[np.float64],
    found: NDArray[np.float64],
) -> dict[str, Any]:
    """Return ``verdict``, and ``previous`` and ``comparison`` where the models compare."""
    plan = files.plan
    if plan.previous_model is None:
        return {"verdict": "There was no model before this one to compare with."}
    before = CnnModel.load(plan.previous_model)
    if before.tree.checksum != plan.tree.checksum:
        return {"verdict": "The model before this one answered another decision tree."}
    its_cache = _cache_of(before, files, cache)
    both = np.array([cache.ids[row] in its_cache for row in rows], dtype=bool)
    if both.sum() < plan.config.min_held_out_subjects:
        raise NotEnoughVotesError(
            "held_out galaxies whose image both models can see must be at least "
            f"{plan.config.min_held_out_subjects}, are {both.sum()}: {told(its_cache.unreadable)}"
        )
    its_rows = its_cache.rows([cache.ids[row] for row in rows[both]])
    old = _concentrations(files, before, its_cache, its_rows)
    comparison = compare(
        counts[both],
        found[both],
        old,
        plan.tree,
        seed=plan.seed,
        n_bootstrap=plan.config.bootstrap_draws,
        margin=plan.config.gate_margin,
    )
    return {
        "previous": evaluate(counts[both], old, plan.tree, seed=plan.seed).to_dict(),
        "comparison": comparison.to_dict(),
        "verdict": verdict(comparison),
    }


def verdict(comparison: Comparison) -> str:
    """Return the gate's verdict in a sentence."""
    judged = "Not worse than" if comparison.not_worse else "Not shown to be as good as"
    return (
        f"{judged} the model before on {comparison.n} galaxies of the control panel: "
        f"{comparison.difference:+.4f} nats per vote, 90% interval {comparison.low:+.4f} to "
        f"{comparison.high:+.4f}, where at most {comparison.margin:+.4f} is allowed."
    )


def _cache_of(before: CnnModel, files: RoundFiles, cache: ImageCache) -> ImageCache:
    """Return the images at the size that the model before knows."""
    config = before.config
    if (config.image_size, config.crop_fraction) == (cache.size, cache.crop_fraction):
        return cache
    return image_cache(files, config, "evaluate", 0.6, 0.9, retry=True)


def _concentrations(
    files: RoundFiles, model: CnnModel, cache: ImageCache, rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    found = predict(model, cache, rows, should_stop=files.should_stop)
    return found.concentrations.astype(np.float64)


def predict_subjects(files: RoundFiles) -> dict[str, Any]:
    """Write concentrations and representations of every subject, shard by shard."""
    cache = image_cache(files, files.plan.config.train, "predict", 0.0, 0.05)
    model = CnnModel.load(files.folder("train").path / "model")
    write_shards(
        model,
        cache,
        files.folder("predict").path,
        source=files.record("train").checksum,
        on_progress=files.part("predict", 0.05, 1.0),
        should_stop=files.should_stop,
    )
    return {"galaxies": len(cache), "unreadable": dict(cache.unreadable)}
