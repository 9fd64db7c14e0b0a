"""Mixtures of Dirichlets: mean and spread as drawing from them would find."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlcore.cnn.mixture import mixed_concentrations

SLICES = (slice(0, 2), slice(2, 5))
positive = st.floats(1.0, 101.0)


def moments(concentrations):
    """Return mean and summed variance of one Dirichlet."""
    total = concentrations.sum()
    mean = concentrations / total
    return mean, (mean * (1 - mean)).sum() / (total + 1)


@given(arrays(np.float32, (3, 4, 5), elements=st.floats(1.0, 101.0, width=32)))
def test_match_the_mean_and_the_summed_variance_of_the_mixture(concentrations):
    found = mixed_concentrations(concentrations, SLICES).astype(float)
    for galaxy in range(4):
        for columns in SLICES:
            parts = [moments(each) for each in concentrations[:, galaxy, columns].astype(float)]
            mean = np.mean([m for m, _ in parts], axis=0)
            variance = np.mean([v + (m**2).sum() for m, v in parts]) - (mean**2).sum()
            assert moments(found[galaxy, columns])[0] == pytest.approx(mean, rel=1e-4)
            assert moments(found[galaxy, columns])[1] == pytest.approx(variance, rel=1e-3)


def test_agree_with_draws():
    concentrations = np.array([[[8.0, 2.0]], [[2.0, 5.0]]], np.float32)
    rng = np.random.default_rng(0)
    draws = np.concatenate([rng.dirichlet(each[0], 200_000) for each in concentrations])
    mean, variance = moments(mixed_concentrations(concentrations, [slice(0, 2)])[0].astype(float))
    assert mean == pytest.approx(draws.mean(axis=0), abs=2e-3)
    assert variance == pytest.approx(draws.var(axis=0).sum(), abs=1e-3)


@given(arrays(np.float32, (1, 3, 5), elements=st.floats(1.0, 101.0, width=32)))
def test_one_network_comes_back_as_it_is(concentrations):
    assert mixed_concentrations(concentrations, SLICES) == pytest.approx(
        concentrations[0], rel=1e-3
    )


@given(arrays(np.float32, (2, 1, 5), elements=st.floats(1.0, 101.0, width=32)))
def test_are_never_surer_than_their_networks_on_average(concentrations):
    found = mixed_concentrations(concentrations, SLICES).astype(float)
    for columns in SLICES:
        of_networks = np.mean([moments(e[0, columns].astype(float))[1] for e in concentrations])
        assert moments(found[0, columns])[1] >= of_networks * (1 - 1e-3)


def test_networks_certain_of_different_answers_leave_a_distribution():
    certain = np.array([[[1e9, 1e-9]], [[1e-9, 1e9]]])
    found = mixed_concentrations(certain, [slice(0, 2)])
    assert found[0].tolist() == pytest.approx([0.005, 0.005])


def test_no_galaxies_give_no_rows_and_nan_stays():
    assert mixed_concentrations(np.ones((2, 0, 5)), SLICES).shape == (0, 5)
    broken = np.ones((2, 2, 5))
    broken[0, 1, 3] = np.nan
    found = mixed_concentrations(broken, SLICES)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1, 2:]).all()
