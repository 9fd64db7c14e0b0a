from __future__ import annotations

import os
import re
from math import prod
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import AnnotationError, InvalidInputError
from mlcore.tree import DecisionTree
from mlcore.votes.tallies import count_votes, fractions, relevance, totals
from tests.mlcore.tree_strategies import all_paths, trees

ROOT = Path(__file__).parents[3]
REAL = Path(os.environ.get("LENTICULAR_REAL_DATA", ROOT.parent / "shared" / "data"))
GZD5 = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz-decals-5.json")
GZ2 = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz2.json")
YES_NO = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "yes-no.json")


def question_fractions(tree, seed):
    """A random distribution over the answers of each question."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.dirichlet(np.ones(len(q.answers))) for q in tree.questions])


class TestCounting:
    @given(trees(), st.data())
    def test_each_step_of_each_path_is_one_vote(self, tree, data):
        paths = data.draw(st.lists(st.sampled_from(list(all_paths(tree))), max_size=8))
        counts = count_votes(paths, tree)
        for (question, answer), column in tree.column_index.items():
            assert counts[column] == sum((question, answer) in path for path in paths)
        assert totals(counts, tree)[0] == len(paths)

    def test_no_paths_are_no_votes(self):
        assert count_votes([], YES_NO).tolist() == [0, 0]

    def test_an_unknown_answer_is_refused(self):
        with pytest.raises(AnnotationError, match="'ring', 'maybe'"):
            count_votes([[("ring", "maybe")]], YES_NO)

    @pytest.mark.parametrize("counts", [[1, 2, 3], 1.0, [[-1, 0]], [np.inf, 0]])
    def test_impossible_counts_are_refused(self, counts):
        with pytest.raises(InvalidInputError, match="counts"):
            totals(counts, YES_NO)

    def test_of_several_counts_the_impossible_one_is_named(self):
        with pytest.raises(InvalidInputError, match="counts must be finite and at least 0, is inf"):
            totals([[1, np.inf]], YES_NO)


class TestFractions:
    def test_a_question_without_votes_is_unknown_not_zero(self):
        result = fractions([[0, 0], [1, 3]], YES_NO)
        assert np.isnan(result[0]).all()
        assert result[1].tolist() == [0.25, 0.75]

    def test_unknown_counts_stay_unknown(self):
        assert np.isnan(fractions([np.nan, 1], YES_NO)).all()

    def test_no_subjects_give_no_rows(self):
        assert fractions(np.empty((0, 2)), YES_NO).shape == (0, 2)


class TestRelevance:
    @given(trees(), st.integers(0, 1000))
    def test_it_is_the_brute_force_sum_over_paths(self, tree, seed):
        share = question_fractions(tree, seed)
        expected = dict.fromkeys((q.slug for q in tree.questions), 0.0)
        for path in all_paths(tree):
            chance = prod(share[tree.column_index[step]] for step in path)
            for question, _ in path:
                expected[question] += chance
        assert relevance(share, tree) == pytest.approx(list(expected.values()))

    @given(trees(), st.data())
    def test_from_counts_it_is_the_share_of_volunteers_who_were_asked(self, tree, data):
        paths = data.draw(st.lists(st.sampled_from(list(all_paths(tree))), min_size=1, max_size=8))
        counts = count_votes(paths, tree)
        asked = totals(counts, tree) / len(paths)
        assert relevance(fractions(counts, tree), tree) == pytest.approx(asked)

    def test_without_votes_only_the_start_is_known(self):
        result = relevance(np.full((1, 34), np.nan), GZD5)
        assert result[0, 0] == 1
        assert np.isnan(result[0, 1:]).all()

    def test_what_is_never_asked_adds_nothing(self):
        counts = count_votes([[("smooth-or-featured", "artifact")]], GZD5)
        assert relevance(fractions(counts, GZD5), GZD5).tolist() == [1.0] + [0.0] * 9


class TestPublishedCatalogues:
    def test_decals_fractions_are_those_published_where_there_are_votes(self):
        frame = real_table("gz_decals_votes/example_panoptes_predictions.csv")
        # That export also holds the answers of an older "merging", so its total differs.
        ours = np.array([not column.startswith("merging_") for column in GZD5.label_cols])
        result = fractions(frame[GZD5.label_cols], GZD5)[:, ours]
        published = frame[[f"{column}_fraction" for column in GZD5.label_cols]].to_numpy()[:, ours]
        known = np.isfinite(result)
        np.testing.assert_allclose(result[known], published[known], rtol=1e-9)
        assert (published[~known] == 0).all()

    def test_decals_votes_flow_as_the_tree_says(self):
        frame = real_table("gz_decals_votes/temp_agg.csv")
        counts = frame[GZD5.label_cols].to_numpy(dtype=float)
        assert flow_agreement(counts, GZD5) == pytest.approx([1.0] * 9)

    def test_galaxy_zoo_2_votes_flow_as_the_tree_says(self):
        frame = real_table("gz2_stripe82/table5.csv.gz")
        found = {re.search(r"_(a\d\d)_.*count$", column): column for column in frame}
        columns = {match[1]: column for match, column in found.items() if match}
        counts = frame[[columns[f"a{answer:02}"] for answer in _GZ2_ANSWERS]].to_numpy(dtype=float)
        # Some volunteers stopped early, and rounding was to whole votes.
        assert min(flow_agreement(counts, GZ2)) > 0.96


def real_table(name):
    if not (REAL / name).exists():
        pytest.skip(f"real votes are not at {REAL / name}")
    return pd.read_csv(REAL / name)


def flow_agreement(counts, tree):
    """Share of subjects where a question has as many votes as the answers that lead to it."""
    asked = totals(counts, tree)
    return [
        (
            asked[:, place] == sum(counts[:, tree.column_index[p]] for p in tree.parents(q.slug))
        ).mean()
        for place, q in enumerate(tree.questions)
        if place
    ]


# Willett et al. 2013, Table 2: their answer numbers in the order of our columns.
_GZ2_ANSWERS = [
    *range(1, 10),
    *range(28, 35),
    36,
    37,
    13,
    12,
    11,
    10,
    25,
    26,
    27,
    16,
    17,
    18,
    14,
    15,
    19,
    20,
    21,
    22,
    23,
    24,
    38,
]
