"""Votes needed, by hand."""

import json

import numpy as np
import pytest
from scipy.stats import t as student

from mlcore.simulate.votes_population import PopulationScore
from mlcore.simulate.votes_replay import Curve, SeedResult
from mlcore.simulate.votes_report import OURS, REFERENCE, VotesReport, votes_to_reach


def curve(name, votes, skill):
    accuracy = tuple(0.6 + 0.2 * each for each in skill)
    return Curve(name, tuple(votes), tuple(votes), tuple(skill), accuracy)


def result(seed, *curves):
    return SeedResult(seed, 100, 30, 1.0, 0.8, 0.6, 2.0, curves)


def report(*results, population=()):
    return VotesReport("small", results, tuple(population), {"split": "by hash"})


def two_seeds():
    return report(
        result(
            0,
            curve(REFERENCE, [1000, 10_000], [0.0, 1.0]),
            curve("stuck", [100, 200], [0.1, 0.2]),
            curve(OURS, [100, 1000], [0.0, 1.0]),
        ),
        result(
            1,
            curve(REFERENCE, [1000, 10_000], [0.0, 1.0]),
            curve("stuck", [100, 200], [0.1, 0.96]),
            curve(OURS, [100, 400], [0.0, 1.0]),
        ),
    )


class TestVotesToReach:
    def test_is_logarithmic_between_rounds(self):
        assert votes_to_reach([100, 1000], [0.0, 1.0], 0.5) == pytest.approx(10**2.5)

    def test_takes_the_first_time(self):
        assert votes_to_reach([10, 20, 40, 80], [0.0, 1.0, 0.2, 1.0], 1.0) == pytest.approx(20)

    def test_the_first_round_may_be_enough(self):
        assert votes_to_reach([10, 20], [0.9, 1.0], 0.5) == 10

    def test_may_never_be_reached(self):
        assert votes_to_reach([10, 20], [0.1, 0.2], 0.5) is None
        assert votes_to_reach([], [], 0.5) is None


class TestNeeded:
    def rows(self, name):
        return {row.share: row for row in two_seeds().needed() if row.strategy == name}

    def test_is_the_geometric_mean_with_an_interval(self):
        row = self.rows(OURS)[0.95]
        logs = np.log([100 * 10**0.95, 100 * 4**0.95])
        half = student.ppf(0.975, 1) * logs.std(ddof=1) / 2**0.5
        assert row.mean == pytest.approx(np.exp(logs.mean()))
        assert [row.low, row.high] == pytest.approx(
            [np.exp(logs.mean() - half), np.exp(logs.mean() + half)]
        )

    def test_savings_are_paired_by_seed(self):
        row = self.rows(OURS)[0.95]
        theirs = 1000 * 10**0.95
        ratios = np.array([100 * 10**0.95, 100 * 4**0.95]) / theirs
        assert row.saved == pytest.approx(1 - np.exp(np.log(ratios).mean()))
        assert row.saved_low < row.saved < row.saved_high
        assert row.worse == 0

    def test_never_getting_there_is_worse(self):
        row = self.rows("stuck")[0.95]
        assert row.votes[0] is None
        assert row.worse == 1
        assert row.low is None
        assert self.rows("stuck")[0.99].mean is None

    def test_accuracy_counts_from_the_commonest_answer(self):
        rows = two_seeds().needed(accuracy=True)
        ours = next(row for row in rows if row.strategy == OURS and row.share == 0.95)
        assert ours.votes[0] == pytest.approx(100 * 10**0.95)

    def test_without_a_reference_nothing_is_saved(self):
        (row, *_) = report(result(0, curve(OURS, [1, 2], [0.0, 1.0]))).needed()
        assert row.saved is None

    def test_seeds_in_which_ours_needs_more(self):
        assert two_seeds().worse_than(0.95) == {REFERENCE: 0, "stuck": 1}
        assert report(result(0, curve("stuck", [1], [0.1]))).worse_than(0.95) == {}


class TestShow:
    def test_lines_say_it(self):
        score = PopulationScore("unweighted", 0.1, 0.1, 0.2, 0.5, 6)
        said = "\n".join(two_seeds_with(score).lines())
        assert "small: 100 galaxies in the pool, 30 to test on, 2 seeds" in said
        assert "never in 1" in said
        assert "| never " in said
        assert "| 0 of 2" in said
        assert "largest bias" in said
        assert "done" in said

    def test_without_a_population_there_is_no_third_table(self):
        assert "largest bias" not in "\n".join(two_seeds().lines())

    def test_json_is_plain(self):
        document = json.loads(json.dumps(two_seeds().to_dict(), allow_nan=False))
        assert document["split"] == "by hash"
        assert document["seeds"][1]["curves"][2]["strategy"] == OURS
        assert len(document["needed"]) == 9


def two_seeds_with(score):
    return VotesReport("small", two_seeds().results, (score,), {})
