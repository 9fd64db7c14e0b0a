"""How a replay spends its votes, against spending them one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlcore.simulate.replay_rounds import spend


@st.composite
def asked(draw):
    most = draw(st.lists(st.integers(0, 4), min_size=1, max_size=6))
    rows = draw(st.lists(st.integers(0, len(most) - 1), max_size=10))
    wanted = draw(st.lists(st.integers(0, 5), min_size=len(rows), max_size=len(rows)))
    return draw(st.integers(0, 20)), rows, wanted, most


def one_by_one(votes, rows, wanted, most):
    given, turns = [0] * len(most), []
    for row, number in zip(rows, wanted, strict=True):
        turns += [row] * number
    for row in turns:
        if sum(given) < votes and given[row] < most[row]:
            given[row] += 1
    return given


@given(asked())
def test_the_first_asked_about_come_first_and_none_gets_more_than_it_may(case):
    votes, rows, wanted, most = case
    found = spend(
        votes, np.array(rows, dtype=np.intp), np.array(wanted, dtype=np.int64), np.array(most)
    )
    assert found.tolist() == one_by_one(votes, rows, wanted, most)


def test_nothing_to_ask_about():
    nothing = np.zeros(0, dtype=np.int64)
    assert spend(5, nothing, nothing, np.array([1, 2])).tolist() == [0, 0]
