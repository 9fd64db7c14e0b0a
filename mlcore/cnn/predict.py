"""Concentrations and representations of galaxies, averaged over how they lie on the sky."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from mlcore.cnn.dataset import dihedral_views, to_tensor
from mlcore.cnn.mixture import mixed_concentrations
from mlcore.cnn.operators import best_device
from mlcore.cnn.train import check_cache, check_rows
from mlcore.errors import FitError, InvalidInputError
from mlcore.memory import keeping_freed_memory
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlcore.cnn.model import CnnModel
    from mlcore.cnn.network import TreeNetwork
    from mlcore.images import ImageCache

_STAGE = "predict"


@dataclass(frozen=True)
class Predictions:
    """What a network says of n galaxies.

    Attributes
    ----------
    concentrations
        Dirichlet concentrations, float32, shape (n, A), positive.
    representations
        What the first network's head sees, float32, shape (n, D).
    """

    concentrations: NDArray[np.float32]
    representations: NDArray[np.float32]


def predict(
    model: CnnModel,
    cache: ImageCache,
    rows: NDArray[np.intp],
    *,
    batch_size: int | None = None,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Predictions:
    """Predict some rows of the cache.

    Each galaxy is seen in `model.config.average_views` ways; of a flipped view the
    answers change columns by `tree.mirror`. The averages are geometric for
    concentrations, which are then mixed over the networks of an ensemble, pooled with what
    look-alikes say, and scaled (`mlcore.calibration`), and arithmetic for representations.

    Parameters
    ----------
    model, cache
        The cache has the size and crop of the model's settings.
    rows
        Shape (n,); none gives arrays of no rows.
    batch_size
        Galaxies at a time; None takes the settings' `predict_batch_size`.

    Raises
    ------
    InvalidInputError
        For rows outside the cache, a cache of another size, or a batch below 1.
    FitError
        Where the model says anything that is not finite.
    CancelledError
        After `should_stop` said so.
    """
    check_cache(cache, model.config)
    rows = check_rows(rows, cache)
    bands = model.config.bands
    size = model.config.predict_batch_size if batch_size is None else batch_size
    if size < 1:
        raise InvalidInputError(f"batch_size must be at least 1, is {size}")
    found = Predictions(
        np.empty((len(rows), len(model.tree.label_cols)), np.float32),
        np.empty((len(rows), int(model.network.encoder_dim)), np.float32),
    )
    with keeping_freed_memory():
        for start in range(0, len(rows), size):
            stop_if_asked(should_stop, _STAGE)
            part = slice(start, start + size)
            images = to_tensor(cache.images[rows[part]], bands)
            answers, features = _predict_batch(model, images)
            _require_finite(model, answers, features)
            others = _lookalikes_say(model, images)
            found.concentrations[part] = model.calibration.apply(answers, model.tree, others)
            found.representations[part] = features
            done = min(start + size, len(rows))
            said = f"{done} of {len(rows)} galaxies predicted"
            report(on_progress, _STAGE, done / len(rows), said)
    return found


def _require_finite(model: CnnModel, *found: NDArray[np.float32]) -> None:
    if not all(np.isfinite(each).all() for each in found):
        raise FitError(
            "learning_rate must be small enough for finite predictions, is "
            f"{model.config.learning_rate:g}, after pretraining with pretrain_learning_rate "
            f"{model.config.pretrain_learning_rate:g}"
        )


def _lookalikes_say(model: CnnModel, images: torch.Tensor) -> NDArray[np.float64] | None:
    if model.lookalikes is None:
        return None
    # A galaxy turned is much the same to them; its mirror image is a second opinion.
    return model.lookalikes.fractions(images, min(model.config.average_views, 2))


@torch.inference_mode()
def _predict_batch(
    model: CnnModel, images: torch.Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    found = [_seen_by(network, model, images) for network in model.networks]
    if len(found) == 1:
        return found[0]
    answers = np.stack([concentrations for concentrations, _ in found])
    return mixed_concentrations(answers, model.tree.question_slices.values()), found[0][1]


def _seen_by(
    network: TreeNetwork, model: CnnModel, images: torch.Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    device = best_device()
    network.eval().to(device)
    mirror = torch.from_numpy(np.array(model.tree.mirror)).to(device)
    answers, features = [], []
    for view, flipped in dihedral_views(images.to(device), model.config.average_views):
        representation = network.features(view)
        answer = network.head(representation)
        answers.append(answer[:, mirror] if flipped else answer)
        features.append(representation)
    # Of concentrations the geometric mean: a view that is sure of "not this" then counts.
    concentrations: NDArray[np.float32] = torch.stack(answers).log().mean(dim=0).exp().cpu().numpy()
    representations: NDArray[np.float32] = torch.stack(features).mean(dim=0).cpu().numpy()
    return concentrations, representations
