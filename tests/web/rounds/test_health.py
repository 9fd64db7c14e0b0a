"""Warnings: each with its number, its threshold and what to do."""

import datetime as dt
import uuid

import pytest
from django.utils import timezone
from scipy.stats import binomtest

from lenticular.accounts.models import Volunteer
from lenticular.classifications.models import Arm, Classification
from lenticular.consensus.models import Tally, VolunteerWeight
from lenticular.rounds import health
from lenticular.rounds.models import Round
from lenticular.rounds.workspace import round_folder
from lenticular.selection.models import Lease, QueueEntry
from lenticular.subjects.models import Subject

pytestmark = pytest.mark.django_db


def volunteers(number):
    return Volunteer.objects.bulk_create(Volunteer() for _ in range(number))


def vote(workflow, who, number, answer="round"):
    subject = Subject.objects.get(external_id=str(number))
    return Classification(
        uuid=uuid.uuid4(), workflow=workflow, version=workflow.current_version, subject=subject,
        volunteer=who, annotations=[["shape", answer]], arm=Arm.CONTROL, selection_probability=0.1,
    )  # fmt: skip


class TestSaturation:
    def test_retired_galaxies_outside_the_panel_are_decided_and_no_others(self, workflow):
        pool = QueueEntry.objects.filter(in_panel=False).order_by("id")
        assert health.saturation(workflow).value == 0
        ids = list(pool.values_list("id", flat=True))
        pool.update(room=0)
        assert health.saturation(workflow).value == 0
        QueueEntry.objects.filter(id__in=ids[:24]).update(is_retired=True)
        check = health.saturation(workflow)
        assert (check.value, check.is_warning, check.advice) == (0.8, False, "")
        QueueEntry.objects.filter(id=ids[24]).update(is_retired=True)
        check = health.saturation(workflow)
        assert check.is_warning
        assert "25 of 30 galaxies" in check.finding
        assert "import more galaxies" in check.advice

    def test_an_empty_queue_is_no_error(self, workflow):
        QueueEntry.objects.all().delete()
        assert health.saturation(workflow).value is None


class TestCareless:
    def cast(self, workflow, careless_people, people=4, each=30):
        """`people` volunteers vote on `each` subjects; so many of them are flagged."""
        who = volunteers(people)
        votes = [vote(workflow, one, number) for one in who for number in range(each)]
        Classification.objects.bulk_create(votes)
        for place, one in enumerate(who):
            VolunteerWeight.objects.create(
                workflow=workflow, volunteer=one, weight=1, votes=each,
                is_careless=place < careless_people,
            )  # fmt: skip
        return who

    def test_their_share_of_the_latest_votes_is_told(self, workflow):
        self.cast(workflow, 1)
        check = health.careless(workflow)
        assert (check.value, check.is_warning) == (0.25, True)
        assert "30 of the latest 120 votes: 25.0%" in check.finding
        assert check.advice

    def test_no_careless_volunteer_is_no_warning(self, workflow):
        self.cast(workflow, 0)
        check = health.careless(workflow)
        assert (check.value, check.is_warning) == (0, False)

    def test_votes_of_a_merged_volunteer_are_the_person_s(self, workflow):
        who = self.cast(workflow, 1)
        Volunteer.objects.filter(pk=who[1].pk).update(merged_into=who[0])
        assert health.careless(workflow).value == 0.5

    def test_only_the_latest_votes_are_read(self, workflow, monkeypatch):
        self.cast(workflow, 1)
        monkeypatch.setattr(health, "RECENT", 100)
        assert health.careless(workflow).value == 0.1

    @pytest.mark.parametrize("people", [0, 3])
    def test_few_votes_say_nothing(self, workflow, people):
        self.cast(workflow, 0, people=people)
        check = health.careless(workflow)
        assert (check.value, check.is_warning) == (None, False)


