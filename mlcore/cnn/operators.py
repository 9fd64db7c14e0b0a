"""What must be set before torch and torchvision are imported, and where they compute.

Where torchvision comes without compiled operators, its own import registers shapes for
``nms`` and fails because nothing declared it; we declare it. Nothing here calls it.

OpenMP's threads spin while they wait. Beside a web server on two cores that makes a
training step up to a hundred times slower, so we ask them to sleep; who sets
``OMP_WAIT_POLICY`` decides otherwise.
"""

from __future__ import annotations

import os
from typing import Final, Literal

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

_SCHEMAS: Final = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def _define_missing() -> torch.library.Library:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        if not hasattr(torch.ops.torchvision, schema.split("(")[0]):
            library.define(schema)
    return library


def best_device() -> torch.device:
    """Return the first graphics card, or the processor where there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def lightning_precision(precision: str) -> Literal["32-true", "bf16-mixed"]:
    """Return Lightning's name of `TrainConfig.precision`.

    ``auto`` is half precision where the graphics card computes in it. A processor only
    imitates it: a training step took ten times as long.
    """
    fast = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return "bf16-mixed" if precision == "bf16" or (precision == "auto" and fast) else "32-true"


#: Kept alive: the schemas vanish with the object that declared them.
LIBRARY: Final = _define_missing()
