"""Any two models on the same galaxies of the control panel."""

import numpy as np
import pytest
from scipy.stats import betabinom

from lenticular.consensus.models import Tally
from lenticular.rounds import panel
from lenticular.rounds.comparing import compare_models
from lenticular.rounds.errors import NotComparableError
from lenticular.rounds.models import Round
from lenticular.rounds.workspace import round_folder
from lenticular.workflows.models import WorkflowVersion

pytestmark = pytest.mark.django_db


def test_the_surer_model_costs_less_where_people_agree(published_twice):
    """Five of five votes for the likelier answer, on each of eight galaxies."""
    old, new = published_twice
    found = compare_models(new=new, old=old)
    costs = [-betabinom.logpmf(5, 5, certainty, 1.0) / 5 for certainty in (8.0, 2.0)]
    assert (found.new, found.old) == (2, 1)
    assert (found.overall.new_nll, found.overall.old_nll) == pytest.approx(costs)
    difference = costs[0] - costs[1]
    comparison = found.overall.comparison
    assert comparison.difference == pytest.approx(difference)
    assert (comparison.low, comparison.high) == pytest.approx((difference, difference))
    assert (comparison.n, comparison.not_worse) == (8, True)
    assert found.questions["shape"].new_accuracy == found.questions["shape"].old_accuracy == 1.0
    assert found.to_dict()["overall"]["comparison"]["n"] == 8


def test_the_other_way_round_is_the_opposite(published_twice):
    old, new = published_twice
    forth, back = compare_models(new=new, old=old), compare_models(new=old, old=new)
    assert forth.overall.comparison.difference == -back.overall.comparison.difference
    assert not back.overall.comparison.not_worse


def test_galaxies_are_resampled_in_pairs(published_twice):
    """Where every fourth galaxy votes against the models, the interval has a width."""
    old, new = published_twice
    for tally in Tally.objects.all():
        if int(tally.subject.external_id) % 8 == 0:
            tally.counts = {"shape_bar": 5}
            tally.save()
    comparison = compare_models(new=new, old=old).overall.comparison
    assert comparison.low < comparison.difference < comparison.high


def test_votes_of_today_count(published_twice):
    old, new = published_twice
    before = compare_models(new=new, old=old).overall.new_nll
    Tally.objects.update(counts={"shape_round": 9}, classifications=9)
    assert compare_models(new=new, old=old).overall.new_nll != before


def test_only_so_many_galaxies_are_read(published_twice, monkeypatch):
    monkeypatch.setattr(panel, "AT_MOST", 3)
    found = panel.panel_counts(version=published_twice[0].version)
    assert [id_str for id_str, _ in found.values()] == ["s:0", "s:4", "s:8"]
    assert all(np.array_equal(counts, [5, 0]) for _, counts in found.values())


class TestRefused:
    def refuse(self, new, old, message):
        with pytest.raises(NotComparableError, match=message):
            compare_models(new=new, old=old)

    def test_one_and_the_same(self, published_twice):
        self.refuse(published_twice[0], published_twice[0], "both are round 1")

    def test_without_predictions(self, published_twice):
        (round_folder(published_twice[0]) / "predict" / "shard-00000.parquet").unlink()
        self.refuse(*published_twice, "predictions of round 1 must be there, are gone")

    def test_with_damaged_predictions(self, published_twice):
        shard = round_folder(published_twice[1]) / "predict" / "shard-00000.parquet"
        shard.write_bytes(shard.read_bytes()[:-20])
        self.refuse(*published_twice, "predictions of round 2 must be readable, are not")

    def test_without_votes(self, published_twice):
        Tally.objects.all().delete()
        self.refuse(*published_twice, "must have predicted a panel galaxy with votes")

    def test_of_two_trees(self, published_twice):
        old, new = published_twice
        version = WorkflowVersion.objects.create(
            workflow=old.workflow, number=2, tree_json=old.version.tree_json, checksum="other"
        )
        Round.objects.filter(pk=new.pk).update(version=version)
        self.refuse(Round.objects.get(pk=new.pk), old, "must answer one decision tree")
