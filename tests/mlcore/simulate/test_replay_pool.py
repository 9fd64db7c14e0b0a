"""Votes on real galaxies: the same whenever they are asked for, wrong where planted."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import InvalidInputError
from mlcore.simulate.replay_folder import LabelledGalaxy
from mlcore.simulate.replay_pool import ReplayPool, crowd_fractions, plant
from mlcore.simulate.votes_crowd import draw_votes
from tests.mlcore.simulate.trees import one_question

TREE = one_question("t", "a", "b", "c")


def pool_of(tmp_path, number=400, seed=0):
    truth = np.arange(number) % 3
    galaxies = tuple(
        LabelledGalaxy(f"g{place}", "abc"[kind], tmp_path / f"{place}.png")
        for place, kind in enumerate(truth)
    )
    seen = plant(truth, 3, 0.1, seed)
    control = np.arange(number) % 7 == 0
    record = draw_votes(crowd_fractions(seen, TREE), TREE, volunteers=40, votes=20, seed=seed)
    return ReplayPool(galaxies, TREE, seen, seen != truth, control, record)


def asked_of(rows, votes=5, number=400):
    asked = np.zeros(number, dtype=np.int64)
    asked[rows] = votes
    return asked


class TestPlanting:
    @given(st.integers(1, 300), st.integers(2, 6), st.floats(0.001, 1), st.integers(0, 2**32 - 1))
    def test_changes_the_share_and_nothing_else(self, number, classes, share, seed):
        truth = np.arange(number) % classes
        seen = plant(truth, classes, share, seed)
        assert (seen != truth).sum() == min(max(round(share * number), 1), number)
        assert ((seen >= 0) & (seen < classes)).all()
        assert (plant(truth, classes, share, seed) == seen).all()

    def test_every_other_class_is_as_likely(self):
        seen = plant(np.zeros(3000, dtype=int), 4, 1.0, 0)
        assert np.bincount(seen, minlength=4).tolist() == pytest.approx(
            [0, 1000, 1000, 1000], abs=90
        )

    def test_a_share_of_nothing(self):
        assert (plant(np.arange(5), 5, 0.0, 1) == np.arange(5)).all()

    @pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
    def test_a_bad_share(self, share):
        with pytest.raises(InvalidInputError, match="share must be in"):
            plant(np.arange(5), 5, share, 0)


class TestVotes:
    def test_only_the_galaxies_asked_about_get_them(self, tmp_path):
        counts = pool_of(tmp_path).counts(asked_of([3, 5]))
        assert counts.sum(axis=1)[[3, 5]].tolist() == [5, 5]
        assert counts.sum() == 10

    def test_do_not_depend_on_what_else_is_asked(self, tmp_path):
        pool = pool_of(tmp_path)
        alone, both = (pool.counts(asked_of(rows)) for rows in ([9], [9, 2]))
        assert (alone[9] == both[9]).all()

    def test_those_asked_for_later_come_on_top(self, tmp_path):
        pool = pool_of(tmp_path)
        few, more = (pool.counts(asked_of(range(400), votes)) for votes in (3, 4))
        assert ((more - few).sum(axis=1) == 1).all()
        assert (more >= few).all()

    def test_another_seed_gives_other_votes(self, tmp_path):
        one, other = (pool_of(tmp_path, seed=seed).counts(asked_of(range(50))) for seed in (0, 1))
        assert (one != other).any()

    def test_follow_what_is_seen_and_not_what_was_published(self, tmp_path):
        pool = pool_of(tmp_path)
        chosen = pool.counts(asked_of(range(400))).argmax(axis=1)
        assert (chosen == pool.seen).mean() > 0.85
        assert (chosen == pool.seen)[pool.planted].mean() > 0.8
        assert pool.planted.sum() == 40

    def test_more_than_the_record_has(self, tmp_path):
        with pytest.raises(InvalidInputError, match="n_votes must be from 0 to 20"):
            pool_of(tmp_path).counts(asked_of([0], votes=21))


class TestInput:
    def test_is_what_a_round_reads(self, tmp_path):
        pool = pool_of(tmp_path)
        counts = pool.counts(asked_of([0, 1]))
        pool.write_input(counts, tmp_path)
        table = pq.read_table(tmp_path / "input" / "subjects.parquet").to_pydict()
        assert table["id_str"] == pool.ids
        assert table["control"] == pool.control.tolist()
        assert not any(table["retired"])
        assert [table[column] for column in TREE.label_cols] == counts.T.tolist()

    def test_twice_is_the_same_file(self, tmp_path):
        pool, path = pool_of(tmp_path), tmp_path / "input" / "subjects.parquet"
        pool.write_input(pool.counts(asked_of([0])), tmp_path)
        first = path.read_bytes()
        pool.write_input(pool.counts(asked_of([0])), tmp_path)
        assert path.read_bytes() == first

    def test_rows_of_ids(self, tmp_path):
        pool = pool_of(tmp_path)
        assert pool.rows(["g5", "g0"]).tolist() == [5, 0]
        with pytest.raises(InvalidInputError, match="'other' is not"):
            pool.rows(["other"])
