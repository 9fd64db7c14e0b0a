import random
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from lenticular.accounts.services import create_anonymous_volunteer
from lenticular.classifications.models import Arm, Classification
from lenticular.classifications.services import withdraw_gold_standard
from lenticular.common.errors import InvalidInputError
from lenticular.selection.models import Lease, LeaseState, QueueEntry
from lenticular.selection.services import (
    NotServedError,
    answer_lease,
    find_lease,
    lapse_leases,
    lease_subjects,
    rebuild_queue,
    retire_entry,
)
from lenticular.workflows.services import set_open
from tests.universe import answer, build_universe, classify, give_gold


def lease(universe, volunteer, count=1, seed=3):
    return lease_subjects(
        workflow=universe.workflow, volunteer=volunteer, count=count, rng=random.Random(seed)
    )


def subjects_of(leases):
    return [one.subject_id for one in leases]


def room_of(subject_id):
    return QueueEntry.objects.get(subject=subject_id).room


@pytest.fixture
def universe(quiet_universe):
    yield quiet_universe
    assert rebuild_queue(workflow=quiet_universe.workflow, check=True) == []


def test_a_lease_takes_room_and_tells_how_it_was_drawn(universe):
    [granted] = lease(universe, universe.anonymous)

    entry = QueueEntry.objects.get(subject=granted.subject_id)
    assert entry.room == 2
    assert granted.arm == (Arm.CONTROL if entry.in_panel else Arm.ACTIVE)
    assert 0 < granted.selection_probability <= 1
    assert granted.expires_at > timezone.now() + timedelta(seconds=890)


def test_a_reload_shows_the_same_galaxies(universe):
    first = lease(universe, universe.anonymous, 2)

    again = lease(universe, universe.anonymous, 4, seed=99)

    assert subjects_of(again)[:2] == subjects_of(first)
    assert len(set(subjects_of(again))) == 4
    assert Lease.objects.count() == 4


def test_no_subject_is_served_twice_and_the_end_is_told(universe):
    seen = []
    while recorded := classify(universe, universe.anonymous, 5):
        seen += [one.classification.subject_id for one in recorded]

    assert sorted(seen) == [subject.pk for subject in universe.subjects]
    assert lease(universe, universe.anonymous) == []


def test_a_lapsed_lease_is_not_served_again(universe):
    [first] = lease(universe, universe.anonymous)
    lapse_leases(now=timezone.now() + timedelta(days=1), limit=10)

    assert first.subject_id not in subjects_of(lease(universe, universe.anonymous, 12))


def test_the_panel_is_served_by_the_control_arm_alone(universe):
    leases = lease(universe, universe.anonymous, 12)

    in_panel = set(QueueEntry.objects.filter(in_panel=True).values_list("subject", flat=True))
    assert {one.subject_id for one in leases if one.arm == Arm.CONTROL} == in_panel
    assert {one.arm for one in leases} == {Arm.CONTROL, Arm.ACTIVE}


def test_the_active_arm_keeps_to_the_highest_priorities(db, monkeypatch):
    monkeypatch.setattr("lenticular.selection.drawing.WINDOWS", dict.fromkeys(Arm, 2))
    monkeypatch.setattr("lenticular.selection.leasing.WINDOWS", dict.fromkeys(Arm, 2))
    universe = build_universe(votes=False, control_panel=0.0)
    best = QueueEntry.objects.order_by("-priority").values_list("subject", flat=True)[:2]

    drawn = Counter(
        subjects_of(lease(universe, create_anonymous_volunteer(), seed=seed))[0]
        for seed in range(3)
    )

    assert set(drawn) <= set(best)


def test_a_subject_without_room_is_passed_over(universe):
    for _ in range(3):
        lease(universe, create_anonymous_volunteer(), 12)

    assert set(QueueEntry.objects.values_list("room", flat=True)) == {0}
    assert lease(universe, universe.anonymous, 12) == []


def test_room_lost_between_look_and_claim_is_not_promised(universe, monkeypatch):
    from lenticular.selection import leasing

    candidates = leasing.find_candidates(universe.workflow, [universe.anonymous.pk], 12)
    monkeypatch.setattr(leasing, "find_candidates", lambda *_: candidates)
    for _ in range(3):
        monkeypatch.undo()
        lease(universe, create_anonymous_volunteer(), 12)
        monkeypatch.setattr(leasing, "find_candidates", lambda *_: candidates)

    assert lease(universe, universe.anonymous, 12) == []
    assert QueueEntry.objects.filter(room__lt=0).count() == 0


