"""What a network looked at: which pixels speak for one answer and against another.

Integrated gradients (Sundararajan, Taly & Yan 2017, ICML 70, 3319), through captum: the
gradient of the log odds between two answers, averaged along the way from an empty sky to the
image, times the light. Pixels of empty sky can have no part in it. It tells what moved this
network, which need not be what makes a galaxy what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from captum.attr import IntegratedGradients
from scipy.ndimage import gaussian_filter

from mlcore.cnn.dataset import to_tensor
from mlcore.cnn.operators import best_device
from mlcore.errors import InvalidInputError
from mlcore.progress import ShouldStop, stop_if_asked

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from mlcore.cnn.model import CnnModel

STEPS: Final = 24
#: Width over which single pixels are blurred, as a share of the image's side.
_BLUR: Final = 0.03
_BRIGHTEST: Final = 99.5
#: Darkest to hottest, over a galaxy in grey.
_WARM: Final = np.array([242.0, 150.0, 40.0])
_STAGE = "looking at"


def attributions(
    model: CnnModel,
    images: NDArray[np.uint8],
    answers: NDArray[np.intp],
    against: NDArray[np.intp],
    *,
    steps: int = STEPS,
    should_stop: ShouldStop | None = None,
) -> NDArray[np.float64]:
    """Return how much each pixel moves the network from one answer to another.

    Parameters
    ----------
    model
        The network, of an ensemble the first; its parameters and mode stay as they are.
    images
        At its size, shape (n, size, size, 3).
    answers, against
        Columns (n,) of the tree: log alpha of the first, less that of the second where the
        two differ, is what is attributed.
    steps
        Points on the way from an empty sky, at least 1.

    Returns
    -------
    ndarray
        Shape (n, size, size); each adds up to about the difference that the image makes.

    Raises
    ------
    InvalidInputError
        For lengths that differ, a column outside the tree, or fewer than 1 step.
    CancelledError
        After `should_stop` said so, between two galaxies.
    """
    _check(model, images, answers, against, steps)
    network, device = model.network.eval().to(best_device()), best_device()

    def log_odds(batch: torch.Tensor, answer: int, other: int) -> torch.Tensor:
        logs: torch.Tensor = network(batch).log()
        return logs[:, answer] - logs[:, other] if other != answer else logs[:, answer]

    sky = to_tensor(np.zeros_like(images[:1]), model.config.bands).to(device)
    found = np.zeros(images.shape[:3])
    for row, (answer, other) in enumerate(zip(answers.tolist(), against.tolist(), strict=True)):
        stop_if_asked(should_stop, _STAGE)
        pixels = to_tensor(images[row : row + 1], model.config.bands).to(device)
        parts = IntegratedGradients(log_odds).attribute(
            pixels, sky, additional_forward_args=(answer, other), n_steps=steps
        )
        found[row] = parts.sum(dim=1)[0].detach().cpu().numpy()
    return found


def heat_picture(image: NDArray[np.uint8], attribution: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return a galaxy in grey with what spoke for the answer in amber.

    Parameters
    ----------
    image
        Shape (size, size, 3).
    attribution
        Shape (size, size); what is negative spoke for the other answer and stays grey. With
        nothing positive, all of it does.

    Returns
    -------
    ndarray
        uint8, shape (size, size, 3).

    Raises
    ------
    InvalidInputError
        For an attribution of another size.
    """
    if attribution.shape != image.shape[:2]:
        raise InvalidInputError(
            f"attribution must be {image.shape[:2]}, the image's, is {attribution.shape}"
        )
    smooth = np.maximum(gaussian_filter(attribution, _BLUR * len(image)), 0.0)
    brightest = np.percentile(smooth, _BRIGHTEST)
    heat = np.clip(smooth / brightest, 0.0, 1.0) if brightest > 0 else np.zeros_like(smooth)
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    mixed = (1.0 - 0.75 * heat[..., None]) * grey + 0.75 * heat[..., None] * _WARM
    return np.asarray(np.clip(mixed + 0.5, 0, 255), dtype=np.uint8)


def _check(
    model: CnnModel,
    images: NDArray[np.uint8],
    answers: NDArray[np.intp],
    against: NDArray[np.intp],
    steps: int,
) -> None:
    if not len(images) == len(answers) == len(against):
        raise InvalidInputError(
            "images, answers and against must be equally many, are "
            f"{len(images)}, {len(answers)} and {len(against)}"
        )
    columns = np.concatenate([answers, against])
    width = len(model.tree.label_cols)
    if ((columns < 0) | (columns >= width)).any():
        raise InvalidInputError(f"answers and against must be from 0 to {width - 1}, are not")
    if steps < 1:
        raise InvalidInputError(f"steps must be at least 1, is {steps}")
