"""Practice: told afterwards, never before, and no vote."""

import random
from uuid import uuid4

import pytest

from lenticular.accounts.services import create_anonymous_volunteer, volunteer_of
from lenticular.classifications.models import Arm, Kind
from lenticular.classifications.services import append_classification
from lenticular.classify.echoes import echo_of
from lenticular.classify.practice import Comparison, compare_paths, feedback_of
from lenticular.classify.services import merge_volunteers
from lenticular.consensus.models import Retirement, Tally
from lenticular.consensus.services import rebuild_consensus
from lenticular.selection import drawing
from lenticular.selection.models import Lease, QueueEntry
from lenticular.selection.services import lease_subjects, rebuild_queue
from tests.universe import (
    ARTIFACT,
    FEATURED,
    SMOOTH_LONG,
    SMOOTH_ROUND,
    answer,
    build_universe,
    give_gold,
)
from tests.web.classify.test_api import entry, send, served


@pytest.fixture
def universe(db):
    universe = build_universe(votes=False, control_panel=0.0)
    yield universe
    assert rebuild_consensus(workflow=universe.workflow, check=True) == []
    assert rebuild_queue(workflow=universe.workflow, check=True) == []


def practise(universe, path, *, gold=SMOOTH_ROUND, subject=None, volunteer=None):
    """Have a volunteer be served a gold subject for practice and answer it."""
    subject = subject or universe.subjects[0]
    if gold:
        give_gold(universe, subject, gold)
    volunteer = volunteer or create_anonymous_volunteer()
    serve_for_practice(universe, volunteer, subject)
    return answer(universe, volunteer, subject, path).classification


def serve_for_practice(universe, volunteer, subject):
    """Draw until the subject comes as practice; chance is the test's own."""
    for seed in range(200):
        leases = lease_subjects(
            workflow=universe.workflow, volunteer=volunteer, count=1, rng=random.Random(seed)
        )
        if leases[0].arm == Arm.PRACTICE and leases[0].subject == subject:
            return
        Lease.objects.filter(pk__in=[one.pk for one in leases]).delete()
        QueueEntry.objects.update(room=3)
    pytest.fail("practice must come within 200 draws, did not")


class TestRecording:
    def test_practice_is_kept_and_counts_nothing(self, universe):
        classification = practise(universe, FEATURED)

        assert (classification.kind, classification.arm) == (Kind.PRACTICE, Arm.PRACTICE)
        assert classification.selection_probability == pytest.approx(0.4)
        assert not Tally.objects.exists()
        assert QueueEntry.objects.get(subject=classification.subject).room == 3

    def test_it_retires_nothing(self, universe):
        give_gold(universe, universe.subjects[0], ARTIFACT)
        for _ in range(4):
            practise(universe, ARTIFACT, gold=None)

        assert not Retirement.objects.exists()

    def test_the_same_again_answers_as_the_first_did(self, universe):
        classification = practise(universe, FEATURED)

        again = answer(
            universe,
            classification.volunteer,
            classification.subject,
            FEATURED,
            uuid=classification.uuid,
        )

        assert not again.created
        assert again.classification == classification

    def test_it_is_never_served_again(self, universe):
        classification = practise(universe, FEATURED)

        leases = lease_subjects(
            workflow=universe.workflow, volunteer=classification.volunteer, count=12
        )

        assert len(leases) == 11
        assert classification.subject_id not in {one.subject_id for one in leases}

    def test_practice_of_an_anonymous_volunteer_goes_along_at_sign_in(self, universe):
        classification = practise(universe, FEATURED, volunteer=universe.anonymous)
        merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)

        leases = lease_subjects(workflow=universe.workflow, volunteer=universe.volunteer, count=12)

        assert classification.subject_id not in {one.subject_id for one in leases}


