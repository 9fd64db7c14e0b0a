from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlcore.errors import InvalidInputError
from mlcore.tree import Answer, DecisionTree, Question
from mlcore.votes.table import VoteTable
from mlcore.votes.weights import careless_volunteers, volunteer_weights, willett_weights

ROOT = Path(__file__).parents[3]
REAL = Path(os.environ.get("LENTICULAR_REAL_DATA", ROOT.parent / "shared" / "data"))
GZD5 = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz-decals-5.json")


def one_question(n_answers):
    answers = tuple(Answer(f"a{i}", {"en": f"{i}"}) for i in range(n_answers))
    return DecisionTree("t", "T", "q", (Question("q", {"en": "Q?"}, {}, answers),))


def crowd(n_answers, answer_of, *, n_volunteers=60, n_subjects=400, votes_each=8, seed=0):
    """Votes of a crowd: the truth four times in five, but for volunteers with `answer_of`."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(n_answers, n_subjects, p=_uneven(n_answers))
    asked = [rng.choice(n_volunteers, votes_each, replace=False) for _ in range(n_subjects)]
    volunteer = np.concatenate(asked)
    subject = np.repeat(np.arange(n_subjects), votes_each)
    wrong = rng.choice(n_answers, len(subject))
    answer = np.where(rng.random(len(subject)) < 0.8, truth[subject], wrong)
    for who, choose in answer_of.items():
        mine = volunteer == who
        answer[mine] = choose(rng, truth[subject[mine]])
    return VoteTable(one_question(n_answers), volunteer, subject, np.zeros_like(subject), answer)


def _uneven(n_answers):
    share = np.arange(n_answers, 0, -1.0)
    return share / share.sum()


def clicks_at_random(n_answers):
    return lambda rng, truth: rng.integers(n_answers, size=len(truth))


def always_the_first(_rng, truth):
    return np.zeros_like(truth)


@pytest.mark.parametrize("n_answers", [2, 3, 5, 6])
class TestVolunteersWhoDoNotLook:
    def test_a_random_clicker_weighs_little_whatever_the_number_of_answers(self, n_answers):
        votes = crowd(n_answers, {0: clicks_at_random(n_answers)})
        weight = volunteer_weights(votes).weight
        assert weight[0] < 0.15
        assert np.median(weight[1:]) > 0.8

    def test_so_does_one_who_always_gives_the_commonest_answer(self, n_answers):
        votes = crowd(n_answers, {0: always_the_first})
        weight = volunteer_weights(votes).weight
        assert weight[0] < 0.15
        assert np.median(weight[1:]) > 0.8

    def test_a_good_volunteer_is_not_weighed_down(self, n_answers):
        votes = crowd(n_answers, {0: lambda _rng, truth: truth})
        assert volunteer_weights(votes).weight[0] == 1


class TestFlawsOfTheOriginal:
    def test_with_five_answers_it_weighs_nobody_down(self):
        votes = crowd(5, {0: clicks_at_random(5)})
        assert willett_weights(votes).weight.min() == 1
        assert volunteer_weights(votes).weight[0] < 0.15

    def test_with_few_votes_a_random_clicker_agrees_with_itself(self):
        random = {who: clicks_at_random(3) for who in range(6)}
        votes = crowd(3, random, n_subjects=2000, votes_each=3, n_volunteers=100)
        assert willett_weights(votes).weight[:6].mean() > 0.9
        assert volunteer_weights(votes).weight[:6].mean() < 0.2

    def test_it_is_willetts_formula(self):
        votes = VoteTable(
            one_question(2),
            volunteer=[0, 1, 2],
            subject=[0] * 3,
            question=[0] * 3,
            answer=[0, 0, 1],
        )
        result = willett_weights(votes, passes=1)
        assert result.consistency == pytest.approx([2 / 3, 2 / 3, 1 / 3])
        assert result.weight == pytest.approx([1, 1, (1 / 3 / 0.6) ** 8.5])


class TestFormula:
    def test_one_pass_is_the_sum_written_out(self):
        votes = crowd(3, {}, n_volunteers=9, n_subjects=12, votes_each=5)
        result = volunteer_weights(votes, passes=1, prior_votes=2.0)
        assert result.consistency == pytest.approx(_by_hand(votes, prior=2.0))

    def test_few_votes_leave_an_ordinary_weight(self):
        votes = VoteTable(
            one_question(2),
            volunteer=range(4),
            subject=[0] * 4,
            question=[0] * 4,
            answer=[0, 0, 0, 1],
        )
        assert volunteer_weights(votes).weight.min() > 0.6

    def test_a_vote_with_no_pair_of_others_is_not_compared(self):
        votes = VoteTable(
            one_question(2), volunteer=[0, 1], subject=[0, 0], question=[0, 0], answer=[0, 1]
        )
        result = volunteer_weights(votes)
        assert result.weight.tolist() == [1, 1]
        assert result.compared.tolist() == [0, 0]

    def test_an_index_without_votes_weighs_one(self):
        votes = VoteTable(one_question(2), volunteer=[2], subject=[0], question=[0], answer=[0])
        assert volunteer_weights(votes).weight.tolist() == [1, 1, 1]
        assert willett_weights(votes).weight.tolist() == [1, 1, 1]

    def test_no_votes_give_no_weights(self):
        empty = VoteTable(GZD5, [], [], [], [])
        assert len(volunteer_weights(empty).weight) == 0
        assert len(willett_weights(empty).weight) == 0
        assert len(careless_volunteers(empty)) == 0

    @pytest.mark.parametrize(
        "setting", [{"prior_votes": 0}, {"exponent": -1}, {"passes": 0}, {"prior_votes": np.nan}]
    )
    def test_impossible_settings_are_refused_by_name(self, setting):
        with pytest.raises(InvalidInputError, match=next(iter(setting))):
            volunteer_weights(crowd(2, {}, n_subjects=3), **setting)


def _by_hand(votes, prior):
    n_answers = len(votes.tree.label_cols)
    rows = list(zip(votes.volunteer, votes.subject, votes.answer, strict=True))
    share = np.bincount(votes.answer, minlength=n_answers) / len(rows)
    gain, usual = np.zeros(votes.n_volunteers), np.zeros(votes.n_volunteers)
    for who, subject, answer in rows:
        others = [a for v, s, a in rows if s == subject and v != who]
        n = len(others)
        pairs = sum(a == b for i, a in enumerate(others) for j, b in enumerate(others) if i != j)
        gain[who] += others.count(answer) / n - share[answer]
        usual[who] += pairs / (n * (n - 1)) - np.mean([share[a] for a in others])
    return (gain + prior) / (np.maximum(usual, 0) + prior)


class TestCareless:
    def votes(self, artifact_share, n_subjects):
        rng = np.random.default_rng(1)
        answer = np.where(rng.random(n_subjects) < artifact_share, 2, 0)
        subject = np.arange(n_subjects)
        return VoteTable(GZD5, np.zeros_like(subject), subject, np.zeros_like(subject), answer)

    def test_one_who_sees_artifacts_nearly_everywhere_is_found(self):
        assert careless_volunteers(self.votes(0.9, 150)).tolist() == [0]

    @pytest.mark.parametrize(("share", "n_subjects"), [(0.9, 149), (0.2, 300)])
    def test_others_are_not(self, share, n_subjects):
        assert careless_volunteers(self.votes(share, n_subjects)).tolist() == []

    def test_the_thresholds_can_be_set(self):
        votes = self.votes(0.2, 300)
        found = careless_volunteers(votes, max_artifact_rate=0.1, min_classifications=10)
        assert found.tolist() == [0]

    @pytest.mark.parametrize("setting", [{"max_artifact_rate": 1.1}, {"min_classifications": 0}])
    def test_impossible_thresholds_are_refused_by_name(self, setting):
        with pytest.raises(InvalidInputError, match=next(iter(setting))):
            careless_volunteers(self.votes(0.5, 3), **setting)


class TestPlanetHunters:
    """Real volunteers and planted planets, whose size the weights have not seen."""

    @pytest.fixture
    def votes_and_radius(self):
        folder = REAL / "raw_votes_ibcc"
        if not folder.exists():
            pytest.skip(f"real Planet Hunters votes are not at {folder}")
        frame = pd.read_csv(folder / "planet_hunters_Q1_annotations_sim.csv")
        frame = frame.drop_duplicates(["zooniverse_user_id", "light_curve_id"])
        gold = pd.read_csv(folder / "planet_hunters_Q1_sims_gold.csv")
        volunteer = frame["zooniverse_user_id"].factorize()[0]
        subject, curves = frame["light_curve_id"].factorize()
        # Answer 9 says that there is a transit: its share grows with the planet's radius.
        answer = (frame["answer_id"] == 9).to_numpy().astype(int)
        votes = VoteTable(one_question(2), volunteer, subject, np.zeros_like(subject), answer)
        radius = pd.Series(curves).map(gold.set_index("light_curve_id")["p_radius"])
        return votes, radius.to_numpy()

    def test_those_with_more_weight_tell_large_planets_from_hidden_ones(self, votes_and_radius):
        votes, radius = votes_and_radius
        weight = volunteer_weights(votes).weight[votes.volunteer]
        large, hidden = radius[votes.subject] > 6, radius[votes.subject] < 3
        heavy = weight >= np.median(weight)
        seen = votes.answer == 1
        skill = [seen[on & large].mean() - seen[on & hidden].mean() for on in (heavy, ~heavy)]
        assert skill[0] > skill[1] + 0.1
