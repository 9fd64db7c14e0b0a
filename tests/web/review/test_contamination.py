"""The estimates of wrong labels, against simulation, by hand and by their own rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenticular.common.errors import InvalidInputError
from lenticular.review.contamination import (
    Draw,
    Verdicts,
    estimate_contamination,
    jeffreys,
    share_of_wrong_labels,
)
from mlcore.votes.contamination import Stratum, contamination

count = st.integers(0, 200)


def estimate(confirmed=5, refuted=5, unsettled=10, judged=1000, **others):
    return estimate_contamination(
        confirmed=confirmed, refuted=refuted, unsettled=unsettled, judged=judged, **others
    )


def test_by_hand():
    found = estimate(confirmed=9, refuted=0, unsettled=10)
    assert found.precision.value == pytest.approx(9.5 / 10)
    assert found.precision.high == 1.0
    assert found.rate.value == pytest.approx((9 + 0.95 * 10) / 1000)
    assert found.rate.high == pytest.approx(19 / 1000)


@given(count, count, count, st.integers(0, 1000))
def test_the_interval_holds_the_estimate_and_what_is_certain(right, wrong, unsettled, others):
    judged = right + wrong + unsettled + others
    found = estimate(right, wrong, unsettled, judged)
    if right + wrong == 0:
        assert found is None
        return
    for part in (found.precision, found.rate):
        assert 0 <= part.low <= part.value <= part.high <= 1
    assert right / judged <= found.rate.low + 1e-12
    assert found.rate.high <= (judged - wrong) / judged + 1e-12


@given(st.integers(1, 60), st.integers(1, 60))
def test_more_verdicts_narrow_the_interval(right, wrong):
    few, many = jeffreys(right, right + wrong, 0.9), jeffreys(9 * right, 9 * (right + wrong), 0.9)
    assert many.high - many.low < few.high - few.low


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truth, covered = 0.4, 0
    for confirmed in rng.binomial(30, truth, size=1000):
        found = jeffreys(int(confirmed), 30, 0.9)
        covered += found.low <= truth <= found.high
    assert 0.87 < covered / 1000 < 0.94


def test_without_knowing_how_many_were_judged_there_is_no_rate():
    found = estimate(judged=None)
    assert found.rate is None
    assert found.precision.value == 0.5


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"confirmed": -1}, "confirmed must be at least 0, is -1"),
        ({"judged": 19}, "judged must be at least 20, the flags, is 19"),
        ({"level": 1.0}, "level must be between 0 and 1"),
    ],
)
def test_impossible_input_is_refused(bad, message):
    with pytest.raises(InvalidInputError, match=message):
        estimate(**bad)


def share(flags=None, earlier=None, undecided=0, draws=()):
    return share_of_wrong_labels(
        flags=flags or Verdicts(),
        earlier=earlier or Verdicts(),
        undecided=undecided,
        draws=[Draw(galaxies, Verdicts(*verdicts)) for galaxies, *verdicts in draws],
    )


class TestShareOfWrongLabels:
    def test_by_hand(self):
        found = share(
            flags=Verdicts(confirmed=12, refuted=8),
            earlier=Verdicts(confirmed=6, refuted=4),
            draws=[(150, 5, 45), (820, 1, 40, 3, 6)],
        )
        # 12 and 6 are known; 5 in 50 of 150, and 1 in 41 of 820, one unsure or open aside.
        assert found.estimate == pytest.approx((12 + 6 + 15 + 20) / 1000)
        assert (12 + 6 + 5 + 1) / 1000 <= found.lower < found.estimate < found.upper

    def test_it_is_what_the_machine_s_half_makes_of_the_strata(self):
        found = share(Verdicts(9, 4, 2, 3), Verdicts(2, 5), 1, [(70, 3, 30, 1), (900, 0, 44, 1)])
        same = contamination(
            [Stratum(20, 20, 11), Stratum(6, 0, 0), Stratum(70, 33, 3), Stratum(900, 44, 0)]
        )
        assert (found.lower, found.upper) == (same.lower, same.upper)
        assert np.isnan(found.estimate)

    def test_open_flags_leave_an_interval_alone_that_they_widen(self):
        settled = share(Verdicts(10, 10), draws=[(100, 2, 48), (880, 0, 50)])
        waiting = share(Verdicts(10, 5, 2, 3), draws=[(100, 2, 48), (880, 0, 50)])
        assert np.isnan(waiting.estimate)
        assert not np.isnan(settled.estimate)
        assert waiting.lower <= settled.lower
        # Each of the five may be wrong.
        assert waiting.upper == pytest.approx(settled.upper + 5 / 1000, abs=0.004)

    def test_it_is_exact_where_all_are_judged(self):
        found = share(Verdicts(3, 1), Verdicts(1, 1), draws=[(4, 1, 3), (10, 0, 10)])
        assert found.estimate == found.lower == found.upper == 5 / 20

    def test_without_others_the_flags_tell_all(self):
        assert share(Verdicts(3, 1), draws=[(0,), (0,)]).estimate == 0.75

    @pytest.mark.parametrize(
        "draws", [[(100, 0, 0), (900, 0, 40)], [(100, 1, 5), (900, 0, 0, 9, 41)]]
    )
    def test_nothing_is_said_while_a_stratum_has_no_settled_verdict(self, draws):
        assert share(Verdicts(3, 1), draws=draws) is None

    def test_nothing_is_said_of_no_galaxies(self):
        assert share() is None

    @pytest.mark.parametrize("share_wrong", [0.01, 0.03, 0.08])
    def test_the_interval_covers_the_truth_at_any_time_of_the_review(self, share_wrong):
        """Reviews stop half way, in the random order; the true share is known."""
        rng, covered = np.random.default_rng(3), 0
        for _ in range(300):
            wrong = rng.random(2000) < share_wrong
            order = np.argsort(-rng.normal(size=2000) - 2.5 * wrong)
            flagged, following, rest = np.split(wrong[order], [40, 340])
            judged = 25 + rng.integers(25)
            draws = [
                (len(part), hits := int(rng.choice(part, judged, replace=False).sum()),
                 judged - hits)
                for part in (following, rest)
            ]  # fmt: skip
            hits = int(flagged.sum())
            found = share(Verdicts(hits, len(flagged) - hits), draws=draws)
            covered += found.lower <= wrong.mean() <= found.upper
        assert covered / 300 > 0.925
