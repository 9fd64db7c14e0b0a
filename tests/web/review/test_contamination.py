"""The estimate of wrong labels, against simulation and by its own rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenticular.common.errors import InvalidInputError
from lenticular.review.contamination import estimate_contamination, jeffreys

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
