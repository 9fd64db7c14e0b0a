"""What a round is to do: its settings, and everything else that it depends on.

This module imports neither torch nor gpytorch, so that the web process can check the
settings of a round before a worker sees them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mlcore.errors import InvalidInputError
from mlcore.stages import file_checksum, json_checksum
from mlcore.train_config import TrainConfig

if TYPE_CHECKING:
    from mlcore.tree import DecisionTree

# Each has a file in `mlcore.gp.acquisition`, but for "design": `mlcore.gp.vote_design`.
ACQUISITION_RULES = ("design", "information", "bald", "entropy", "margin", "random")
_AT_LEAST = {
    "min_training_subjects": 2,
    "min_held_out_subjects": 2,
    "bootstrap_draws": 100,
    "dimensions": 1,
    "draws": 2,
    "expected_votes": 1,
    "batch": 1,
    "retirement_votes": 1,
    "folds": 2,
    "min_flag_votes": 1,
    "review_at_least": 0,
}


PREVIOUS = "previous"
"""What the evaluate stage calls, among its inputs, the model that it compared with."""


def model_checksum(folder: Path) -> str:
    """Return the SHA-256 of a model's ``model.json``, which names that of its weights.

    Raises
    ------
    ArtefactError
        Where the file can not be read.
    """
    return file_checksum(folder / "model.json")


@dataclass(frozen=True)
class RoundConfig:
    """Settings of one round.

    Attributes
    ----------
    train
        Settings of the network.
    min_training_subjects
        Galaxies outside the control panel that must have votes.
    min_held_out_subjects
        Galaxies of the control panel that must have votes.
    bootstrap_draws
        Resamplings of the held-out galaxies behind the gate's interval.
    gate_margin
        How much worse than the model before, in nats per vote, a model may be and still
        count as not worse; at least 0.
    dimensions
        Principal components of the representation that the Gaussian process sees.
    acquisition
        Rule that says which galaxies to ask about next: one of `ACQUISITION_RULES`.
    draws
        Posterior draws behind each score of the rule ``bald``.
    expected_votes
        Votes that a galaxy is expected to get once it is asked about.
    batch
        Galaxies to ask about next, chosen to differ from each other; under ``design``, that
        many times `expected_votes` votes, on as many galaxies as they do most good on.
    retirement_votes
        Votes after which a galaxy is asked about no more.
    folds
        Networks trained on part of the galaxies, so that each galaxy is judged by one
        that never saw it.
    calibrate
        Whether concentrations are scaled to be as sure as votes on unseen galaxies allow;
        the networks of the folds are trained for it before the model is judged.
    min_flag_votes
        Volunteers who must have seen a galaxy before it can be flagged.
    false_discovery_rate
        Expected share of flags that are false, in (0, 1).
    review_at_least
        Galaxies that experts are asked about, the most doubtful first, even where the
        rate flags fewer; each shows its own expected share of false alarms.
    """

    train: TrainConfig = field(default_factory=TrainConfig)
    min_training_subjects: int = 20
    min_held_out_subjects: int = 5
    bootstrap_draws: int = 1000
    gate_margin: float = 0.02
    dimensions: int = 40
    acquisition: str = "design"
    draws: int = 32
    expected_votes: int = 5
    batch: int = 200
    retirement_votes: int = 40
    folds: int = 3
    calibrate: bool = True
    min_flag_votes: int = 3
    false_discovery_rate: float = 0.05
    review_at_least: int = 0

    def __post_init__(self) -> None:
        for name, minimum in _AT_LEAST.items():
            value = getattr(self, name)
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            if not is_whole or value < minimum:
                raise InvalidInputError(
                    f"{name} must be a whole number of at least {minimum}, is {value!r}"
                )
        if self.acquisition not in ACQUISITION_RULES:
            known = ", ".join(ACQUISITION_RULES)
            raise InvalidInputError(f"acquisition must be one of {known}, is {self.acquisition!r}")
        if not isinstance(self.calibrate, bool):
            raise InvalidInputError(f"calibrate must be true or false, is {self.calibrate!r}")
        margin, rate = self.gate_margin, self.false_discovery_rate
        if not isinstance(margin, (int, float)) or not 0 <= margin < float("inf"):
            raise InvalidInputError(f"gate_margin must be finite and at least 0, is {margin!r}")
        if not isinstance(rate, float) or not 0 < rate < 1:
            raise InvalidInputError(f"false_discovery_rate must be in (0, 1), is {rate!r}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; the inverse of `from_dict`."""
        return {**asdict(self), "train": self.train.to_dict()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Return the settings of `document`; what it leaves out has its default.

        Raises
        ------
        InvalidInputError
            For a name that is no setting, or a value outside its rule.
        """
        given = dict(document)
        unknown = sorted(set(given) - {setting.name for setting in fields(cls)})
        if unknown:
            raise InvalidInputError(f"{unknown[0]} must be a setting of a round, is unknown")
        train = given.pop("train", {})
        if not isinstance(train, Mapping):
            raise InvalidInputError(f"train must be an object of settings, is {train!r}")
        return replace(cls(train=TrainConfig.from_dict(dict(train))), **given)


@dataclass(frozen=True)
class RoundPlan:
    """Everything that one round depends on, besides its input files.

    Attributes
    ----------
    tree
        The questions.
    seed
        Where all the round's randomness comes from.
    config
        The settings.
    shared
        Folder kept between rounds: the image cache, and the encoder pretrained without
        labels.
    images
        Folder that the input's image paths are relative to. The catalogue's checksum is
        then the same on every machine.
    previous_model
        Folder of the model to beat, or None.
    code_version
        What code runs the round; recorded, not used.
    """

    tree: DecisionTree
    seed: int
    config: RoundConfig
    shared: Path
    images: Path = Path()
    previous_model: Path | None = None
    code_version: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise InvalidInputError(f"seed must be in [0, 2**32), is {self.seed}")

    @property
    def checksum(self) -> str:
        """SHA-256 of the tree, the seed and the settings."""
        parts = {"tree": self.tree.checksum, "seed": self.seed, "config": self.config.to_dict()}
        return json_checksum(parts)
