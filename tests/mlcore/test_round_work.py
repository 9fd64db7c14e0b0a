"""How much a round has to do, by its settings; against a count of every step that is made."""

from dataclasses import replace

import pytest

from mlcore import round_encoder
from mlcore.cnn import pretrain
from mlcore.round_plan import RoundConfig
from mlcore.round_work import (
    SAME_SURVEY,
    encoder_settings,
    pretraining_rounds,
    round_work,
    scaled_times,
)
from mlcore.train_config import TrainConfig

TRAIN = TrainConfig(
    epochs=2, steps_per_epoch=3, batch_size=5, image_size=10, pretrain_steps=7,
    pretrain_batch_size=11,
)  # fmt: skip
SECONDS = {"snapshot": 1.0, "train": 60.0, "evaluate": 2.0, "predict": 8.0, "flag": 5.0}


def work(galaxies=100, *, pretrains=False, train=None, **settings):
    config = RoundConfig(train=replace(TRAIN, **(train or {})), **settings)
    return round_work(config, galaxies, pretrains=pretrains)


def counted(config, *, pretrains):
    """Count image by image what the train and the flag stage learn from."""
    train, flag = 0, 0
    for network in range(1 + config.folds):
        for _member in range(config.train.ensemble):
            for _step in range(config.train.epochs * config.train.steps_per_epoch):
                seen = 3 * config.train.batch_size * config.train.image_size**2
                late = network > 0 and not config.calibrate
                train, flag = train + seen * (not late), flag + seen * late
    for _step in range(config.train.pretrain_steps if pretrains else 0):
        train += 3 * config.train.pretrain_batch_size * config.train.image_size**2
    return train, flag


@pytest.mark.parametrize("pretrains", [True, False])
@pytest.mark.parametrize("calibrate", [True, False])
@pytest.mark.parametrize("ensemble", [1, 2])
@pytest.mark.parametrize("folds", [3, 9])
def test_training_is_counted_where_it_happens(folds, ensemble, calibrate, pretrains):
    config = RoundConfig(train=replace(TRAIN, ensemble=ensemble), folds=folds, calibrate=calibrate)
    found = round_work(config, 100, pretrains=pretrains)
    assert (found.training, found.later_training) == counted(config, pretrains=pretrains)


@pytest.mark.parametrize(
    ("train", "looks"),
    [
        ({}, 8 + 2),
        ({"average_views": 1}, 1 + 1),
        ({"lookalikes": False}, 8),
        ({"ensemble": 3}, 3 * 8 + 2),
        ({"image_size": 20}, 4 * (8 + 2)),
    ],
)
def test_every_galaxy_is_looked_at_by_every_network_and_its_lookalikes(train, looks):
    assert work(train=train).looking == 100 * 10**2 * looks


def test_galaxies_are_told_apart_by_one_network_whatever_the_ensemble():
    assert work(train={"ensemble": 3}).judging == 100 * 10**2 * 8


def test_a_frozen_encoder_is_not_learned_back_through():
    frozen = work(train={"training_mode": "head_only"})
    assert 3 * frozen.training == work().training


def test_objectives_that_compare_two_views_look_twice():
    plain, two = (
        work(pretrains=True, train={"pretrain_objective": name}).training - work().training
        for name in ("shapes", "contrastive")
    )
    assert two == 2 * plain


class TestTimes:
    def test_the_same_work_takes_the_same_time(self):
        assert scaled_times(SECONDS, work(), work()) == SECONDS

    def test_more_folds_are_trained_in_the_train_stage(self):
        found = scaled_times(SECONDS, work(folds=3), work(folds=9))
        assert found == {**SECONDS, "train": 60 * 10 / 4}

    def test_without_calibration_they_are_trained_in_the_flag_stage(self):
        found = scaled_times(SECONDS, work(folds=3), work(folds=3, calibrate=False))
        assert found == {**SECONDS, "train": 15.0, "flag": 5.0 + 45.0}

    def test_and_back(self):
        then = work(folds=3, calibrate=False)
        seconds = {**SECONDS, "train": 15.0, "flag": 50.0}
        assert scaled_times(seconds, then, work(folds=3)) == SECONDS

    def test_views_and_galaxies_count_where_galaxies_are_predicted(self):
        found = scaled_times(SECONDS, work(), work(200, train={"average_views": 1}))
        assert found == {
            "snapshot": 2.0, "train": 60.0, "evaluate": 0.8, "predict": 3.2, "flag": 1.25,
        }  # fmt: skip

    def test_a_survey_without_galaxies_takes_no_time_but_to_train(self):
        found = scaled_times(SECONDS, work(), work(0))
        assert found == {**dict.fromkeys(SECONDS, 0.0), "train": 60.0}


class TestPretraining:
    @pytest.mark.parametrize(
        ("rounds", "found"),
        [
            ([], []),
            ([({}, 100), ({}, 100), ({"epochs": 9}, 125)], [True, False, False]),
            ([({}, 100), ({}, 126), ({}, 130)], [True, True, False]),
            ([({}, 100), ({}, 110), ({}, 130)], [True, False, True]),
            ([({}, 100), ({"encoder": "resnet18"}, 100), ({}, 100)], [True, True, True]),
            ([({}, 100), ({"pretrain_steps": 0}, 100), ({}, 100)], [True, False, False]),
            ([({"encoder": "hf_hub:mwalmsley/zoobot-encoder-convnext_nano"}, 100)], [False]),
        ],
    )
    def test_is_done_where_no_encoder_serves(self, rounds, found):
        given = [(replace(TRAIN, **changes), galaxies) for changes, galaxies in rounds]
        assert pretraining_rounds(given) == found

    def test_goes_by_what_the_round_goes_by(self):
        assert encoder_settings(TRAIN) == pretrain.encoder_settings(TRAIN)
        assert round_encoder.SAME_SURVEY == SAME_SURVEY
