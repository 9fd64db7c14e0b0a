"""The encoder that rounds start from, learned from a survey's images and kept between rounds.

A survey that has hardly changed keeps it as it is; one that has grown goes on from it, so that
what was learned from the first images is not learned again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlcore.cnn.encoder import encoder_of
from mlcore.cnn.hub import fetch_published
from mlcore.cnn.pretrain import encoder_settings, pretrain
from mlcore.cnn.weights import are_whole_weights, file_sha256
from mlcore.errors import ArtefactError
from mlcore.files import read_json, write_json
from mlcore.round_work import SAME_SURVEY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlcore.images import ImageCache
    from mlcore.round_files import RoundFiles
    from mlcore.train_config import TrainConfig

# Rounds share one pretrained encoder, so its randomness is none of theirs.
_SEED = 0
_SKETCH = 512


def pretrained(
    files: RoundFiles, cache: ImageCache, stage: str, start: float, end: float
) -> Path | None:
    """Return the encoder pretrained without labels, for the stage's progress from start to end.

    None where published weights serve, or the settings ask for no pretraining.

    It is kept between the rounds of a survey while `SAME_SURVEY` holds. When that has ended, all
    `pretrain_steps` are made again, from the encoder that there was; after other settings of the
    encoder or of pretraining, from random weights.

    Raises
    ------
    FitError
        Where pretraining does not converge; the encoder before it stays.
    CancelledError
        When the round was asked to stop.
    """
    config = files.plan.config.train
    # Here, where the round can be stopped meanwhile; whoever needs the encoder asks after this.
    fetch_published(config.encoder, should_stop=files.should_stop)
    if config.pretrain_steps == 0 or encoder_of(config)[1].source == "hub":
        return None
    kept = _KeptEncoder(files.plan.shared / "pretrained", config)
    if not kept.serves(cache.ids):
        kept.set_aside()
        pretrain(
            cache,
            config,
            directory=kept.directory,
            seed=_SEED,
            on_progress=files.part(stage, start, end),
            should_stop=files.should_stop,
            start_from=kept.earlier(),
        )
        kept.remember(cache.ids)
    return kept.weights


@dataclass(frozen=True)
class _KeptEncoder:
    """A folder with the encoder, what it was learned from, and the one before it.

    A kill between any two steps costs work, and never makes one encoder pass for another: what
    is written of an encoder names its checksum.
    """

    directory: Path
    config: TrainConfig

    @property
    def weights(self) -> Path:
        return self.directory / "encoder.safetensors"

    def serves(self, ids: Sequence[str]) -> bool:
        """Whether the encoder is there, with these settings, for a survey of these galaxies."""
        known = self._known(self.weights)
        return known is not None and similarity(known["galaxies"], sketch(ids)) >= SAME_SURVEY

    def earlier(self) -> Path | None:
        """Return the encoder to go on from, or None."""
        path = self.directory / "earlier.safetensors"
        return None if self._known(path) is None else path

    def set_aside(self) -> None:
        """Make the encoder the earlier one, if it can be gone on from."""
        if self._known(self.weights) is None:
            return
        self.weights.replace(self.directory / "earlier.safetensors")
        _told(self.weights).replace(self.directory / "earlier.survey.json")

    def remember(self, ids: Sequence[str]) -> None:
        """Write down what the encoder was learned from."""
        known = {"settings": encoder_settings(self.config), "sha256": file_sha256(self.weights)}
        write_json(_told(self.weights), {**known, "galaxies": sketch(ids)})

    def _known(self, weights: Path) -> dict[str, Any] | None:
        """Return what is written of an encoder; None unless it is whole and of these settings."""
        try:
            known = read_json(_told(weights))
            is_ours = known["settings"] == encoder_settings(self.config)
            is_whole = known["sha256"] == file_sha256(weights) and are_whole_weights(weights)
        except (ArtefactError, KeyError, OSError):
            return None
        return known if is_ours and is_whole else None


def _told(weights: Path) -> Path:
    return weights.with_suffix(".survey.json")


def sketch(ids: Sequence[str]) -> list[str]:
    """Return up to 512 hashes by which two sets of galaxies can be compared: the smallest.

    Broder 1997, "On the resemblance and containment of documents".
    """
    hashes = {hashlib.sha256(each.encode()).hexdigest()[:16] for each in ids}
    return sorted(hashes)[:_SKETCH]


def similarity(one: Sequence[str], other: Sequence[str]) -> float:
    """Return the share of two surveys' galaxies that is in both, from their sketches.

    Exact up to 512 galaxies in all, and within about 0.02 (one sigma) beyond; 1 for two that
    are empty.
    """
    both = set(one) & set(other)
    smallest = sorted({*one, *other})[:_SKETCH]
    return sum(each in both for each in smallest) / len(smallest) if smallest else 1.0
