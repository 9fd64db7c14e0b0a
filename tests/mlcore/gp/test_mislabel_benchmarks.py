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
    trial = trials.run(galaxies, "careless volunteers", 1, np.zeros(300))
    assert {"ours", "self_confidence, forest", "CROWDLAB, joined"} <= trial.scores.keys()
    for name in trial.scores:
        assert 0 < trial.average_precision(name) <= 1
        assert 0 <= trial.recall(name) <= 1


def test_a_review_of_all_finds_all(bench):
    wrong = np.arange(100) < 7
    share = bench("mislabel_reviews").audited(wrong, np.arange(100), np.random.default_rng(0))
    assert share.lower <= 0.07 <= share.upper
