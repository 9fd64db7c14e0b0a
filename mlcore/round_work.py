"""How much the stages of a round have to do: what their times are in proportion to.

Networks are counted by the pixels that pass through them. It knows neither how fast a machine is
nor what an encoder costs: both must be the same where times are compared.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlcore.round_plan import RoundConfig
    from mlcore.train_config import TrainConfig

#: A survey is the same while this share of its galaxies, old and new together, is in both.
SAME_SURVEY: Final = 0.8
# Forward and back is about three times the work of forward.
_LEARNING: Final = 3
# How the settings of TrainConfig that a pretrained encoder depends on start.
_OF_ENCODER: Final = ("encoder", "image_size", "crop_fraction", "bands", "pretrain")
_HAS_WEIGHTS: Final = "hf_hub:"
_TWO_VIEWS: Final = ("contrastive", "decorrelated")


@dataclass(frozen=True)
class RoundWork:
    """What a round has to do.

    Attributes
    ----------
    training
        Pixels that the train stage learns from, each as often as networks look at it.
    later_training
        Those that the flag stage learns from: none where the train stage has trained the folds.
    looking
        Pixels that networks look at to predict every galaxy.
    judging
        Those that one network looks at: of galaxies, before any vote, to tell them apart.
    galaxies
        Galaxies of the survey.
    """

    training: int
    later_training: int
    looking: int
    judging: int
    galaxies: int


def round_work(config: RoundConfig, galaxies: int, *, pretrains: bool) -> RoundWork:
    """Return what a round with these settings has to do.

    Parameters
    ----------
    config
        Its settings.
    galaxies
        Galaxies of the survey; 0 leaves nothing to predict.
    pretrains
        Whether no encoder is kept that it can start from; see `pretraining_rounds`.
    """
    train = config.train
    pixels = train.image_size**2
    steps = train.epochs * train.steps_per_epoch * train.batch_size
    often = _LEARNING if train.training_mode == "full" else 1
    network = train.ensemble * steps * often * pixels
    folds = config.folds * network
    views = train.ensemble * train.average_views
    if train.lookalikes:
        views += min(train.average_views, 2)
    return RoundWork(
        training=network + folds * config.calibrate + _pretraining(train) * pixels * pretrains,
        later_training=folds * (not config.calibrate),
        looking=galaxies * views * pixels,
        judging=galaxies * train.average_views * pixels,
        galaxies=galaxies,
    )


def _pretraining(train: TrainConfig) -> int:
    views = 2 if train.pretrain_objective in _TWO_VIEWS else 1
    return train.pretrain_steps * train.pretrain_batch_size * views * _LEARNING


def scaled_times(seconds: Mapping[str, float], then: RoundWork, now: RoundWork) -> dict[str, float]:
    """Return stage to seconds for the work `now`, where that of `then` took `seconds`.

    The folds' networks cost what a network costs in the train stage, in whichever stage they are
    trained. Stages that run no network go by the galaxies.

    Parameters
    ----------
    seconds
        Stage to seconds, ``train`` and ``flag`` among them.
    then, now
        `then` has training and galaxies.
    """
    of = {
        "train": now.training / then.training,
        "evaluate": now.looking / then.looking,
        "predict": now.looking / then.looking,
    }
    larger = now.galaxies / then.galaxies
    found = {name: taken * of.get(name, larger) for name, taken in seconds.items()}
    a_pixel = seconds["train"] / then.training
    rest = max(0.0, seconds["flag"] - a_pixel * then.later_training)
    judged = rest * now.judging / then.judging
    return {**found, "flag": judged + a_pixel * now.later_training}


def encoder_settings(train: TrainConfig) -> dict[str, Any]:
    """Return the settings, as JSON values, that a pretrained encoder depends on."""
    names = [each.name for each in fields(train) if each.name.startswith(_OF_ENCODER)]
    return {name: getattr(train, name) for name in names}


def pretraining_rounds(rounds: list[tuple[TrainConfig, int]]) -> list[bool]:
    """Return which of a workflow's rounds had to pretrain, by settings and galaxies in order.

    The others went on with the encoder that was kept (`mlcore.round_encoder`), asked for none, or
    for weights from a hub. An encoder serves a survey that has grown or shrunk by a fifth at most;
    galaxies that were replaced by others are not noticed here.
    """
    found, kept, of = [], None, 0
    for train, galaxies in rounds:
        wants = train.pretrain_steps > 0 and not train.encoder.startswith(_HAS_WEIGHTS)
        serves = kept == encoder_settings(train) and _is_same(of, galaxies)
        found.append(wants and not serves)
        if found[-1]:
            kept, of = encoder_settings(train), galaxies
    return found


def _is_same(one: int, other: int) -> bool:
    return min(one, other) >= SAME_SURVEY * max(one, other)
