"""Galaxies that look alike: against brute force, on features that are hard to rank."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import neighbours
from mlcore.errors import CancelledError, InvalidInputError
from mlcore.neighbours import Pool, nearest, write_neighbours


def whole(features):
    return Pool.draw(lambda rows: features[rows], len(features), seed=0)


def brute_force(features, k):
    """Return the k smallest distances of each finite row to the other finite rows."""
    distances = np.sqrt(((features[:, None] - features[None]) ** 2).sum(axis=2))
    np.fill_diagonal(distances, np.inf)
    distances[np.isnan(distances)] = np.inf
    padded = np.pad(np.sort(distances, axis=1), ((0, 0), (0, k)), constant_values=np.inf)
    return padded[:, :k]


def check(features, k=3):
    rows, distances = nearest(features, np.arange(len(features)), whole(features), k)
    np.testing.assert_allclose(distances, brute_force(features, k), rtol=1e-9, atol=1e-9)
    for row, (near, far) in enumerate(zip(rows, distances, strict=True)):
        found = near[near >= 0]
        assert row not in found
        assert len(set(found.tolist())) == len(found)
        assert ((near == -1) == np.isinf(far)).all()
        np.testing.assert_allclose(
            np.linalg.norm(features[found] - features[row], axis=1), far[near >= 0]
        )


@pytest.fixture(params=[32, 64, 8192])
def block(monkeypatch, request):
    monkeypatch.setattr(neighbours, "_BLOCK", request.param)
    monkeypatch.setattr(neighbours, "_QUERIES", 7)
    return request.param


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(0, 150), st.integers(1, 6)),
    distinct=st.integers(1, 40),
    broken=st.integers(0, 5),
    k=st.integers(1, 9),
)
def test_is_what_brute_force_finds(seed, shape, distinct, broken, k):
    rng, (n, d) = np.random.default_rng(seed), shape
    # Few distinct galaxies, so that many are duplicates of each other.
    features = rng.standard_normal((distinct, d))[rng.integers(0, distinct, n)]
    features[rng.integers(0, n, broken) if n else []] = np.nan
    check(features, k)


def test_goes_block_by_block(block):
    check(np.random.default_rng(1).standard_normal((300, 5)), k=8)


def test_constant_features_leave_everyone_as_near():
    check(np.ones((70, 3)), k=8)


def test_equal_distances_come_in_the_order_of_the_survey():
    rows, _ = nearest(np.zeros((5, 2)), np.arange(5), whole(np.zeros((5, 2))), 2)
    assert rows.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1]]


def test_a_galaxy_without_features_has_no_neighbours_and_is_none():
    features = np.array([[0.0], [np.nan], [1.0], [np.inf]])
    rows, _ = nearest(features, np.arange(4), whole(features), 2)
    assert rows.tolist() == [[2, -1], [-1, -1], [0, -1], [-1, -1]]


def test_beyond_the_limit_a_random_subset_is_searched():
    features = np.random.default_rng(2).standard_normal((500, 3))
    pool = Pool.draw(lambda rows: features[rows], 500, seed=4, searched=60)
    again = Pool.draw(lambda rows: features[rows], 500, seed=4, searched=60)
    assert len(set(pool.rows.tolist())) == 60
    assert (pool.rows == again.rows).all()
    assert (pool.features == features[pool.rows]).all()
    rows, _ = nearest(features, np.arange(500), pool, 8)
    assert set(rows.ravel().tolist()) <= set(pool.rows.tolist())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: nearest(f, np.arange(4), whole(f), 0), "k must be at least 1, is 0"),
        (lambda f: nearest(f[:, :1], np.arange(4), whole(f)), "queries must be"),
        (lambda f: Pool.draw(lambda r: f[r], 4, seed=0, searched=0), "searched must be at least 1"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(InvalidInputError, match=words):
        call(np.zeros((4, 2)))


class Written:
    """A small survey, written in shards of eight."""

    def __init__(self, folder, monkeypatch):
        monkeypatch.setattr(neighbours, "SHARD", 8)
        self.folder, self.read = folder, []
        self.features = np.random.default_rng(3).standard_normal((20, 4))
        self.ids = [f"s:{number}" for number in range(20)]

    def __call__(self, source="a", **options):
        self.read.clear()
        return write_neighbours(
            self.ids, self._features, self.folder, source=source, seed=1, **options
        )

    def _features(self, rows):
        self.read.append(rows)
        return self.features[rows]

    def rows(self):
        shards = sorted(self.folder.glob("*.parquet"))
        return [row for shard in shards for row in pq.read_table(shard).to_pylist()]


@pytest.fixture
def written(tmp_path, monkeypatch):
    return Written(tmp_path / "neighbours", monkeypatch)


def test_every_galaxy_is_written_with_its_neighbours(written):
    written.features[3] = np.nan
    assert written() == {"galaxies": 20, "searched": 20}
    rows = written.rows()
    expected = brute_force(written.features, 8)
    assert [row["id_str"] for row in rows] == written.ids
    assert rows[3]["neighbour"] == rows[3]["distance"] == []
    for place in (0, 9, 19):
        assert rows[place]["distance"] == pytest.approx(expected[place], rel=1e-6)
        assert len(set(rows[place]["neighbour"]) - {written.ids[place]}) == 8


def test_the_subset_is_recorded(written):
    assert written(searched=5) == {"galaxies": 20, "searched": 5}


def test_an_empty_survey_writes_nothing(written):
    written.ids, written.features = [], np.empty((0, 4))
    assert written() == {"galaxies": 0, "searched": 0}
    assert written.rows() == []


def test_whole_shards_are_kept_and_broken_ones_made_again(written):
    written()
    first, second, third = sorted(written.folder.glob("*.parquet"))
    before = written.rows()
    second.write_bytes(b"half a shard")
    third.unlink()
    times = first.stat().st_mtime_ns
    written()
    assert first.stat().st_mtime_ns == times
    assert written.rows() == before
    written()
    assert written.read == []


def test_shards_of_another_source_are_replaced(written):
    written("a")
    before = written.rows()
    written.features = written.features[::-1].copy()
    written("b")
    assert written.rows() != before


def test_a_stop_keeps_whole_shards(written):
    answers = iter([False, True])
    with pytest.raises(CancelledError):
        written(should_stop=lambda: next(answers))
    assert len(list(written.folder.glob("*.parquet"))) == 1
    written()
    assert len(written.rows()) == 20
