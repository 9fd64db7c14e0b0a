"""Sizes of a replay, from a handful of galaxies to a survey."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import InvalidInputError, NotEnoughVotesError
from mlcore.round_plan import RoundConfig
from mlcore.simulate.replay_plan import ReplayPlan
from mlcore.train_config import TrainConfig

PLAN = ReplayPlan(rounds=3)


@given(st.integers(70, 100_000))
def test_no_more_is_asked_than_there_is(pool):
    sizes = PLAN.sizes(pool)
    assert sizes.panel + sizes.first + 2 * sizes.later <= pool
    assert min(sizes.first, sizes.later) >= 20


def test_shares_of_a_large_pool():
    sizes = ReplayPlan(panel_share=0.05, first_share=0.2, later_share=0.1).sizes(4000)
    assert (sizes.panel, sizes.first, sizes.later) == (200, 800, 400)


def test_sixty_of_a_small_one():
    assert (PLAN.sizes(250).first, PLAN.sizes(250).later) == (60, 60)


@pytest.mark.parametrize("pool", [0, 69])
def test_too_few(pool):
    with pytest.raises(NotEnoughVotesError, match=f"must be at least 70, are {pool}"):
        PLAN.sizes(pool)


def test_few_galaxies_are_trained_on_for_fewer_steps():
    config = RoundConfig(train=TrainConfig(epochs=15, pretrain_steps=100))
    plan = ReplayPlan(config=config)
    whole, small, least = (plan.sized(pool).train for pool in (4000, 1000, 70))
    assert whole == config.train
    assert small.epochs == round(whole.epochs / 2)
    assert small.pretrain_steps == round(whole.pretrain_steps / 2)
    assert (least.epochs, least.pretrain_steps) == (3, 40)


def test_no_pretraining_stays_none():
    plan = ReplayPlan(config=RoundConfig(train=TrainConfig(pretrain_steps=0)))
    assert [plan.sized(pool).train.pretrain_steps for pool in (4000, 70)] == [0, 0]


def test_a_round_asks_for_what_it_will_get():
    config = PLAN.sized(4000)
    assert config.batch == PLAN.sizes(4000).later
    assert config.expected_votes == PLAN.votes_per_galaxy
    assert config.retirement_votes == PLAN.retirement_votes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "seed must be in"),
        ({"seed": 2**32}, "seed must be in"),
        ({"rounds": 1}, "rounds must be at least 2, is 1"),
        ({"first_share": 0.0}, "first_share must be in"),
        ({"planted_share": float("nan")}, "planted_share must be in"),
        ({"votes_per_galaxy": 2}, "votes_per_galaxy must be from 3 to 40 .retirement_votes., is 2"),
        ({"votes_per_galaxy": 41}, "votes_per_galaxy must be from 3 to 40"),
        ({"volunteers": 4}, "retirement_votes must be from 3 to 4 .volunteers., is 40"),
    ],
)
def test_a_broken_rule_is_named(change, message):
    with pytest.raises(InvalidInputError, match=message):
        ReplayPlan(**change)