class TestArms:
    def serve(self, workflow, control, active):
        who = volunteers((control + active) // 40 + 1)
        subjects = list(Subject.objects.all())
        arms = [Arm.CONTROL] * control + [Arm.ACTIVE] * active
        Lease.objects.bulk_create(
            Lease(
                workflow=workflow, subject=subjects[place % 40], volunteer=who[place // 40],
                arm=arm, selection_probability=0.1, expires_at=timezone.now(),
            )
            for place, arm in enumerate(arms)
        )  # fmt: skip

    def test_the_share_that_the_workflow_gives_is_no_warning(self, workflow):
        self.serve(workflow, 60, 240)
        check = health.arms(workflow)
        assert (check.value, check.threshold, check.is_warning) == (0.2, 0.2, False)
        assert check.low < 0.2 < check.high

    @pytest.mark.parametrize("control", [20, 120])
    def test_another_share_is_a_warning(self, workflow, control):
        self.serve(workflow, control, 280)
        check = health.arms(workflow)
        assert check.is_warning
        assert f"{control} of the latest {control + 280} servings" in check.finding
        assert "99% interval" in check.finding

    def test_few_servings_say_nothing(self, workflow):
        self.serve(workflow, 0, 99)
        assert health.arms(workflow).value is None

    @pytest.mark.parametrize(("k", "n"), [(0, 100), (20, 100), (100, 100), (700, 5000)])
    def test_the_interval_is_wilson_s(self, k, n):
        expected = binomtest(k, n).proportion_ci(0.99, method="wilson")
        assert health.binomial_interval(k, n) == pytest.approx(tuple(expected), abs=1e-4)


class TestDrift:
    @pytest.fixture
    def model(self, published_twice):
        """The model of round 2, judged on 25 votes for each of eight galaxies."""
        Round.objects.update(started_at=timezone.now() - dt.timedelta(hours=1))
        for tally in Tally.objects.all():
            tally.counts = dict.fromkeys(tally.counts, 25)
            tally.classifications = 25
            tally.save()
        return Round.objects.get(pk=published_twice[1].pk)

    def add(self, workflow, answer, per_galaxy=20):
        """Votes since the round on each panel galaxy with votes; their tallies grow with them."""
        who = volunteers(per_galaxy)
        numbers = range(0, 32, 4)
        Classification.objects.bulk_create(
            vote(workflow, one, number, answer) for number in numbers for one in who
        )
        for tally in Tally.objects.filter(subject__external_id__in=numbers):
            column = f"shape_{answer}"
            tally.counts[column] = tally.counts.get(column, 0) + per_galaxy
            tally.save()

    def test_votes_like_those_before_are_no_drift(self, model):
        self.add(model.workflow, "round")
        check = health.drift(model.workflow)
        assert (check.value, check.is_warning) == (pytest.approx(0, abs=1e-6), False)
        assert "160 votes since round 2" in check.finding

    def test_votes_that_the_model_did_not_foresee_are(self, model):
        """It says eight to one for round: a vote for bar costs ln 8 more."""
        self.add(model.workflow, "bar")
        check = health.drift(model.workflow)
        assert check.value == pytest.approx(2.0794, abs=1e-3)
        assert check.is_warning
        assert check.low <= check.value <= check.high
        assert "start a round" in check.advice

    def test_votes_before_the_round_are_not_new(self, model):
        self.add(model.workflow, "bar")
        Round.objects.update(started_at=timezone.now() + dt.timedelta(hours=1))
        assert health.drift(model.workflow).value is None

    def test_few_votes_say_nothing(self, model):
        self.add(model.workflow, "bar", per_galaxy=1)
        check = health.drift(model.workflow)
        assert (check.value, check.is_warning) == (None, False)
        assert "Only 8 votes" in check.finding

    def test_without_predictions_it_says_so(self, model):
        (round_folder(model) / "predict" / "shard-00000.parquet").unlink()
        assert "are gone" in health.drift(model.workflow).finding

    def test_without_votes_it_says_so(self, model):
        Tally.objects.all().delete()
        assert health.drift(model.workflow).value is None

    def test_without_a_model_there_is_none(self, workflow):
        assert health.drift(workflow).finding == "There is no model yet."


def test_all_four_are_looked_at(workflow):
    found = health.checks(workflow=workflow)
    assert [check.kind for check in found] == ["saturation", "careless", "arms", "drift"]
    assert not any(check.is_warning for check in found)
    assert found[0].to_dict()["threshold"] == health.SATURATED
