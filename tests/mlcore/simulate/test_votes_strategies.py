"""Each way of spending votes, on one small pool."""

from dataclasses import replace

import numpy as np
import pytest

from mlcore.gp.acquisition import tree_information
from mlcore.simulate.votes_replay import World
from mlcore.simulate.votes_strategies import (
    FULL_VOTES,
    STRATEGIES,
    Designed,
    InformationTop,
    RandomAdaptive,
    RandomThin,
    RandomWhole,
    ThresholdRetires,
    ThresholdSelects,
    VotesSoFar,
)
from tests.mlcore.simulate.vote_surveys import make_survey, small_plan

WORLD = World.of(make_survey(), small_plan(), 0)
ORDER = np.random.default_rng(5).permutation(120)


def known(asked=None, seed=0):
    asked = np.zeros(120, dtype=np.int64) if asked is None else asked
    return VotesSoFar(WORLD.basis, WORLD.record.counts(asked), asked, WORLD.fit(asked), ORDER, seed)


def some_asked(votes=5, galaxies=40):
    asked = np.zeros(120, dtype=np.int64)
    asked[ORDER[:galaxies]] = votes
    return asked


def predicted_first(state):
    return state.first_answers(state.model.mean_fractions(state.basis))


@pytest.mark.parametrize("make", STRATEGIES)
class TestAll:
    def test_ask_for_about_as_many_as_there_are(self, make):
        more = make().ask(known(some_asked()), 200)
        assert more.min() >= 0
        assert 0 < more.sum() <= 220

    def test_never_ask_for_more_than_40_on_a_galaxy(self, make):
        asked = some_asked(38, 118)
        more = make().ask(known(asked), 10_000)
        assert (asked + more).max() <= FULL_VOTES

    def test_are_done_once_every_galaxy_has_40(self, make):
        assert not make().ask(known(np.full(120, FULL_VOTES)), 100).any()


def test_names_are_unique():
    names = [make().name for make in STRATEGIES]
    assert len(set(names)) == len(names)


class TestRandomWhole:
    def test_gives_all_votes_to_the_next_in_order(self):
        more = RandomWhole().ask(known(some_asked()), 80)
        assert np.flatnonzero(more).tolist() == sorted(ORDER[40:42])
        assert set(more) == {0, FULL_VOTES}


class TestRandomThin:
    def test_gives_everyone_a_vote_before_anyone_a_second(self):
        more = RandomThin().ask(known(), 130)
        assert more.min() == 1
        assert sorted(np.flatnonzero(more == 2)) == sorted(ORDER[:10])

    def test_fills_up_those_behind(self):
        more = RandomThin().ask(known(some_asked(1)), 80)
        assert (more[ORDER[40:]] == 1).all()
        assert not more[ORDER[:40]].any()


class TestRandomAdaptive:
    def test_leaves_a_galaxy_whose_votes_agree(self):
        state = known(some_asked(5))
        counts = np.zeros_like(state.counts)
        counts[ORDER[:20], 0] = 5
        counts[ORDER[20:40], 0], counts[ORDER[20:40], 1] = 3, 2
        more = RandomAdaptive().ask(replace(state, counts=counts), 60)
        assert not more[ORDER[:20]].any()
        assert (more[ORDER[20:40]] == 1).all()

    def test_begins_with_three_votes(self):
        more = RandomAdaptive().ask(known(), 9)
        assert more[ORDER[:3]].tolist() == [3, 3, 3]
        assert more.sum() == 9

    def test_is_as_sure_as_the_posterior(self):
        """Five against none: P(Beta(6, 1) > 1/2) = 1 - 2**-6."""
        state = known(some_asked(5, 1))
        counts = np.zeros_like(state.counts)
        counts[ORDER[0], 0] = 5
        state = replace(state, counts=counts)
        for sure, settled in ((1 - 2**-6 - 1e-9, True), (1 - 2**-6 + 1e-9, False)):
            assert RandomAdaptive(sure=sure)._settled(state)[ORDER[0]] == settled


class TestThresholds:
    def test_retires_what_is_predicted_clearly(self):
        state = known(some_asked(10))
        open_ones = (predicted_first(state).max(axis=1) < 0.8) & (state.asked == 0)
        more = ThresholdRetires(extras=0.0).ask(state, int(open_ones.sum()) * FULL_VOTES)
        assert (np.flatnonzero(more) == np.flatnonzero(open_ones)).all()

    def test_selects_what_is_predicted_to_be_of_interest(self):
        state = known(some_asked(10))
        common = state.first_answers(state.counts).sum(axis=0).argmax()
        seen = (1 - predicted_first(state)[:, common] >= 0.8) & (state.asked == 0)
        assert seen.any()
        more = ThresholdSelects(extras=0.0).ask(state, int(seen.sum()) * FULL_VOTES)
        assert (np.flatnonzero(more) == np.flatnonzero(seen)).all()

    def test_adds_a_fifth_at_random(self):
        state = known(some_asked(10))
        open_ones = (predicted_first(state).max(axis=1) < 0.8) & (state.asked == 0)
        both = round(1.2 * open_ones.sum())
        more = ThresholdRetires().ask(state, both * FULL_VOTES) > 0
        assert more[open_ones].all()
        assert (more & ~open_ones).sum() == round(0.2 * open_ones.sum())

    def test_asks_at_random_where_nothing_reaches_the_threshold(self):
        more = ThresholdSelects(threshold=1.0).ask(known(some_asked()), 80)
        assert np.flatnonzero(more).tolist() == sorted(ORDER[40:42])


class TestInformationTop:
    def test_begins_at_random(self):
        more = InformationTop().ask(known(), 80)
        assert np.flatnonzero(more).tolist() == sorted(ORDER[:2])

    def test_takes_the_most_informative(self):
        state = known(some_asked())
        ((_, draws),) = state.model.iterate_fractions(state.basis, 32, state.seed)
        scores = tree_information(draws, state.tree, 5)
        scores[state.asked > 0] = -1
        more = InformationTop(5).ask(state, 20)
        assert set(np.flatnonzero(more)) == set(np.argsort(-scores)[:4])


class TestDesigned:
    def test_spreads_its_random_share_thin(self):
        more = Designed(random_share=1.0).ask(known(), 50)
        assert (more == RandomThin().ask(known(), 50)).all()

    def test_may_be_blind_to_what_votes_say(self):
        state = known(some_asked(6, 120))
        turned = replace(state, counts=state.counts[:, [1, 0, 2, 3, 4]])
        blind = Designed(own_votes=False)
        assert (blind.ask(state, 100) == blind.ask(turned, 100)).all()
        assert (Designed().ask(state, 100) != Designed().ask(turned, 100)).any()

    def test_gives_few_votes_to_many_galaxies(self):
        more = Designed().ask(known(), 100)
        assert more.sum() == 100
        assert (more > 0).sum() > 60
