"""Scores of a replay, against counting by hand and against scikit-learn."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, balanced_accuracy_score

from mlcore.errors import InvalidInputError
from mlcore.simulate.replay_folder import RejectedRow
from mlcore.simulate.replay_report import ReplayReport, score_mislabels, score_round

COUNTS = np.array([[3, 2, 0], [0, 0, 0], [1, 0, 4]], dtype=np.int32)
NONE = np.zeros(0, dtype=bool)


def sure(answers, k=4):
    """Return fractions (m, k), nearly all on the answers (m,)."""
    return np.where(np.arange(k) == np.asarray(answers)[:, None], 0.97, 0.01)


def scored(number, predicted, truth):
    return score_round(number, COUNTS, sure(predicted), truth, sure(truth))


class TestRound:
    def test_by_hand(self):
        truth, predicted = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 0, 1, 1, 1, 0])
        score = scored(2, predicted, truth)
        assert (score.round, score.galaxies, score.votes) == (2, 2, 10)
        assert score.accuracy == pytest.approx(3 / 6)
        assert score.balanced_accuracy == pytest.approx((2 / 3 + 1 + 0) / 3)
        assert score.binary_accuracy == pytest.approx(4 / 6)

    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
    def test_balanced_as_scikit_learn_has_it(self, pairs):
        pairs = [(0, 0), (1, 1), *pairs]  # scikit-learn warns of one class alone
        truth, predicted = (np.array(part) for part in zip(*pairs, strict=True))
        predicted = np.where(np.isin(predicted, truth), predicted, truth)
        score = scored(1, predicted, truth)
        assert score.balanced_accuracy == pytest.approx(balanced_accuracy_score(truth, predicted))

    def test_nats_are_the_crowds(self):
        fractions, crowd = np.array([[0.5, 0.5], [0.9, 0.1]]), np.array([[0.2, 0.8], [1.0, 0.0]])
        score = score_round(1, COUNTS, fractions, np.array([1, 0]), crowd)
        assert score.nats == pytest.approx((-np.log(0.5) - np.log(0.9)) / 2)

    @pytest.mark.parametrize(("m", "n"), [(0, 0), (2, 3)])
    def test_nothing_to_score(self, m, n):
        truth, crowd = np.zeros(n, dtype=int), sure(np.zeros(n))
        with pytest.raises(InvalidInputError, match="as many and at least 1"):
            score_round(1, COUNTS, sure(np.zeros(m)), truth, crowd)


class TestMislabels:
    @given(st.lists(st.booleans(), min_size=1, max_size=100))
    def test_average_precision_as_scikit_learn_has_it(self, ranking):
        planted = np.array(ranking)
        found = score_mislabels(planted, ~planted)
        assert (found.planted, found.judged) == (planted.sum(), len(planted))
        assert (found.flagged, found.flagged_planted) == ((~planted).sum(), 0)
        if planted.any():
            expected = average_precision_score(planted, -np.arange(len(planted)))
            assert found.average_precision == pytest.approx(expected)

    def test_recall_counts_the_first_twentieth(self):
        planted = np.zeros(100, dtype=bool)
        planted[[0, 4, 5]] = True
        assert score_mislabels(planted, planted).recall_at_5_percent == pytest.approx(2 / 3)

    @pytest.mark.parametrize("planted", [NONE, np.zeros(5, dtype=bool)])
    def test_none_planted(self, planted):
        found = score_mislabels(planted, planted)
        assert (found.planted, found.flagged) == (0, 0)
        assert found.average_precision is None
        assert found.recall_at_5_percent is None


class TestReport:
    def report(self, planted):
        truth = np.array([0, 1])
        scores = tuple(scored(number, truth, truth) for number in (1, 2))
        facts = {
            "commonest_class": "round",
            "split": "the split",
            "test_galaxies": 2,
            "votes_per_galaxy": 5,
        }
        mislabels = score_mislabels(planted, planted)
        rejected = (RejectedRow(3, "g1", "gone"),)
        return ReplayReport(scores, scores, scores, mislabels, rejected, 7, 12.3, facts)

    def test_json_has_what_was_asked_for(self):
        document = json.loads(json.dumps(self.report(np.array([True])).to_dict()))
        for each in (document, document["control"], document["thin"]):
            assert [score["round"] for score in each["rounds"]] == [1, 2]
            assert {"votes", "accuracy", "balanced_accuracy", "nats"} < set(each["rounds"][0])
        assert document["mislabels"]["average_precision"] == 1.0
        assert (document["seed"], document["seconds"]) == (7, 12.3)
        assert document["rejected"] == [{"line": 3, "id_str": "g1", "reason": "gone"}]
        assert document["split"] == "the split"

    def test_the_table_names_the_arms_and_shows_the_first_round_once(self):
        lines = "\n".join(self.report(np.array([True])).lines())
        assert lines.count("round 1,") == 1
        assert "round 2, chosen vote by vote" in lines
        assert "round 2, random, 5 votes each" in lines
        assert "round 2, random, spread thin" in lines
        assert "average precision 1.000" in lines
        assert "Left out: 1 rows; seed 7; 12 seconds" in lines

    def test_nothing_planted_has_no_precision(self):
        assert "average precision" not in "\n".join(self.report(NONE).lines())
