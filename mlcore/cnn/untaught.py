"""What galaxies look like to an encoder that no vote has taught.

Its weights are pretrained on the survey's own images, or published; beside them stand shape
features. Look-alikes (`mlcore.cnn.lookalikes`) and the search for mislabels go by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from mlcore.cnn.dataset import dihedral_views, to_tensor
from mlcore.cnn.encoder import encoder_of
from mlcore.cnn.operators import best_device
from mlcore.cnn.weights import load_weights
from mlcore.memory import keeping_freed_memory
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.cnn.config import TrainConfig
    from mlcore.cnn.shapes import ShapeFeatures
    from mlcore.images import ImageCache

_STAGE: Final = "lookalikes"


class Untaught(torch.nn.Module):
    """Features (n, D) of standardised images that owe nothing to any vote.

    Parameters
    ----------
    encoder
        Pretrained without this survey's votes; None where there is none, since random
        weights say little of a galaxy.
    shapes
        Fitted to unlabelled images; None where the settings leave them out. One of the two
        must be there.
    """

    def __init__(self, encoder: torch.nn.Module | None, shapes: ShapeFeatures | None) -> None:
        super().__init__()
        self.encoder, self.shapes = encoder, shapes
        # Any, because torch's stubs do not know that a module takes a memory format.
        whole: Any = self
        whole.to(memory_format=torch.channels_last)
        self.eval()

    @torch.inference_mode()
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the features (n, D) of images (n, channels, size, size)."""
        parts = [part(images) for part in (self.encoder, self.shapes) if part is not None]
        return torch.cat(parts, dim=1)

    def sides(self, images: torch.Tensor, views: int) -> NDArray[np.float32]:
        """Return features (n, S, D), averaged over the views of a side.

        S is 2 with 2 or 8 views, the galaxy and its mirror image; with 1 or 4 it is 1. See
        `mlcore.cnn.dataset.dihedral_views`.
        """
        self.eval().to(best_device())
        found: dict[bool, list[torch.Tensor]] = {}
        for view, flipped in dihedral_views(images.to(best_device()), views):
            found.setdefault(flipped, []).append(self(view))
        seen = torch.stack([torch.stack(each).mean(dim=0) for each in found.values()], dim=1)
        return np.asarray(seen.cpu().numpy())

    def of_rows(
        self,
        cache: ImageCache,
        rows: NDArray[np.intp],
        config: TrainConfig,
        views: int,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> NDArray[np.float32]:
        """Return the features (n, S, D) of rows (n,) of the cache, n >= 1; see `sides`.

        Raises
        ------
        CancelledError
            After `should_stop` said so.
        """
        size, seen = config.predict_batch_size, []
        with keeping_freed_memory():
            for start in range(0, len(rows), size):
                stop_if_asked(should_stop, _STAGE)
                part = rows[start : start + size]
                seen.append(self.sides(to_tensor(cache.images[part], config.bands), views))
                done = start + len(part)
                said = f"{done:,} of {len(rows):,} galaxies looked at"
                report(on_progress, _STAGE, done / len(rows), said)
        return np.concatenate(seen)


def untaught(
    config: TrainConfig, shapes: ShapeFeatures | None, start_from: Path | None
) -> Untaught | None:
    """Return what a network with these settings knows before it has seen a vote.

    Parameters
    ----------
    config
        Names the encoder.
    shapes
        Of the network, fitted; they are no votes' work either.
    start_from
        The encoder's weights, from `mlcore.cnn.pretrain.pretrain`; None takes published
        ones where the hub gives them.

    Returns
    -------
    Untaught or None
        None where there are neither weights nor shape features.

    Raises
    ------
    ArtefactError
        Where `start_from` does not hold this encoder.
    """
    # The caller's random numbers must not notice weights that are overwritten.
    with torch.random.fork_rng(devices=[]):
        encoder, origin = encoder_of(config)
    if start_from is not None:
        load_weights(encoder, start_from)
    elif origin.source == "scratch":
        return None if shapes is None else Untaught(None, shapes)
    return Untaught(encoder, shapes)
