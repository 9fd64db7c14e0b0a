"""The learning half of a round: gather the votes, train, evaluate, predict."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mlcore.catalogue import TrainingCatalogue
from mlcore.cnn.encoder import make_encoder
from mlcore.cnn.evaluate import Comparison, compare, evaluate
from mlcore.cnn.model import CnnModel
from mlcore.cnn.predict import predict
from mlcore.cnn.pretrain import pretrain
from mlcore.cnn.shards import write_shards
from mlcore.cnn.train import train
from mlcore.errors import NotEnoughVotesError
from mlcore.images import ImageCache

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.round_files import RoundFiles
    from mlcore.train_config import TrainConfig

# Rounds share one pretrained encoder, so its randomness is none of theirs.
_PRETRAIN_SEED = 0
_CATALOGUES = {"training": False, "held_out": True}


def snapshot(files: RoundFiles) -> dict[str, Any]:
    """Write the training catalogue, and the held-out one of the control panel.

    Raises
    ------
    NotEnoughVotesError
        Where either has too few galaxies with votes.
    """
    result: dict[str, Any] = {}
    for name, control in _CATALOGUES.items():
        catalogue = _voted(files, control=control)
        result |= {
            f"{name}_subjects": len(catalogue.id_str),
            f"{name}_votes": int(catalogue.counts.sum()),
            f"{name}_checksum": catalogue.checksum,
        }
    config = files.plan.config
    minima = {"training": config.min_training_subjects, "held_out": config.min_held_out_subjects}
    for name, minimum in minima.items():
        found = result[f"{name}_subjects"]
        if found < minimum:
            raise NotEnoughVotesError(
                f"{name} galaxies with votes must be at least {minimum}, are {found}"
            )
    return {**result, "catalogue_checksum": result["training_checksum"]}


def _voted(files: RoundFiles, *, control: bool) -> TrainingCatalogue:
    """Write and return the catalogue of galaxies with votes, in or outside the panel."""
    ids: list[str] = []
    paths: list[str] = []
    counts = [np.empty((0, len(files.plan.tree.label_cols)), dtype=np.int64)]
    for rows in files.subjects():
        files.report("snapshot", 0.75, f"{len(ids):,} galaxies with votes")
        chosen = np.flatnonzero((rows.counts.sum(axis=1) > 0) & (rows.control == control))
        ids += [rows.ids[row] for row in chosen]
        paths += [rows.files[row] for row in chosen]
        counts.append(rows.counts[chosen])
    catalogue = TrainingCatalogue(
        id_str=tuple(ids),
        file_loc=tuple(paths),
        counts=np.concatenate(counts),
        label_cols=tuple(files.plan.tree.label_cols),
    )
    stem = files.folder("snapshot").path / ("held_out" if control else "training")
    catalogue.write_csv(stem.with_suffix(".csv"))
    catalogue.write_parquet(stem.with_suffix(".parquet"))
    return catalogue


def voted_rows(
    files: RoundFiles, name: str, cache: ImageCache
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return cache rows (n,) and votes (n, A) of the ``training`` or ``held_out`` galaxies.

    Galaxies whose image could not be read are left out.
    """
    path = files.folder("snapshot").path / f"{name}.parquet"
    catalogue = TrainingCatalogue.read_parquet(path, files.plan.tree)
    known = np.array([id_str not in cache.unreadable for id_str in catalogue.id_str], dtype=bool)
    ids = [id_str for id_str, is_known in zip(catalogue.id_str, known, strict=True) if is_known]
    return cache.rows(ids), catalogue.counts[known].astype(np.float64)


def train_network(files: RoundFiles) -> dict[str, Any]:
    """Decode the images, pretrain without labels, and train on the votes."""
    config, plan = files.plan.config.train, files.plan
    cache = image_cache(files, config, "train", 0.0, 0.2)
    start_from = pretrained(files, cache, "train", 0.2, 0.4)
    rows, counts = voted_rows(files, "training", cache)
    model = train(
        cache,
        rows,
        counts,
        plan.tree,
        config,
        directory=files.folder("train").path,
        seed=plan.seed,
        start_from=start_from,
        on_progress=files.part("train", 0.4, 1.0),
        should_stop=files.should_stop,
    )
    origin = asdict(model.origin)
    asked_for = asdict(make_encoder(config.encoder)[1])
    if start_from is not None:
        origin["reason"] = f"{origin['reason']}; {asked_for['reason']}"
    return {
        "origin": origin,
        "history": [dict(epoch) for epoch in model.history],
        "galaxies": len(rows),
        "unreadable_images": len(cache.unreadable),
    }


def image_cache(
    files: RoundFiles, config: TrainConfig, stage: str, start: float, end: float
) -> ImageCache:
    """Return every subject's image at training size; built once, kept between rounds."""
    ids: list[str] = []
    paths: list[Path] = []
    for rows in files.subjects():
        ids += rows.ids
        paths += [files.plan.images / name for name in rows.files]
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
    )


def pretrained(
    files: RoundFiles, cache: ImageCache, stage: str, start: float, end: float
) -> Path | None:
    """Return the encoder pretrained without labels.

    None where published weights serve, or the settings ask for no pretraining.

    It is made once, and kept between the rounds of a survey that stays the same.
    """
    config = files.plan.config.train
    if config.pretrain_steps == 0 or make_encoder(config.encoder)[1].source == "hub":
        return None
    return pretrain(
        cache,
        config,
        directory=files.plan.shared / "pretrained",
        seed=_PRETRAIN_SEED,
        on_progress=files.part(stage, start, end),
        should_stop=files.should_stop,
    )


def evaluate_model(files: RoundFiles) -> dict[str, Any]:
    """Judge the model on the control panel alone, and against the model before it.

    Raises
    ------
    NotEnoughVotesError
        Where no image of the control panel could be read.
    """
    plan = files.plan
    cache = image_cache(files, plan.config.train, "evaluate", 0.0, 0.3)
    rows, counts = voted_rows(files, "held_out", cache)
    model = CnnModel.load(files.folder("train").path / "model")
    found = _concentrations(files, model, cache, rows)
    result = {**evaluate(counts, found, plan.tree).to_dict(), "previous": None, "comparison": None}
    if plan.previous_model is None:
        return {**result, "verdict": "There was no model before this one to compare with."}
    before = CnnModel.load(plan.previous_model)
    if before.tree.checksum != plan.tree.checksum:
        return {**result, "verdict": "The model before this one answered another decision tree."}
    old = _previous_concentrations(files, before, cache, rows)
    comparison = compare(
        counts,
        found,
        old,
        plan.tree,
        seed=plan.seed,
        n_bootstrap=plan.config.bootstrap_draws,
        margin=plan.config.gate_margin,
    )
    return {
        **result,
        "previous": evaluate(counts, old, plan.tree).to_dict(),
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


def _previous_concentrations(
    files: RoundFiles, before: CnnModel, cache: ImageCache, rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Predict the same galaxies with the model before, at the image size that it knows."""
    ids = [cache.ids[row] for row in rows]
    its_cache = image_cache(files, before.config, "evaluate", 0.6, 0.9)
    return _concentrations(files, before, its_cache, its_cache.rows(ids))


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
