"""Rounds as a worker runs them: whole, cancelled, failing."""

from dataclasses import replace
from functools import partial

import pytest

from lenticular.rounds import pipeline, selectors, services, tasks
from lenticular.rounds.models import STAGES, Round, RoundState, TrainedModel, Verdict
from lenticular.rounds.rolling import roll_back
from lenticular.rounds.workspace import round_folder, stage_folder
from lenticular.selection.models import QueueEntry
from mlcore import training_round as machine
from mlcore.errors import ArtefactError
from mlcore.round_plan import model_checksum

from .conftest import SUBJECTS, TINY

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("one_thread", "quiet_logs"),
]


def start(workflow, config=TINY, seed=1):
    return services.start_round(workflow=workflow, user=None, config=config, seed=seed)


def finish(round_):
    tasks.run_round(round_.pk)
    round_.refresh_from_db()
    return round_


def test_a_round_runs_from_votes_to_a_published_queue(workflow):
    round_ = finish(start(workflow))
    assert (round_.state, round_.verdict, round_.error) == ("succeeded", Verdict.ACCEPTED, "")
    assert [stage.progress for stage in round_.stages.all()] == [1.0] * len(STAGES)
    assert round_.votes == 32 * 5
    assert round_.evaluation["n"] == 8
    assert round_.catalogue_checksum
    assert round_.hardware["devices"]
    assert selectors.current_model(workflow).origin["source"] == "pretrained-here"
    assert QueueEntry.objects.filter(generation=1).count() == SUBJECTS
    first = QueueEntry.objects.order_by("-priority").first()
    assert first.top_answer.startswith("shape_")
    assert not first.in_panel
    predicted = selectors.read_predictions(round_, ["s:1", "s:39", "s:none"])
    assert set(predicted) == {"s:1", "s:39"}
    assert predicted["s:1"].shape == (2,)
    assert [id_str for id_str, _ in selectors.iterate_predictions(round_)][:2] == ["s:0", "s:1"]

    again = finish(round_)
    assert again.finished_at == round_.finished_at

    second = finish(start(workflow))
    assert second.evaluation["comparison"]["n"] == 8
    assert second.verdict == Verdict.ACCEPTED
    assert selectors.current_model(workflow).round == second


def test_a_round_is_compared_anew_where_another_model_came_back_meanwhile(workflow, monkeypatch):
    first, second = (finish(start(workflow, seed=seed)) for seed in (1, 2))
    assert second.verdict == Verdict.ACCEPTED
    publish, tries = services.publish_round, []

    def roll_back_then_publish(**given):
        tries.append(stage_folder(given["round"], "train").record())
        if len(tries) == 1:
            roll_back(round=first, user=None, reason="while the third is about to be published")
        return publish(**given)

    monkeypatch.setattr(services, "publish_round", roll_back_then_publish)
    third = finish(start(workflow))
    assert (third.state, third.verdict) == (RoundState.SUCCEEDED, Verdict.ACCEPTED)
    compared = stage_folder(third, "evaluate").record().inputs["previous"]
    assert compared == model_checksum(stage_folder(first, "train").path / "model")
    assert compared != model_checksum(stage_folder(second, "train").path / "model")
    assert len(tries) == 2
    assert tries[0] == tries[1]


def test_a_cancelled_round_stops_soon_and_can_be_resumed(workflow, monkeypatch):
    round_ = start(workflow, {**TINY, "train": {**TINY["train"], "epochs": 10_000}})
    report = services.report_progress

    def cancel_in_training(**given):
        report(**given)
        if given["stage"] == "train":
            services.cancel_round(round=round_, user=None)

    monkeypatch.setattr(services, "report_progress", cancel_in_training)
    assert finish(round_).state == RoundState.CANCELLED
    assert round_.stages.get(name="snapshot").finished_at
    assert not TrainedModel.objects.exists()
    assert selectors.may_be_resumed(round_)


def test_a_round_cancelled_at_the_last_moment_ends_as_cancelled(
    workflow, monkeypatch, write_stages
):
    round_ = start(workflow)
    write_stages(round_)
    publish = services.publish_round

    def cancel_then_publish(**given):
        services.cancel_round(round=round_, user=None)
        return publish(**given)

    monkeypatch.setattr(pipeline, "run_round", lambda *_args, **_given: None)
    monkeypatch.setattr(services, "publish_round", cancel_then_publish)
    assert finish(round_).state == RoundState.CANCELLED
    assert not TrainedModel.objects.exists()


def test_a_cancelled_round_that_nobody_had_ends_at_once(workflow):
    round_ = start(workflow)
    Round.objects.update(cancel_requested=True)
    assert finish(round_).state == RoundState.CANCELLED
    assert not round_folder(round_).exists()


def test_a_failed_stage_shows_its_error(workflow, monkeypatch):
    def fail(_files):
        raise ArtefactError("the images are gone")

    stages = [replace(each, work=fail) if each.name == "train" else each for each in machine.STAGES]
    monkeypatch.setattr(machine, "STAGES", tuple(stages))
    round_ = finish(start(workflow))
    assert round_.state == RoundState.FAILED
    assert round_.error == "train: the images are gone"
    assert round_.stages.get(name="train").error == "the images are gone"
    assert QueueEntry.objects.filter(generation=0).count() == SUBJECTS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": "no_such_encoder"}, "encoder must be an architecture that timm knows"),
        ({"encoder": "vgg11", "image_size": 16}, "image_size must be large enough"),
    ],
)
def test_an_encoder_that_cannot_be_is_told_before_anything_is_done(workflow, changes, message):
    round_ = finish(start(workflow, {**TINY, "train": {**TINY["train"], **changes}}))
    assert round_.state == RoundState.FAILED
    assert message in round_.error
    assert "start another round" in round_.stages.get(name="snapshot").error
    assert not round_folder(round_).exists()


def test_a_changed_artefact_fails_the_round_and_leaves_the_queue_whole(workflow, monkeypatch):
    first = finish(start(workflow))
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "run_round", partial(pipeline.run_round, until="snapshot"))
        broken = finish(start(workflow))
    assert "stage train of tiny round 2 must be finished" in broken.error
    catalogue = stage_folder(broken, "snapshot").path / "training.parquet"
    catalogue.write_bytes(b"tampered")
    broken = finish(services.resume_round(round=broken, user=None))
    assert broken.state == RoundState.FAILED
    assert "snapshot/training.parquet must have checksum" in broken.error
    assert QueueEntry.objects.filter(generation=first.number).count() == SUBJECTS
    assert selectors.current_model(workflow).round == first
