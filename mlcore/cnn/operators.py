"""What must be set before torch and torchvision are imported, and where they compute.

Where torchvision comes without compiled operators, its own import registers shapes for
``nms`` and fails because nothing declared it; we declare it. Nothing here calls it.

OpenMP's threads spin while they wait. Beside a web server on two cores that makes a
training step up to a hundred times slower, so we ask them to sleep; who sets
``OMP_WAIT_POLICY`` decides otherwise.
"""

from __future__ import annotations

import os
from typing import Final

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


#: Kept alive: the schemas vanish with the object that declared them.
LIBRARY: Final = _define_missing()