def test_a_retired_subject_is_not_served_not_even_from_the_hand(universe):
    held, other = lease(universe, universe.anonymous, 2)
    retire_entry(workflow=universe.workflow, subject_id=held.subject_id)

    again = subjects_of(lease(universe, universe.anonymous, 12))

    QueueEntry.objects.update(is_retired=False)
    assert other.subject_id in again
    assert held.subject_id not in again


def test_a_closed_workflow_serves_nothing_and_takes_what_is_out(universe):
    [held] = lease(universe, universe.anonymous)

    set_open(workflow=universe.workflow, is_open=False)

    assert lease(universe, universe.anonymous) == []
    assert answer(universe, universe.anonymous, held.subject).created


@pytest.mark.parametrize("count", [0, 51])
def test_a_count_out_of_range_is_refused(universe, count):
    with pytest.raises(InvalidInputError, match=f"from 1 to 50, is {count}"):
        lease(universe, universe.anonymous, count)


class TestGold:
    @pytest.fixture
    def universe(self, db):
        return build_universe(votes=False, gold_share=0.5, control_panel=0.0, has_practice=False)

    def test_gold_subjects_come_at_their_share_and_say_so(self, universe):
        give_gold(universe, universe.subjects[0])

        served = [lease(universe, create_anonymous_volunteer(), seed=seed)[0] for seed in range(40)]

        arms = Counter(one.arm for one in served)
        assert arms[Arm.GOLD] == pytest.approx(20, abs=10)
        for one in served:
            if one.arm == Arm.GOLD:
                assert one.subject == universe.subjects[0]
                assert one.selection_probability == 0.5

    def test_gold_subjects_are_asked_about_when_retired_too(self, universe):
        give_gold(universe, universe.subjects[0])
        retire_entry(workflow=universe.workflow, subject_id=universe.subjects[0].pk)

        served = [lease(universe, create_anonymous_volunteer(), seed=seed)[0] for seed in range(9)]

        assert Arm.GOLD in {one.arm for one in served}

    def test_whoever_set_the_gold_standard_is_not_asked(self, universe):
        from lenticular.accounts.services import volunteer_of

        give_gold(universe, universe.subjects[0])
        expert = volunteer_of(user=universe.expert)

        assert universe.subjects[0].pk not in subjects_of(lease(universe, expert, 12))


