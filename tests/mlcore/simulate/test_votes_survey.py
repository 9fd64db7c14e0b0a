"""Galaxies for a votes-needed replay: drawn ones, and those of a folder."""

from pathlib import Path

import mlcore.cnn  # noqa: F401 - before torch

# isort: split
import numpy as np
import pytest

from mlcore.errors import CancelledError, InvalidInputError, NotEnoughVotesError
from mlcore.simulate.votes_survey import VoteSurvey, drawn_survey, survey_of_folder
from mlcore.tree import DecisionTree
from tests.mlcore.conftest import make_tree
from tests.mlcore.simulate.replay_galaxies import draw_folder

GZD = DecisionTree.from_file(Path(__file__).parents[3] / "fixtures" / "trees" / "gz-decals-5.json")


class TestDrawn:
    def test_has_features_and_true_fractions(self):
        survey = drawn_survey(GZD, 80, 1)
        assert survey.features.shape[0] == 80
        assert np.isfinite(survey.features).all()
        first = survey.fractions[:, GZD.question_slices[GZD.start]]
        assert first.sum(axis=1) == pytest.approx(np.ones(80))

    def test_the_test_set_depends_on_the_id_alone(self):
        few, more = drawn_survey(GZD, 80, 1).test, drawn_survey(GZD, 90, 1).test
        assert (more[:80] == few).all()
        assert 0.05 < more.mean() < 0.4

    def test_refuses_a_negative_seed(self):
        with pytest.raises(InvalidInputError, match="seed must be at least 0, is -1"):
            drawn_survey(GZD, 80, -1)

    @pytest.mark.parametrize("number", [0, 1, 3, 30])
    def test_refuses_too_few(self, number):
        with pytest.raises(NotEnoughVotesError, match="at least 40 in the pool and 10"):
            drawn_survey(GZD, number, 1)

    def test_stops_when_asked(self):
        with pytest.raises(CancelledError):
            drawn_survey(GZD, 80, 1, should_stop=lambda: True)


class TestFolder:
    def test_crowds_answer_by_the_published_class(self, tmp_path):
        folder = draw_folder(tmp_path / "bars", 120)
        seen = []
        survey = survey_of_folder(folder, tmp_path, on_progress=lambda *said: seen.append(said))
        assert survey.name == "bars"
        assert survey.fractions.shape == (120, 2)
        assert sorted(np.unique(survey.fractions.round(9))) == [0.15, 0.85]
        assert seen

    def test_asks_the_question_of_a_tree(self, tmp_path):
        tree = make_tree(
            {"kind": {"bar": "deep", "round": None, "other": None}, "deep": {"a": None, "b": None}}
        )
        survey = survey_of_folder(draw_folder(tmp_path / "bars", 120), tmp_path, tree=tree)
        assert survey.tree.label_cols == ["kind_bar", "kind_round", "kind_other"]
        assert survey.fractions.sum(axis=1) == pytest.approx(np.ones(120))

    def test_refuses_a_tree_without_the_classes(self, tmp_path):
        with pytest.raises(InvalidInputError, match="must have one question"):
            survey_of_folder(draw_folder(tmp_path / "bars", 60), tmp_path, tree=GZD)

    def test_refuses_too_few(self, tmp_path):
        with pytest.raises(NotEnoughVotesError, match="galaxies must be at least"):
            survey_of_folder(draw_folder(tmp_path / "bars", 20), tmp_path)


def test_a_survey_needs_a_test_set():
    with pytest.raises(NotEnoughVotesError, match="are 50 and 0"):
        VoteSurvey("none", GZD, np.ones((50, 1)), np.ones((50, 34)), np.zeros(50, dtype=bool))
