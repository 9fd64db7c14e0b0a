"""The panel stands for the survey, and what a machine chose does not."""

import numpy as np
import pytest

from mlcore.errors import InvalidInputError
from mlcore.simulate.votes_population import (
    ASSISTED,
    UNWEIGHTED,
    WEIGHTED,
    _Population,
    score_population,
)
from tests.mlcore.simulate.vote_surveys import make_survey, small_plan


@pytest.fixture(scope="module")
def skewed():
    """A thousand galaxies; the machine asked about disks alone."""
    rng = np.random.default_rng(0)
    disk = rng.random(1000)
    said = np.stack([disk, 1 - disk], axis=1)
    seen = np.where(disk[:, None] > 0.6, said, np.nan)
    predicted = np.clip(said + rng.normal(0, 0.05, (1000, 1)) * [1, -1], 0, 1)
    return _Population(said, seen, predicted)


def errors_of(population, panels=200):
    rng = np.random.default_rng(1)
    found = [population.estimates(rng.permutation(1000)[:100]) for _ in range(panels)]
    return {
        name: (
            np.array([each[name][0][0] for each in found]) - population.truth[0],
            np.array([each[name][1][0] for each in found]),
        )
        for name in found[0]
    }


class TestEstimators:
    def test_only_the_weighted_ones_are_unbiased(self, skewed):
        errors = errors_of(skewed)
        assert errors[UNWEIGHTED][0].mean() > 0.15
        for name in (WEIGHTED, ASSISTED):
            assert abs(errors[name][0].mean()) < 0.005

    def test_their_intervals_hold_the_truth(self, skewed):
        for name in (WEIGHTED, ASSISTED):
            error, half = errors_of(skewed)[name]
            assert 0.9 < (np.abs(error) <= half).mean() <= 1.0

    def test_a_good_model_narrows_them(self, skewed):
        errors = errors_of(skewed)
        assert errors[ASSISTED][1].mean() < errors[WEIGHTED][1].mean() / 2

    def test_the_panel_counts_once_where_it_was_chosen_too(self, skewed):
        """A panel of disks that the machine asked about leaves all but those of the panel."""
        panel = np.flatnonzero(np.isfinite(skewed.seen[:, 0]))[:50]
        estimate, _ = skewed.estimates(panel)[UNWEIGHTED]
        assert estimate == pytest.approx(np.nanmean(skewed.seen, axis=0))

    def test_a_whole_survey_leaves_no_doubt(self, skewed):
        estimate, half = skewed.estimates(np.arange(1000))[WEIGHTED]
        assert estimate == pytest.approx(skewed.truth)
        assert half == pytest.approx([0, 0])


class TestScore:
    def test_has_a_row_for_each_estimator(self):
        scores = score_population(make_survey(), small_plan(), [0, 1], votes=100, panels=3)
        assert [score.estimator for score in scores] == [UNWEIGHTED, WEIGHTED, ASSISTED]
        for score in scores:
            assert score.estimates == 2 * 3 * 3
            assert 0 <= score.coverage <= 1
            assert score.row()["estimates"] == "18"

    @pytest.mark.parametrize("share", [0.0, 1.0])
    def test_refuses_an_impossible_panel(self, share):
        with pytest.raises(InvalidInputError, match=r"panel_share must be in \(0, 1\)"):
            score_population(make_survey(), small_plan(), [0], panel_share=share)

    @pytest.mark.parametrize("bad", [{"panels": 0}, {"votes": 1}, {"seeds": []}])
    def test_refuses_nothing_to_do(self, bad):
        given = {"seeds": [0], **bad}
        with pytest.raises(InvalidInputError, match="must be at least 1"):
            score_population(make_survey(), small_plan(), **given)
