"""Every setting of pretraining, training and prediction, in one value.

It stands outside `mlcore.cnn`, which brings torch, so that the web process can check the
settings of a round.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Self

from mlcore.errors import InvalidInputError

_AT_LEAST_ONE = (
    "batch_size",
    "epochs",
    "steps_per_epoch",
    "patience",
    "predict_batch_size",
    "ensemble",
)
_CHOICES = {
    "average_views": (1, 4, 8),
    "training_mode": ("full", "head_only"),
    "precision": ("auto", "32", "bf16"),
    "pretrain_objective": ("shapes", "contrastive", "decorrelated", "masked", "reconstruction"),
}
_POSITIVE = ("learning_rate", "pretrain_learning_rate", "pretrain_temperature")
_NOT_NEGATIVE = ("weight_decay", "zoom", "shift", "brightness", "pretrain_steps")
_FRACTIONS = ("class_balance", "lookalike_balance", "head_dropout")


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one network.

    The defaults are for few labels on real survey images.

    Attributes
    ----------
    encoder
        A name that `mlcore.cnn.encoder.make_encoder` takes.
    image_size, crop_fraction
        Side in pixels, and the central part of the original's side: what the image cache
        must have been built with.
    bands
        Which colour planes the network sees and in which order: letters of ``rgb``, each
        at most once.
    shape_features
        Let the head see shape features that need no training beside the encoder's; see
        `mlcore.cnn.shapes`.
    lookalikes
        Let a regression of the votes on features that no vote has taught have a say beside
        the network; see `mlcore.cnn.lookalikes`. They look at a galaxy and its mirror image,
        which takes a quarter of the time that the network's 8 views do.
    ensemble
        Networks trained from seeds of their own, whose answers are mixed: the more they
        differ about a galaxy, the less sure they are together. Costs as many times the
        training and prediction.
    precision
        ``auto`` computes in half precision where a graphics card is fast at it; ``32``
        never, ``bf16`` always.
    batch_size
        Galaxies per step, at least 2 (batch normalisation needs two).
    epochs, steps_per_epoch
        An epoch is `steps_per_epoch` random batches, however many galaxies there are, so
        that few labels get as many steps as many labels do.
    learning_rate, weight_decay, layer_decay
        AdamW, with the peak of a one-cycle schedule; each layer below the head has its
        rate multiplied by `layer_decay` once more.
    head_dropout
        Dropout before Zoobot's Dirichlet head, in [0, 1).
    training_mode
        ``full``, or ``head_only`` with the encoder frozen, its batch statistics included.
    patience
        Epochs without a better validation loss before training stops; without effect where
        `validation_fraction` is 0, as by default, or sets fewer than 10 galaxies apart.
    validation_fraction
        Part of the rows that decides when to stop, in [0, 0.5]; 0 trains to the end.
    class_balance
        0 draws galaxies evenly; 1 draws each answer to the first question equally often;
        between, in proportion to (answer's frequency) ** -class_balance.
    lookalike_balance
        The same for the votes that look-alikes learn from. They name rare answers less often
        than a network with the same balance, and so want more of it.
    mirror
        Train on left-right flips too, with the votes of handed answers swapped.
    zoom, shift, brightness
        Widths of the random changes: log scale, fraction of the side, log factor.
    average_views
        Views that predictions are averaged over: 1, 4 (quarter turns) or 8 (and flips).
    predict_batch_size
        Galaxies per step of prediction.
    pretrain_objective, pretrain_steps, pretrain_batch_size, pretrain_learning_rate
        Pretraining on unlabelled images; see `mlcore.cnn.pretrain`. With 0 steps an encoder
        without published weights starts from random ones.
    pretrain_temperature
        Of the contrastive objective.
    """

    encoder: str = "resnet10t"
    image_size: int = 64
    crop_fraction: float = 0.625
    bands: str = "rgb"
    shape_features: bool = True
    lookalikes: bool = True
    ensemble: int = 1
    precision: Literal["auto", "32", "bf16"] = "auto"
    batch_size: int = 64
    epochs: int = 15
    steps_per_epoch: int = 40
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    layer_decay: float = 1.0
    head_dropout: float = 0.2
    training_mode: Literal["full", "head_only"] = "full"
    patience: int = 15
    validation_fraction: float = 0.0
    class_balance: float = 0.3
    lookalike_balance: float = 0.5
    mirror: bool = True
    zoom: float = 0.15
    shift: float = 0.05
    brightness: float = 0.1
    average_views: Literal[1, 4, 8] = 8
    predict_batch_size: int = 64
    pretrain_objective: Literal[
        "shapes", "contrastive", "decorrelated", "masked", "reconstruction"
    ] = "shapes"
    pretrain_steps: int = 350
    pretrain_batch_size: int = 128
    pretrain_learning_rate: float = 2e-3
    pretrain_temperature: float = 0.2

    def __post_init__(self) -> None:
        self._check_types()
        for name in _AT_LEAST_ONE:
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in _POSITIVE:
            self._require(name, getattr(self, name) > 0, "more than 0")
        for name in _NOT_NEGATIVE:
            self._require(name, getattr(self, name) >= 0, "at least 0")
        for name in _FRACTIONS:
            self._require(name, 0 <= getattr(self, name) <= 1, "in [0, 1]")
        self._check_ranges()

    def _check_types(self) -> None:
        for field in fields(self):
            value, kind = getattr(self, field.name), type(field.default)
            allowed = (int, float) if kind is float else (kind,)
            is_number_as_asked = isinstance(value, bool) == (kind is bool)
            fits = isinstance(value, allowed) and is_number_as_asked and value == value  # noqa: PLR0124
            self._require(field.name, fits, f"a {kind.__name__}")

    def _check_ranges(self) -> None:
        self._require("image_size", self.image_size >= 8, "at least 8")
        self._require("crop_fraction", 0 < self.crop_fraction <= 1, "in (0, 1]")
        self._require("batch_size", self.batch_size >= 2, "at least 2")
        self._require("pretrain_batch_size", self.pretrain_batch_size >= 2, "at least 2")
        self._require("layer_decay", 0 < self.layer_decay <= 1, "in (0, 1]")
        self._require("validation_fraction", 0 <= self.validation_fraction <= 0.5, "in [0, 0.5]")
        planes = set(self.bands) <= set("rgb") and len(set(self.bands)) == len(self.bands)
        self._require("bands", bool(self.bands) and planes, "letters of 'rgb', each once")
        for name, choices in _CHOICES.items():
            *first, last = map(repr, choices)
            rule = f"{', '.join(first)} or {last}"
            self._require(name, getattr(self, name) in choices, rule)

    def _require(self, name: str, holds: bool, rule: str) -> None:
        if not holds:
            raise InvalidInputError(f"{name} must be {rule}, is {getattr(self, name)!r}")

    @classmethod
    def small(cls) -> Self:
        """Return settings for a drawn survey of about 1,500 galaxies, in seconds on 2 cores."""
        return cls(
            encoder="test_resnet",
            crop_fraction=1.0,
            epochs=8,
            class_balance=0.0,
            lookalike_balance=0.0,
            average_views=4,
            pretrain_steps=60,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        """Return the settings of `document`; what it leaves out has its default.

        Raises
        ------
        InvalidInputError
            For a name that is no setting, or a value outside its rule.
        """
        unknown = sorted(set(document) - {field.name for field in fields(cls)})
        if unknown:
            raise InvalidInputError(f"{unknown[0]} must be a setting of TrainConfig, is unknown")
        return replace(cls(), **document)
