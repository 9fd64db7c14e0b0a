import random
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenticular.classifications.models import Arm
from lenticular.selection.drawing import (
    PRACTISED,
    WINDOWS,
    Candidates,
    arm_probabilities,
    draws,
    practice_share,
)

SHARES = st.floats(0, 1)
COUNTS = st.integers(0, 40)


def candidates(gold, control, active, practice=0):
    """Return as many subjects in each arm, their ids telling the arm by the hundred."""
    return Candidates(
        practice=list(range(400, 400 + practice)),
        gold=list(range(100, 100 + gold)),
        control=list(range(200, 200 + control)),
        active=list(range(300, 300 + active)),
    )


@given(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), SHARES, SHARES, SHARES)
def test_the_arms_share_the_slot_out_whenever_something_is_left(
    counts, practice, gold_share, control_share
):
    _, control, active, _ = counts
    pool = candidates(*counts)
    shares = arm_probabilities(
        pool, practice_share=practice, gold_share=gold_share, control_share=control_share
    )

    if control + active == 0:
        assert shares == {}
    else:
        assert sum(shares.values()) == pytest.approx(1)
        assert all(pool.of(arm) for arm in shares)


def test_an_empty_arm_s_share_goes_to_the_other():
    shares = {"practice_share": 0.5, "gold_share": 0.1, "control_share": 0.2}

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
    assert arm_probabilities(candidates(1, 1, 1, 1), **shares) == pytest.approx(
        {Arm.PRACTICE: 0.5, Arm.GOLD: 0.05, Arm.CONTROL: 0.09, Arm.ACTIVE: 0.36}
    )
    assert arm_probabilities(candidates(5, 0, 0, 5), **shares) == {}


def test_practice_grows_rarer_and_never_ends():
    shares = [practice_share(served) for served in range(60)]

    assert shares == [0.4] * 16 + [0.2] * 25 + [0.1] * 19
    assert practice_share(PRACTISED) == practice_share(10**6)


def test_each_draw_is_one_more_galaxy_on_the_way_to_less_practice():
    drawn = draws(
        candidates(0, 0, 40, 40), gold_share=0, control_share=0, served=14, rng=random.Random(1)
    )

    shares = [
        share if draw.arm == Arm.PRACTICE else 1 - share
        for draw in islice(drawn, 40)
        for share in [draw.probability * min(32, 40)]
    ]

    assert shares[:2] == pytest.approx([0.4, 0.4])
    assert shares[2] == pytest.approx(0.2)


@given(
    st.tuples(COUNTS, COUNTS, COUNTS, COUNTS),
    SHARES,
    SHARES,
    st.integers(0, 60),
    st.integers(0, 2**32),
)
def test_every_draw_is_within_its_window_and_none_comes_twice(
    counts, gold_share, control_share, served, seed
):
    pool = candidates(*counts)
    before = {arm: list(pool.of(arm)) for arm in WINDOWS}
    seen = set()
    drawn = draws(
        pool,
        gold_share=gold_share,
        control_share=control_share,
        served=served,
        rng=random.Random(seed),
    )
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
        pool = candidates(2, 40, 3, 4)
        [draw] = islice(draws(pool, gold_share=0.1, control_share=0.3, rng=rng), 1)
        times[draw.subject_id] += 1
        told[draw.subject_id] = draw.probability

    assert sum(told.values()) == pytest.approx(1)
    assert len(told) == 2 + WINDOWS[Arm.CONTROL] + 3 + 4
    for subject_id, probability in told.items():
        spread = (probability * (1 - probability) / trials) ** 0.5
        assert times[subject_id] / trials == pytest.approx(probability, abs=4.5 * spread)
