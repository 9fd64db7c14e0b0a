"""``manage.py start_round``."""

import io

import pytest
from django.core.management import CommandError, call_command

from lenticular.rounds import services
from lenticular.rounds.management.commands import start_round
from lenticular.rounds.models import Round, RoundRule, RoundState, Verdict
from lenticular.rounds.telling import clock
from lenticular.rounds.work import claim_round, fail_round

from .conftest import TINY, WORKER

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small_minima(monkeypatch):
    """The survey is small; start every round with settings that fit it."""
    start = services.start_round

    def start_small(**given):
        return start(**{**given, "config": {**TINY, **(given["config"] or {})}})

    monkeypatch.setattr(services, "start_round", start_small)


def run(*arguments):
    out = io.StringIO()
    call_command("start_round", *arguments, stdout=out)
    return out.getvalue()


def test_starts_a_round(workflow):
    said = run("tiny", "--seed", "9", "--config", '{"folds": 3}')
    round_ = Round.objects.get()
    assert said == "tiny round 1: pending, seed 9\n"
    assert (round_.seed, round_.config["folds"], round_.requested_by) == (9, 3, None)


def test_resumes_the_latest_round(pending):
    services.cancel_round(round=pending, user=None)
    run("tiny", "--resume")
    pending.refresh_from_db()
    assert pending.state == RoundState.PENDING


def test_waits_until_the_round_ends(workflow, monkeypatch, write_stages):
    def work(_seconds):
        round_ = Round.objects.get()
        if round_.state == RoundState.PENDING:
            claim_round(round_id=round_.pk, worker=WORKER)
            write_stages(round_)
        else:
            services.publish_round(round=round_, worker=WORKER)

    monkeypatch.setattr(start_round.time, "sleep", work)
    said = run("tiny", "--wait")
    assert "snapshot ·" in said
    assert said.endswith(f"tiny round 1: {Verdict.ACCEPTED}. Said by the gate.\n")


def test_a_round_that_fails_meanwhile_is_an_error(workflow, monkeypatch):
    def work(_seconds):
        round_ = Round.objects.get()
        claim_round(round_id=round_.pk, worker=WORKER)
        fail_round(round_id=round_.pk, worker=WORKER, stage="train", error="out of memory")

    monkeypatch.setattr(start_round.time, "sleep", work)
    with pytest.raises(CommandError, match="failed: train: out of memory"):
        run("tiny", "--wait")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no 'nowhere'"),
        (["tiny", "--config", "{"], "config must be JSON"),
        (["tiny", "--config", '{"folds": 0}'], "folds must be"),
        (["tiny", "--resume"], "has no round to resume"),
    ],
)
def test_mistakes_are_told(workflow, arguments, message):
    with pytest.raises(CommandError, match=message):
        run(*arguments)


def test_a_second_start_is_told(pending):
    with pytest.raises(CommandError, match="round 1 is active"):
        run("tiny")


class TestDryRun:
    def test_says_what_it_would_do_and_starts_nothing(self, workflow):
        said = run("tiny", "--dry-run")
        assert "160 votes; learns from 24 galaxies, is judged by 8 of 10 in the panel" in said
        assert "cost     unknown: no earlier round on this machine tells" in said
        assert "waits    the schedule is off" in said
        assert not Round.objects.exists()

    def test_is_of_the_settings_that_a_round_would_have(self, published_twice):
        RoundRule.objects.create(workflow=published_twice[0].workflow, config={"batch": 9})
        said = run("tiny", "--dry-run", "--config", '{"folds": 4}')
        assert "batch 6 → 9" in said
        assert "folds 2 → 4" in said
        assert "batch 6 → 200" in run("tiny", "--dry-run", "--from-defaults")

    def test_says_why_it_would_be_refused(self, pending):
        assert "refused  workflow tiny can have one active round" in run("tiny", "--dry-run")

    @pytest.mark.parametrize(
        ("config", "message"),
        [("{", "must be JSON"), ("[]", "must be an object"), ('{"folds": 0}', "folds must be")],
    )
    def test_bad_settings_are_refused(self, workflow, config, message):
        with pytest.raises(CommandError, match=message):
            run("tiny", "--dry-run", "--config", config)


@pytest.mark.parametrize(
    ("seconds", "said"), [(12.2, "12 s"), (185, "3 min 5 s"), (8040, "2 h 14 min")]
)
def test_durations_are_told(seconds, said):
    assert clock(seconds) == said
