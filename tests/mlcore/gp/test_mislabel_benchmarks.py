"""The benchmarks of mislabels, on a few drawn galaxies."""

import importlib
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """Return a function that imports one of the benchmark's modules, with a folder of its own."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(importlib.import_module("_planted"), "KEPT", tmp_path)
    return importlib.import_module


@pytest.fixture
def galaxies(bench):
    return bench("_planted").drawn_galaxies(300, 5)


def test_the_planted_are_as_many_as_said_and_mislead(bench, galaxies):
    planted = bench("_planted")
    for kind in planted.KINDS:
        spoilt = planted.spoil(galaxies, kind, 1)
        assert spoilt.wrong.sum() == round(planted.SHARE * 300)
        if kind != "low votes":
            assert (spoilt.labels != galaxies.truth)[spoilt.wrong].all()


def test_everybody_scores_the_same_galaxies(bench, galaxies):
    trials = bench("_mislabel_trials")
    trial = trials.run(galaxies, "careless volunteers", 1)
    assert {"ours", "self_confidence, forest", "CROWDLAB, joined"} <= trial.scores.keys()
    for name in trial.scores:
        assert 0 < trial.average_precision(name) <= 1
        assert 0 <= trial.recall(name) <= 1


def trial_of(bench, flagged, wrong):
    masks = {rate: np.isin(np.arange(6), flagged) for rate in (0.1, 0.2)}
    return bench("_mislabel_trials").Trial(
        np.isin(np.arange(6), wrong), {}, masks, np.zeros(6, dtype=bool), 0.1
    )


def test_flags_are_counted_by_what_was_planted_and_what_was_suspect_before(bench):
    trial, published = trial_of(bench, [0, 1, 2, 3], [0, 5]), np.array([0.9, 0.05, 0.3, 0.5, 1, 1])
    assert bench("mislabels")._counts(trial, 0.1, published) == (4, 1, 2, 0.8)


def with_ids(read):
    return {objid: row | {"objid": objid} for objid, row in read.items()}


def test_a_flag_is_right_where_two_of_three_readers_see_another_class(bench):
    readings = bench("mislabel_readings")

    class Six:
        ids = tuple("abcdef")
        truth = np.array([2, 2, 2, 1, 0, 0])

    def seen(*three, why="flagged"):
        return dict(zip(readings.READERS, three, strict=True)) | {"why": why}

    read = {
        "a": seen("disc", "disc", "edge-on"),
        "b": seen("elliptical", "edge-on", "elliptical"),
        "c": seen("disc", "edge-on", "edge-on"),
        "d": seen("disc", "unsure", "merger"),
        "e": seen("spiral", "disc", "edge-on", why="control"),
    }
    wrong = [readings._called_wrong(Six, read, rule) for rule in (readings.NAMES, readings.BUTTONS)]
    assert [each.tolist() for each in wrong] == [
        [True, True, False, False, True, False],
        [False, True, False, False, True, False],
    ]
    trials = [trial_of(bench, [0, 1, 3, 5], [3]), trial_of(bench, [0, 1, 3, 5], [3])]
    was_read = np.isin(Six.ids, list(read))
    row = readings._row("uniform flips", 0.1, trials, was_read, wrong)
    assert (row["flags a seed"], row["not planted"], row["not read"]) == ("4.0", "3", "2")
    assert row["planted"].startswith("0.25 ")
    assert row["or another class by name"].startswith("0.75 ")
    assert row["or by button"].startswith("0.50 ")
    assert readings._controls(Six, read, wrong)["or by button"] == "1.00"
    told = {row["kind"]: row["not planted"] for row in readings._told(Six, with_ids(read))}
    assert told["first and second reader agree"] == "0.20"
    assert told["edge-on, flagged, called discs"] == "1 of 3"
    assert told["edge-on, control, called discs"] == "0 of 0"


def test_every_reading_is_a_class_or_none(bench):
    readings = bench("mislabel_readings")
    rows = list(readings.csv.DictReader(readings.READINGS.read_text().splitlines()))
    assert len({row["objid"] for row in rows}) == 106
    assert sum(row["why"] == "control" for row in rows) == 53
    said = {row[reader] for row in rows for reader in readings.READERS}
    assert said == {*readings.NAMES, "merger", "unsure"}


def test_a_review_of_all_finds_all(bench):
    wrong = np.arange(100) < 7
    share = bench("mislabel_reviews").audited(wrong, np.arange(100), np.random.default_rng(0))
    assert share.lower <= 0.07 <= share.upper


def test_the_interval_of_a_share_is_that_of_its_seeds(bench):
    share = bench("mislabels").share
    assert share(np.array([3.0, 3.0]), np.array([4.0, 4.0])) == "0.75 (0.75 to 0.75)"
    # Residuals are -1 and 1: 12.706 * sqrt(2 * 2) / 8 beside a ratio of 6 / 8.
    assert share(np.array([2.0, 4.0]), np.array([4.0, 4.0])) == "0.75 (-2.43 to 3.93)"
    assert share(np.array([1.0]), np.array([4.0])) == "0.25 (0.25 to 0.25)"


def test_a_mended_survey_has_only_what_was_not_flagged_wrong(bench, galaxies):
    reviews = bench("mislabel_reviews")
    review = reviews.reviewed(galaxies, "uniform flips", 1)
    assert review.right(review.given) < review.right(review.mended) <= 1.0
    assert (review.mended == galaxies.truth)[review.mended != review.given].all()
    for name in reviews.MODELS:
        found = reviews.answers(name, (galaxies, galaxies), (review, review), 0)
        assert all(0 <= accuracy <= 1 for accuracy in found)


def test_answers_of_two_networks_are_scored_as_cheng_et_al_did(bench):
    class Theirs:
        true, given, mended = (
            np.array(each) for each in ([0, 1, 2, 0], [0, 1, 0, 1], [0, 1, 2, 1])
        )

    networks = bench("mislabel_networks")
    before, after = np.array([0, 1, 0, 0]), np.array([0, 1, 2, 0])
    assert networks.scored(before, after, Theirs) == [0.75, 1.0, 0.75, 0.75]
    row = networks.row_of("network alone", np.array([[0.75, 1.0, 0.75, 0.75]] * 2))
    assert row["gain"] == "+0.2500 (+0.2500 to +0.2500)"
    assert row["as Cheng et al."] == "0.7500 to 0.7500"


def test_a_network_learns_from_the_labels_that_it_is_given(bench, galaxies, monkeypatch, tmp_path):
    networks = bench("mislabel_networks")
    config = networks.TrainConfig(
        encoder="test_resnet",
        image_size=48,
        crop_fraction=1.0,
        epochs=1,
        steps_per_epoch=2,
        average_views=1,
        pretrain_steps=2,
    )
    images = np.load(tmp_path / "drawn-300-5.npy")
    cache = networks.ImageCache(images, tuple(map(str, galaxies.ids)), 48, 1.0)
    monkeypatch.setattr(networks.Retraining, "_images", lambda *_: cache)
    retraining = networks.Retraining(tmp_path, galaxies, galaxies, config)
    alone, both = retraining.learnt("given-0", galaxies.truth, 0)
    assert (alone.lookalikes is None, both.lookalikes is None) == (True, False)
    found = np.array(retraining.accuracies(0))
    assert found.shape == (2, 4)
    assert ((found >= 0) & (found <= 1)).all()
