import numpy as np
import pytest

from mlcore.errors import ArtefactError, CancelledError, InvalidInputError
from mlcore.gp.reduce import Reducer


def correlated(n, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 3)) @ rng.standard_normal((3, width))


def test_keeps_the_true_dimensions_and_standardises_them():
    rows = correlated(300, 60)
    reducer = Reducer.fit(rows)
    features = reducer.transform(rows)
    assert reducer.n_dimensions == 3
    np.testing.assert_allclose(features.std(axis=0, ddof=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(features.mean(axis=0), 0.0, atol=1e-8)


def test_at_most_forty_dimensions_whatever_the_chunks():
    rows = np.random.default_rng(0).standard_normal((500, 64))
    whole, chunked = Reducer.fit(rows), Reducer.fit(rows, chunk_rows=90)
    assert whole.n_dimensions == chunked.n_dimensions == 40
    np.testing.assert_allclose(whole.mean, chunked.mean, atol=1e-10)


def test_more_dimensions_than_a_chunk_has_galaxies_are_fine():
    rows = np.random.default_rng(0).standard_normal((200, 50))
    reducer = Reducer.fit(rows, max_dimensions=60, chunk_rows=7)
    assert reducer.n_dimensions == 50
    whole = Reducer.fit(rows, max_dimensions=60)
    np.testing.assert_allclose(reducer.mean, whole.mean, atol=1e-10)
    assert Reducer.fit(rows, max_dimensions=1_000_000).n_dimensions == 50


def test_three_galaxies_give_two_dimensions():
    features = Reducer.fit(correlated(3, 10)).transform(correlated(3, 10))
    assert features.shape == (3, 2)
    assert np.isfinite(features).all()


def test_constant_and_non_finite_columns_are_dropped():
    rows = correlated(50, 8)
    rows[:, 2] = 7.0
    rows[3, 5] = np.inf
    reducer = Reducer.fit(rows)
    assert reducer.columns.tolist() == [0, 1, 3, 4, 6, 7]
    assert np.isfinite(reducer.transform(rows)).all()


def test_a_galaxy_without_representation_is_skipped_and_stays_nan():
    rows = correlated(50, 8)
    rows[10] = np.nan
    reducer = Reducer.fit(rows)
    features = reducer.transform(rows)
    assert np.isnan(features[10]).all()
    assert np.isfinite(np.delete(features, 10, axis=0)).all()


@pytest.mark.parametrize(
    "rows", [np.ones((10, 4)), np.full((10, 4), np.nan), correlated(1, 4), np.empty((0, 4))]
)
def test_nothing_to_learn_from_is_refused(rows):
    with pytest.raises(InvalidInputError, match="representations must have"):
        Reducer.fit(rows)


def test_wrong_width_is_refused():
    with pytest.raises(InvalidInputError, match=r"must be \(n, 8\)"):
        Reducer.fit(correlated(20, 8)).transform(correlated(20, 7))


def test_survives_a_round_trip_without_pickle(tmp_path):
    rows = correlated(30, 8)
    reducer = Reducer.fit(rows)
    reducer.save(tmp_path / "reducer.npz")
    loaded = Reducer.load(tmp_path / "reducer.npz")
    np.testing.assert_array_equal(loaded.transform(rows), reducer.transform(rows))


def test_a_damaged_file_is_an_artefact_error(tmp_path):
    path = tmp_path / "reducer.npz"
    with pytest.raises(ArtefactError, match=r"reducer\.npz"):
        Reducer.load(path)
    path.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(ArtefactError, match=r"reducer\.npz"):
        Reducer.load(path)


def test_stops_when_asked():
    with pytest.raises(CancelledError):
        Reducer.fit(correlated(30, 8), should_stop=lambda: True)
