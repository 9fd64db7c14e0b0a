import random
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenticular.classifications.models import Arm
from lenticular.selection.drawing import WINDOWS, Candidates, arm_probabilities, draws

SHARES = st.floats(0, 1)
COUNTS = st.integers(0, 40)


def candidates(gold, control, active):
    """Return as many subjects in each arm, their ids telling the arm by the hundred."""
    return Candidates(
        gold=list(range(100, 100 + gold)),
        control=list(range(200, 200 + control)),
        active=list(range(300, 300 + active)),
    )


@given(COUNTS, COUNTS, COUNTS, SHARES, SHARES)
def test_the_arms_share_the_slot_out_whenever_something_is_left(
    gold, control, active, gold_share, control_share
):
    shares = arm_probabilities(
        candidates(gold, control, active), gold_share=gold_share, control_share=control_share
    )

    if control + active == 0:
        assert shares == {}
    else:
        assert sum(shares.values()) == pytest.approx(1)
        assert all(candidates(gold, control, active).of(arm) for arm in shares)


def test_an_empty_arm_s_share_goes_to_the_other():
    shares = {"gold_share": 0.1, "control_share": 0.2}

    assert arm_probabilities(candidates(1, 1, 1), **shares) == pytest.approx(
        {Arm.GOLD: 0.1, Arm.CONTROL: 0.18, Arm.ACTIVE: 0.72}
    )
    assert arm_probabilities(candidates(0, 1, 1), **shares) == pytest.approx(
        {Arm.CONTROL: 0.2, Arm.ACTIVE: 0.8}
    )
    assert arm_probabilities(candidates(1, 0, 1), **shares) == pytest.approx(
        {Arm.GOLD: 0.1, Arm.ACTIVE: 0.9}
    )
    assert arm_probabilities(candidates(1, 1, 0), **shares) == pytest.approx(
        {Arm.GOLD: 0.1, Arm.CONTROL: 0.9}
    )
    assert arm_probabilities(candidates(5, 0, 0), **shares) == {}


@given(st.tuples(COUNTS, COUNTS, COUNTS), SHARES, SHARES, st.integers(0, 2**32))
def test_every_draw_is_within_its_window_and_none_comes_twice(
    counts, gold_share, control_share, seed
):
    pool = candidates(*counts)
    before = {arm: list(pool.of(arm)) for arm in WINDOWS}
    seen = set()
    drawn = draws(pool, gold_share=gold_share, control_share=control_share, rng=random.Random(seed))
    for draw in drawn:
        waiting = [subject for subject in before[draw.arm] if subject not in seen]
        assert draw.subject_id in waiting[: WINDOWS[draw.arm]]
        assert 0 < draw.probability <= 1
        seen.add(draw.subject_id)
    if gold_share < 1:
        assert len(seen) >= counts[1] + counts[2]


def test_recorded_probabilities_are_how_often_subjects_are_drawn():
    trials, rng = 20_000, random.Random(4)
    times, told = Counter(), {}
    for _ in range(trials):
        [draw] = islice(draws(candidates(2, 40, 3), gold_share=0.1, control_share=0.3, rng=rng), 1)
        times[draw.subject_id] += 1
        told[draw.subject_id] = draw.probability

    assert sum(told.values()) == pytest.approx(1)
    assert len(told) == 2 + WINDOWS[Arm.CONTROL] + 3
    for subject_id, probability in told.items():
        spread = (probability * (1 - probability) / trials) ** 0.5
        assert times[subject_id] / trials == pytest.approx(probability, abs=4.5 * spread)
