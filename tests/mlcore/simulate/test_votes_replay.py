"""Curves of votes and skill, for each strategy and seed."""

from dataclasses import replace

import numpy as np
import pytest

from mlcore.errors import CancelledError, InvalidInputError, NotEnoughVotesError
from mlcore.simulate.votes_replay import VotesPlan, World, replay_seed
from mlcore.simulate.votes_strategies import STRATEGIES, Designed, RandomThin, RandomWhole
from tests.mlcore.simulate.vote_surveys import make_survey, small_plan

SURVEY = make_survey()


@pytest.fixture(scope="module")
def result():
    return replay_seed(SURVEY, small_plan(), 1)


class TestReplaySeed:
    def test_has_a_curve_for_each_strategy(self, result):
        assert [curve.strategy for curve in result.curves] == [make().name for make in STRATEGIES]
        for curve in result.curves:
            assert (np.diff(curve.votes) > 0).all()
            assert (np.diff(curve.galaxies) >= 0).all()
            assert len(curve.votes) == len(curve.skill) == len(curve.accuracy)

    def test_votes_teach(self, result):
        assert 0 < result.full_skill < result.best_skill
        assert result.full_accuracy > result.majority_accuracy
        thin = next(curve for curve in result.curves if curve.strategy == RandomThin.name)
        assert thin.skill[-1] > thin.skill[0]

    def test_ends_at_the_goal_or_with_the_pool(self, result):
        for curve in result.curves:
            reached = curve.skill[-1] >= 0.99 * result.full_skill
            assert reached or curve.galaxies[-1] == result.pool

    def test_the_whole_pool_with_40_votes_is_the_reference(self):
        everything = replay_seed(SURVEY, small_plan(goal=1.0), 1, strategies=(RandomWhole(),))
        curve = everything.curves[0]
        assert curve.votes[-1] == 120 * 40
        assert curve.skill[-1] == pytest.approx(everything.full_skill, rel=1e-6)

    def test_is_repeatable(self, result):
        assert replay_seed(SURVEY, small_plan(), 1) == result

    def test_seeds_differ(self, result):
        other = replay_seed(SURVEY, small_plan(), 2, strategies=(RandomThin(),))
        assert other.full_skill != result.full_skill

    def test_ours_needs_fewer_votes_than_40_each(self, result):
        by_name = {curve.strategy: curve for curve in result.curves}
        ours, whole = by_name[Designed.name], by_name[RandomWhole.name]
        assert ours.votes[-1] < 0.6 * whole.votes[-1]

    def test_stops_when_asked(self):
        with pytest.raises(CancelledError, match="random, 40 votes each was stopped"):
            replay_seed(SURVEY, small_plan(), 1, should_stop=lambda: True)

    def test_reports(self):
        said = []
        replay_seed(
            SURVEY,
            small_plan(goal=0.1),
            1,
            strategies=(RandomThin(),),
            on_progress=lambda *each: said.append(each),
        )
        assert said[0][0] == "seed 1"
        assert "votes" in said[0][2]

    def test_refuses_a_negative_seed(self):
        with pytest.raises(InvalidInputError, match="seed must be at least 0, is -1"):
            replay_seed(SURVEY, small_plan(), -1)


class TestBadInput:
    def test_galaxies_without_features_and_twins_do_no_harm(self):
        features = SURVEY.features.copy()
        features[1:20:2] = np.nan
        features[40:60] = features[40]
        survey = replace(SURVEY, features=features)
        found = replay_seed(survey, small_plan(goal=0.5), 1, strategies=(Designed(),))
        assert np.isfinite(found.curves[0].skill).all()

    def test_features_that_tell_nothing(self):
        survey = replace(SURVEY, features=np.ones_like(SURVEY.features))
        with pytest.raises(NotEnoughVotesError, match="the features tell nothing"):
            replay_seed(survey, small_plan(), 1)

    def test_one_answer_only(self):
        alike = np.tile([1.0, 0.0, 0.0, 0.5, 0.5], (len(SURVEY.features), 1))
        with pytest.raises(NotEnoughVotesError, match="must be above 0"):
            replay_seed(replace(SURVEY, fractions=alike), small_plan(), 1)


class TestWorld:
    def test_no_test_galaxy_is_in_the_pool(self):
        world = World.of(SURVEY, small_plan(), 0)
        assert not SURVEY.test[world.rows].any()
        assert len(world.truth) == SURVEY.test.sum()

    def test_skill_is_zero_for_the_baseline_and_most_for_the_truth(self):
        world = World.of(SURVEY, small_plan(), 0)
        assert world.skill(np.tile(world.baseline, (len(world.truth), 1))) == pytest.approx(0)
        best = world.skill(world.truth)
        assert best > world.skill(0.9 * world.truth + 0.1 * world.baseline) > 0

    def test_skill_is_that_of_a_walk_through_the_tree(self):
        """By hand: an answer to the second question counts as often as it is asked."""
        world = World.of(SURVEY, small_plan(), 0)
        predicted = np.tile([0.2, 0.5, 0.3, 0.4, 0.6], (len(world.truth), 1))
        gained = np.log(predicted) - np.log(world.baseline)
        asked = world.truth[:, 1]
        first = (world.truth[:, :3] * gained[:, :3]).sum(axis=1)
        second = asked * (world.truth[:, 3:] * gained[:, 3:]).sum(axis=1)
        assert world.skill(predicted) == pytest.approx((first + second).mean())

    def test_an_impossible_prediction_is_finite(self):
        world = World.of(SURVEY, small_plan(), 0)
        assert np.isfinite(world.skill(np.zeros_like(world.truth)))


class TestPlan:
    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"pool": 19}, "pool must be at least 20, is 19"),
            ({"first": 0}, "first must be at least 1, is 0"),
            ({"volunteers": 39}, "volunteers must be at least 40, is 39"),
            ({"growth": 1.0}, "growth must be at least 1.05, is 1.0"),
            ({"goal": 1.2}, r"goal must be in \(0, 1\], is 1.2"),
        ],
    )
    def test_refuses_bad_settings(self, settings, said):
        with pytest.raises(InvalidInputError, match=said):
            VotesPlan(**settings)
