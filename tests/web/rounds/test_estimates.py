"""Dry runs: what a round would be and cost, and nothing written."""

import datetime as dt

import pytest
from django.utils import timezone

from lenticular.rounds import estimates, services, workspace
from lenticular.rounds.errors import RoundConfigError
from lenticular.rounds.models import Round, RoundState
from lenticular.rounds.telling import dry_run_lines
from lenticular.selection.models import QueueEntry

from .conftest import TINY

pytestmark = pytest.mark.django_db
NOT_PRETRAINED = {**TINY, "train": {**TINY["train"], "pretrain_steps": 0}}
SECONDS = {
    "snapshot": 1, "train": 10, "evaluate": 2, "predict": 4, "acquire": 8, "flag": 20, "publish": 1,
}  # fmt: skip


@pytest.fixture
def finish_in(workflow):
    """Return a function that makes a round which took `factor` times SECONDS."""

    def finish(factor, *, devices=("CPU",), pool=20, config=TINY):
        round_ = services.start_round(workflow=workflow, user=None, config=config)
        start = timezone.now()
        for stage in round_.stages.all():
            stage.started_at = start
            stage.finished_at = start + dt.timedelta(seconds=factor * SECONDS[stage.name])
            stage.save()
        hardware = {"machine": "x86_64", "cores": 2, "devices": list(devices)}
        Round.objects.filter(pk=round_.pk).update(
            state=RoundState.SUCCEEDED, votes=100, pool=pool, hardware=hardware
        )
        return round_

    return finish


def test_says_what_would_be_learned_from(workflow):
    found = estimates.dry_run(workflow=workflow, config=TINY)
    assert (found.pool, found.panel) == (40, 10)
    assert (found.training_galaxies, found.panel_galaxies, found.votes) == (24, 8, 160)
    assert (found.version, found.last_round, found.new_votes, found.to_beat) == (1, None, 160, None)
    assert found.free_bytes > 0
    assert not found.refused
    assert [reason.kind for reason in found.reasons] == ["schedule-off", "new-votes"]
    assert found.to_dict()["reasons"][0]["schedule_only"] is True


def test_writes_nothing(workflow):
    estimates.dry_run(workflow=workflow, config=TINY)
    assert not Round.objects.exists()
    assert not workspace.local_path("rounds").exists()


def test_without_earlier_rounds_the_cost_is_unknown(workflow):
    assert estimates.dry_run(workflow=workflow, config=TINY).cost is None


def test_the_cost_is_in_proportion_to_the_work(workflow, finish_in):
    finish_in(1, pool=20, config=NOT_PRETRAINED)
    config = {**NOT_PRETRAINED, "folds": 5}
    config["train"] = {**config["train"], "epochs": 6}
    cost = estimates.dry_run(workflow=workflow, config=config).cost
    assert cost.stages["predict"] == (8, 8)
    # Two epochs of a network and two folds' were measured; six of one and of five are asked for.
    assert cost.stages["train"] == (60, 60)
    assert cost.stages["flag"] == (40, 40)
    assert cost.seconds == pytest.approx((132, 132))
    assert (cost.measured, cost.bytes) == ([1], None)
    assert not cost.pretrains


def test_pretraining_costs_where_no_encoder_is_kept(workflow, finish_in):
    finish_in(1, pool=40)
    kept, again = (
        estimates.dry_run(
            workflow=workflow, config={**TINY, "train": {**TINY["train"], **changes}}
        ).cost
        for changes in ({}, {"pretrain_steps": 30})
    )
    # 3 networks learn from 2 * 2 * 8 galaxies each, and pretraining from 2 * 8.
    assert (kept.pretrains, again.pretrains) == (False, True)
    assert kept.stages["train"] == pytest.approx((10 * 96 / 112,) * 2)
    assert again.stages["train"] == pytest.approx((10 * (96 + 240) / 112,) * 2)