class TestPractice:
    @pytest.fixture
    def universe(self, db):
        universe = build_universe(votes=False, control_panel=0.0)
        for subject in universe.subjects[:4]:
            give_gold(universe, subject)
        return universe

    def practice(self, universe, volunteers=30):
        served = [
            lease(universe, create_anonymous_volunteer(), seed=seed)[0]
            for seed in range(volunteers)
        ]
        return [one for one in served if one.arm == Arm.PRACTICE]

    def test_it_comes_at_its_share_and_says_so(self, universe):
        practised = self.practice(universe)

        assert len(practised) == pytest.approx(12, abs=8)
        assert {one.subject for one in practised} <= set(universe.subjects[:4])
        assert {one.selection_probability for one in practised} == {0.4 / 4}

    def test_it_takes_no_room_and_gives_none(self, universe):
        [practised, *_] = self.practice(universe)
        room = room_of(practised.subject_id)

        lapse_leases(now=practised.expires_at + timedelta(seconds=1), limit=100)

        practised.refresh_from_db()
        assert practised.state == LeaseState.LAPSED
        out = Lease.objects.filter(subject=practised.subject, arm=Arm.ACTIVE).count()
        assert room_of(practised.subject_id) == room + out
        answer_lease(lease=practised)
        assert room_of(practised.subject_id) == room + out

    def test_a_retired_subject_is_practised_on_too_even_from_the_hand(self, universe):
        retire_entry(workflow=universe.workflow, subject_id=universe.subjects[0].pk)
        held = next(one for one in self.practice(universe) if one.subject == universe.subjects[0])

        [again] = lease(universe, held.volunteer)

        assert again.pk == held.pk

    def test_it_is_rarer_for_who_was_served_more(self, universe, monkeypatch):
        from lenticular.selection import leasing

        monkeypatch.setattr(leasing, "PRACTISED", 3)
        counts = []
        monkeypatch.setattr(
            leasing, "draws", lambda *_, served, **__: counts.append(served) or iter(())
        )
        lease(universe, universe.anonymous, 2)
        monkeypatch.undo()
        lease(universe, universe.anonymous, 2)
        monkeypatch.setattr(
            leasing, "draws", lambda *_, served, **__: counts.append(served) or iter(())
        )
        lease(universe, universe.anonymous, 9)

        assert counts == [0, 2]

    def test_none_where_the_workflow_has_none(self, db):
        universe = build_universe(votes=False, control_panel=0.0, has_practice=False)
        give_gold(universe, universe.subjects[0])

        assert self.practice(universe) == []

    def test_none_is_drawn_from_the_panel(self, db):
        universe = build_universe(votes=False, control_panel=1.0)
        give_gold(universe, universe.subjects[0])

        assert self.practice(universe) == []

    def test_nobody_is_measured_by_what_others_practise_on(self, db):
        universe = build_universe(votes=False, control_panel=0.0, gold_share=0.5)
        for subject in universe.subjects:
            give_gold(universe, subject)

        served = [
            one
            for seed in range(8)
            for one in lease(universe, create_anonymous_volunteer(), 12, seed=seed)
        ]

        subjects = {
            arm: {one.subject_id for one in served if one.arm == arm}
            for arm in (Arm.PRACTICE, Arm.GOLD)
        }
        assert subjects[Arm.PRACTICE]
        assert subjects[Arm.GOLD]
        assert not subjects[Arm.PRACTICE] & subjects[Arm.GOLD]

    def test_a_withdrawn_gold_standard_teaches_no_more(self, universe):
        for subject in universe.subjects[:4]:
            gold = Classification.objects.get(subject=subject)
            withdraw_gold_standard(classification=gold, expert=universe.expert, reason="blurred")

        assert self.practice(universe) == []

    def test_practice_alone_is_no_end(self, universe):
        QueueEntry.objects.update(is_retired=True)

        assert lease(universe, universe.anonymous, 4) == []


class TestLapsing:
    def test_room_comes_back_when_time_is_over(self, universe):
        [held] = lease(universe, universe.anonymous)

        assert lapse_leases(now=timezone.now(), limit=10) == 0
        assert lapse_leases(now=held.expires_at + timedelta(seconds=1), limit=10) == 1
        assert room_of(held.subject_id) == 3
        assert lapse_leases(now=held.expires_at + timedelta(seconds=1), limit=10) == 0

    def test_no_more_than_the_limit_lapse_at_once_the_oldest_first(self, universe):
        for place, held in enumerate(lease(universe, universe.anonymous, 3)):
            expired = timezone.now() - timedelta(seconds=place)
            Lease.objects.filter(pk=held.pk).update(expires_at=expired)

        assert lapse_leases(now=timezone.now(), limit=2) == 2
        assert Lease.objects.get(state=LeaseState.OUT).pk == Lease.objects.first().pk

    def test_serving_gives_back_what_others_left(self, universe):
        lease(universe, universe.anonymous, 12)
        Lease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

        lease(universe, universe.volunteer)

        assert set(Lease.objects.filter(volunteer=universe.anonymous).values_list("state")) == {
            (LeaseState.LAPSED,)
        }

    def test_who_comes_back_late_is_still_heard(self, universe):
        [held] = lease(universe, universe.anonymous)
        lapse_leases(now=timezone.now() + timedelta(days=1), limit=10)

        assert answer(universe, universe.anonymous, held.subject).created
        assert room_of(held.subject_id) == 2

    def test_a_reload_begins_the_time_anew(self, universe):
        [held] = lease(universe, universe.anonymous)
        Lease.objects.update(expires_at=timezone.now() + timedelta(seconds=1))

        [again] = lease(universe, universe.anonymous)

        assert again.expires_at >= held.expires_at
        assert Lease.objects.get().expires_at == again.expires_at


def test_answering_twice_takes_room_once(universe):
    [held] = lease(universe, universe.anonymous)
    answer(universe, universe.anonymous, held.subject)

    answer_lease(lease=held)

    assert room_of(held.subject_id) == 2


def test_what_was_never_served_has_no_lease(universe):
    with pytest.raises(NotServedError):
        find_lease(
            workflow=universe.workflow,
            subject_id=universe.subjects[0].pk,
            volunteer=universe.anonymous,
        )