class TestComparing:
    def test_questions_are_compared_in_the_order_of_the_walk(self):
        own = [["a", "1"], ["b", "2"], ["c", "3"]]
        assert compare_paths(own, [[["a", "1"], ["b", "9"], ["d", "4"]]]) == [
            Comparison("a", "1", ("1",)),
            Comparison("b", "2", ("9",)),
        ]

    def test_one_expert_who_agrees_is_enough(self):
        [compared] = compare_paths([["a", "2"]], [[["a", "1"]], [["a", "2"]], [["a", "1"]]])
        assert compared.experts == ("1", "2")
        assert compared.agrees

    def test_without_experts_nothing_is_compared(self):
        assert compare_paths([["a", "2"]], []) == []


class TestFeedback:
    def test_who_saw_it_alike_is_told_so(self, universe):
        feedback = feedback_of(practise(universe, SMOOTH_ROUND))

        assert feedback.agrees
        assert feedback.title == "A practice galaxy: you saw what the experts saw."
        assert [step.agrees for step in feedback.steps] == [True, True]
        assert feedback.url == f"/galaxies/{universe.subjects[0].pk}/"
        assert feedback.thumb.endswith("-thumb.jpg")

    def test_who_saw_it_otherwise_reads_both_answers(self, universe):
        feedback = feedback_of(practise(universe, SMOOTH_LONG))

        assert not feedback.agrees
        assert [(each.yours, each.expert) for each in feedback.steps if not each.agrees] == [
            ("Elongated", "Round")
        ]
        assert feedback.steps[1].question == "How round is it?"
        assert "does not count as a vote" in feedback.text

    def test_the_expert_s_own_words_come_first(self, universe):
        append_classification(
            uuid=uuid4(),
            version=universe.version,
            subject=universe.subjects[0],
            volunteer=volunteer_of(user=universe.expert),
            path=universe.tree.validate(SMOOTH_ROUND),
            kind=Kind.EXPERT,
            gold_standard=True,
            metadata={"explanation": "Look at the even glow."},
        )
        feedback = feedback_of(practise(universe, FEATURED, gold=None))

        assert feedback.text == "Look at the even glow."

    def test_a_vote_has_none(self, universe):
        [lease] = lease_subjects(workflow=universe.workflow, volunteer=universe.anonymous)
        vote = answer(universe, universe.anonymous, lease.subject).classification

        assert feedback_of(vote) is None

    def test_practice_counts_nobody_twice_in_the_echo(self, universe, monkeypatch):
        practised = practise(universe, SMOOTH_ROUND)
        monkeypatch.setattr(drawing, "practice_share", lambda served: 0.0 * served)
        for volunteer in (universe.anonymous, universe.volunteer):
            lease_subjects(workflow=universe.workflow, volunteer=volunteer, count=12)
            answer(universe, volunteer, practised.subject, SMOOTH_ROUND)

        assert "2 of 2 other people agree" in echo_of(practised).text


class TestApi:
    def test_feedback_comes_with_the_result_and_nothing_before(self, client, universe, monkeypatch):
        monkeypatch.setattr(drawing, "practice_share", lambda served: float(served < 4))
        for subject in universe.subjects[:6]:
            give_gold(universe, subject)
        subjects = served(client, 8)
        arms = dict(Lease.objects.order_by("id").values_list("subject_id", "arm"))
        assert list(arms.values()) == [Arm.PRACTICE] * 4 + [Arm.ACTIVE] * 4
        assert {tuple(sorted(subject)) for subject in subjects} == {tuple(sorted(subjects[0]))}
        assert not any("gold" in str(subject) or "practice" in str(subject) for subject in subjects)

        results = send(client, *[entry(universe, subject, FEATURED) for subject in subjects])

        for subject, result in zip(subjects, results, strict=True):
            is_practice = arms[subject["id"]] == Arm.PRACTICE
            assert ("feedback" in result, "echo" in result) == (is_practice, not is_practice)
        told = next(result["feedback"] for result in results if "feedback" in result)
        assert told["agrees"] is False
        assert told["steps"][0]["expert"] == "Smooth"


def test_the_page_without_javascript_tells_it_too(client, universe):
    volunteer = universe.volunteer
    practise(universe, FEATURED, volunteer=volunteer)
    client.force_login(universe.volunteer_user)

    page = client.get("/classify/shapes/")

    assert page.context["echo"] is None
    assert page.context["feedback"].steps[0].expert == "Smooth"
