import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.errors import InvalidInputError
from mlcore.votes.contamination import Stratum, contamination

STRATA = st.lists(
    st.tuples(st.integers(1, 400), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=4
)


def test_strata_are_added_up():
    found = contamination([Stratum(40, 20, 10), Stratum(960, 96, 1)])
    assert found.estimate == pytest.approx((20 + 10) / 1000)
    assert found.lower < found.estimate < found.upper


def test_where_all_are_reviewed_nothing_is_left_open():
    found = contamination([Stratum(40, 40, 10), Stratum(0, 0, 0)])
    assert (found.lower, found.estimate, found.upper) == (0.25, 0.25, 0.25)


def test_a_stratum_that_nobody_reviewed_may_be_anything():
    found = contamination([Stratum(50, 50, 25), Stratum(50, 0, 0)])
    assert np.isnan(found.estimate)
    assert found.lower < 0.27
    assert found.upper > 0.73


@given(STRATA)
@settings(deadline=None, max_examples=30)
def test_the_interval_lies_between_what_is_certain(drawn):
    strata = [Stratum(n, int(n * r), int(int(n * r) * c)) for n, r, c in drawn]
    total = sum(stratum.galaxies for stratum in strata)
    found = contamination(strata)
    least = sum(stratum.confirmed for stratum in strata)
    most = total - sum(stratum.reviewed - stratum.confirmed for stratum in strata)
    assert least / total - 1e-9 <= found.lower <= found.upper <= most / total + 1e-9


@pytest.mark.parametrize("rate", [0.005, 0.025, 0.1])
def test_the_interval_covers_the_truth(rate):
    rng, covered = np.random.default_rng(1), 0
    for _ in range(400):
        wrong = rng.random(2000) < rate
        order = np.argsort(-rng.normal(size=2000) - 2.5 * wrong)
        strata = [
            Stratum(len(part), n, int(wrong[rng.choice(part, n, replace=False)].sum()))
            for part, n in zip(np.split(order, [50, 250]), (50, 100, 100), strict=True)
        ]
        found = contamination(strata)
        covered += found.lower <= wrong.mean() <= found.upper
    assert covered / 400 > 0.925


def test_what_cannot_be_is_refused():
    with pytest.raises(InvalidInputError, match="counts must obey"):
        Stratum(4, 2, 3)
    with pytest.raises(InvalidInputError, match="strata must have at least 1 galaxy, have 0"):
        contamination([Stratum(0, 0, 0)])
    with pytest.raises(InvalidInputError, match="level must be"):
        contamination([Stratum(1, 1, 1)], level=1.0)
