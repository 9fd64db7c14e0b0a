"""Sums over resampled galaxies, against a plain loop."""

import numpy as np
import pytest

from mlcore.errors import InvalidInputError
from mlcore.evaluation.resampling import resampled_sums


def test_agrees_with_drawing_the_rows():
    columns = np.random.default_rng(0).normal(size=(7, 3))
    rng = np.random.default_rng(5)
    by_rows = [columns[rng.integers(0, 7, 7)].sum(axis=0) for _ in range(20)]
    assert resampled_sums(columns, seed=5, draws=20) == pytest.approx(np.array(by_rows))


def test_spreads_as_the_mean_of_so_many_does():
    columns = np.random.default_rng(1).normal(size=(400, 1))
    found = resampled_sums(columns, seed=0, draws=2000) / 400
    assert found.std() == pytest.approx(columns.std() / 20, rel=0.1)


def test_no_rows_give_zeros_and_nan_stays():
    assert (resampled_sums(np.empty((0, 2)), seed=0, draws=3) == np.zeros((3, 2))).all()
    assert np.isnan(resampled_sums(np.full((2, 1), np.nan), seed=0, draws=3)).all()


def test_no_draws_are_refused():
    with pytest.raises(InvalidInputError, match="draws must be at least 1, is 0"):
        resampled_sums(np.ones((2, 1)), seed=0, draws=0)