def test_rounds_with_the_same_encoder_tell_best(workflow, finish_in):
    for encoder, factor in (("resnet10t", 5), ("test_resnet", 1), ("test_resnet", 1)):
        finish_in(factor, config={**TINY, "train": {**TINY["train"], "encoder": encoder}})

    def cost(encoder):
        config = {**TINY, "train": {**TINY["train"], "encoder": encoder}}
        return estimates.dry_run(workflow=workflow, config=config).cost

    assert (cost("resnet10t").measured, cost("resnet10t").other_encoders) == ([1], [])
    assert (cost("test_resnet").measured, cost("test_resnet").other_encoders) == ([3, 2], [])


def test_another_encoder_is_said_to_be_another(workflow, finish_in):
    finish_in(1)
    config = {**TINY, "train": {**TINY["train"], "encoder": "convnext_base"}}
    found = estimates.dry_run(workflow=workflow, config=config)
    assert (found.cost.measured, found.cost.other_encoders) == ([1], ["test_resnet"])
    said = "\n".join(dry_run_lines(found))
    assert "measured with another encoder (test_resnet)" in said
    assert "pretraining is part of it" in said


def test_the_cost_ranges_over_earlier_rounds_on_the_same_machine(workflow, finish_in):
    finish_in(100, devices=["an old card"])
    finish_in(1)
    finish_in(3)
    cost = estimates.dry_run(workflow=workflow, config=TINY).cost
    assert cost.measured == [3, 2]
    assert cost.stages["acquire"] == (16, 48)


def test_an_ensemble_costs_as_many_trainings_and_predictions(workflow, finish_in):
    finish_in(1, config=NOT_PRETRAINED)
    alone = estimates.dry_run(workflow=workflow, config=NOT_PRETRAINED).cost.stages
    config = {**TINY, "train": {**NOT_PRETRAINED["train"], "ensemble": 3}}
    together = estimates.dry_run(workflow=workflow, config=config).cost.stages
    for stage, times in {"train": 3, "flag": 1, "predict": (3 + 1) / 2, "acquire": 1}.items():
        assert together[stage] == tuple(times * seconds for seconds in alone[stage])


def test_a_round_whose_times_are_not_known_is_left_out(workflow, finish_in):
    round_ = finish_in(1)
    round_.stages.filter(name="train").update(started_at=None)
    assert estimates.dry_run(workflow=workflow, config=TINY).cost is None


def test_disk_is_in_proportion_to_the_galaxies(workflow, finish_in):
    folder = workspace.round_folder(finish_in(1, pool=20))
    folder.mkdir(parents=True)
    (folder / "shard").write_bytes(b"x" * 1000)
    assert estimates.dry_run(workflow=workflow, config=TINY).cost.bytes == 2000


def test_says_what_has_changed_since_the_last_round(workflow, finish_in):
    finish_in(1)
    config = {**TINY, "batch": 9, "train": {**TINY["train"], "epochs": 3}}
    found = estimates.dry_run(workflow=workflow, config=config)
    assert (found.last_round, found.new_votes) == (1, 60)
    assert found.changed_settings == {"batch": (6, 9), "train.epochs": (2, 3)}


def test_a_workflow_without_version_or_galaxies_is_no_error(workflow):
    workflow.current_version = None
    QueueEntry.objects.all().delete()
    found = estimates.dry_run(workflow=workflow)
    assert (found.version, found.pool, found.votes, found.refused) == (None, 0, 0, True)


def test_a_bad_setting_is_named(workflow):
    with pytest.raises(RoundConfigError, match="folds"):
        estimates.dry_run(workflow=workflow, config={"folds": 0})


def test_settings_that_the_code_has_no_more_are_no_error(workflow, finish_in):
    round_ = finish_in(1)
    Round.objects.filter(pk=round_.pk).update(config={"of_old": 1})
    found = estimates.dry_run(workflow=workflow, config=TINY)
    assert (found.last_round, found.cost, found.changed_settings) == (1, None, {})
