"""Learning that came to nothing: what is no longer finite stops it, and is never kept."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from mlcore.errors import FitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def is_finite(tensors: Iterable[torch.Tensor]) -> bool:
    """Whether all numbers of tensors on one device are finite; the device is waited for once."""
    finite = [each.isfinite().all() for each in tensors if each.is_floating_point()]
    return not finite or bool(torch.stack(finite).all())


def require_convergence(
    setting: str,
    rate: float,
    *,
    step: int,
    losses: Mapping[str, float],
    weights: Iterable[torch.Tensor] = (),
    hint: str = "",
) -> None:
    """Raise FitError, naming the setting and the step, unless all there is to see is finite.

    Parameters
    ----------
    setting, rate
        The learning rate's name in `mlcore.train_config.TrainConfig`, and its value.
    step
        Steps done.
    losses
        What they are called, and their values.
    weights
        Tensors on one device; none where only losses are looked at, which is quicker.
    hint
        What else may be at fault.
    """
    found = [f"{name} is {loss}" for name, loss in losses.items() if not math.isfinite(loss)]
    if not found and not is_finite(weights):
        found = ["a weight is not finite"]
    if found:
        raise FitError(
            f"{setting} must be small enough to converge, is {rate:g}: by step {step} {found[0]}; "
            f"start again with a smaller one{hint}"
        )
