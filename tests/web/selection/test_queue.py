import pytest

from lenticular.accounts.services import create_anonymous_volunteer
from lenticular.consensus.models import Retirement, RetirementReason
from lenticular.selection import queue
from lenticular.selection.models import QueueEntry
from lenticular.selection.queue import shuffle_of
from lenticular.selection.selectors import QueueState, queue_state
from lenticular.selection.services import (
    QueueRow,
    ask_for_more,
    fill_queue,
    lease_subjects,
    publish_queue,
    rebuild_queue,
    reopen_queue,
    retire_entry,
)
from lenticular.subjects.services import add_subject
from lenticular.workflows.services import publish_version
from tests.universe import SMOOTH_ROUND, answer, classify, galaxy_png, small_tree


def entries(universe):
    return {entry.subject_id: entry for entry in QueueEntry.objects.all()}


def lease_in_all(universe, volunteer):
    return lease_subjects(workflow=universe.workflow, volunteer=volunteer, count=50)


def rows_for(universe, **changes):
    values = {"votes_wanted": 2, "top_answer": "shape_smooth", **changes}
    return [
        QueueRow(subject_id=subject.pk, priority=-float(rank), **values)
        for rank, subject in enumerate(universe.subjects)
    ]


def test_every_subject_of_the_sets_is_queued_once(quiet_universe):
    universe = quiet_universe

    assert fill_queue(workflow=universe.workflow) == 0
    assert set(entries(universe)) == {subject.pk for subject in universe.subjects}


def test_subjects_added_later_join_the_queue(quiet_universe):
    universe = quiet_universe
    for number in (100, 101):
        add_subject(
            survey=universe.survey,
            external_id=f"late-{number}",
            image=galaxy_png(number),
            subject_sets=[universe.subject_set],
        )
    add_subject(survey=universe.survey, external_id="in-no-set", image=galaxy_png(102))

    assert fill_queue(workflow=universe.workflow) == 2


def test_the_panel_is_drawn_by_a_hash_and_never_again(quiet_universe):
    universe = quiet_universe

    for entry in QueueEntry.objects.select_related("subject"):
        shuffle = shuffle_of(
            workflow="shapes", survey="drawn", external_id=entry.subject.external_id
        )
        assert entry.shuffle == entry.priority == shuffle
        assert entry.in_panel == (shuffle < universe.workflow.control_panel)
        assert (entry.wanted, entry.room) == (3, 3)


def test_shuffles_fill_the_interval_evenly():
    drawn = [shuffle_of(workflow="w", survey="s", external_id=str(n)) for n in range(4000)]

    assert all(0 <= one < 1 for one in drawn)
    assert sum(one < 0.1 for one in drawn) == pytest.approx(400, abs=80)


def test_a_round_orders_the_queue_and_leaves_the_panel_its_votes(universe):
    before = entries(universe)

    changed = publish_queue(
        workflow=universe.workflow, generation=4, rows=rows_for(universe, votes_wanted=1)
    )

    assert changed == 12
    for rank, subject in enumerate(universe.subjects):
        entry = QueueEntry.objects.get(subject=subject)
        assert (entry.priority, entry.generation) == (-float(rank), 4)
        assert entry.top_answer == "shape_smooth"
        assert entry.shuffle == before[subject.pk].shuffle
        if entry.in_panel:
            assert (entry.wanted, entry.room) == (
                before[subject.pk].wanted,
                before[subject.pk].room,
            )
        else:
            assert entry.room == 1
    assert rebuild_queue(workflow=universe.workflow, check=True) == []


def test_room_published_leaves_out_what_is_promised(quiet_universe):
    universe = quiet_universe
    held = lease_subjects(workflow=universe.workflow, volunteer=universe.anonymous, count=12)

    publish_queue(workflow=universe.workflow, generation=1, rows=rows_for(universe))

    active = [one.subject_id for one in held if one.arm == "active"]
    assert {entries(universe)[subject_id].room for subject_id in active} == {1}
    assert rebuild_queue(workflow=universe.workflow, check=True) == []


def test_subjects_that_are_not_queued_are_passed_over(quiet_universe):
    universe = quiet_universe
    rows = [QueueRow(subject_id=999_999, priority=1.0, votes_wanted=1)]

    assert publish_queue(workflow=universe.workflow, generation=1, rows=rows) == 0
    assert len(entries(universe)) == 12


def test_a_publication_that_breaks_changes_nothing(quiet_universe):
    universe = quiet_universe
    before = entries(universe)

    def rows():
        yield from rows_for(universe)
        raise RuntimeError("the file is damaged")

    with pytest.raises(RuntimeError):
        publish_queue(workflow=universe.workflow, generation=1, rows=rows())

    after = entries(universe)
    assert all(after[pk].priority == entry.priority for pk, entry in before.items())


def test_a_new_version_asks_anew_about_subjects_half_done(quiet_universe):
    universe = quiet_universe
    [recorded] = classify(universe, universe.anonymous)
    changed = {**small_tree().to_dict(), "name": "Other shapes"}
    publish_version(workflow=universe.workflow, tree=type(universe.tree).from_dict(changed))

    assert reopen_queue(workflow=universe.workflow) == 1

    entry = entries(universe)[recorded.classification.subject_id]
    assert (entry.wanted, entry.room) == (4, 3)
    assert rebuild_queue(workflow=universe.workflow, check=True) == []
    assert reopen_queue(workflow=universe.workflow) == 0


def test_the_check_finds_and_the_rebuild_mends_a_wrong_queue(universe):
    first, second = universe.subjects[:2]
    QueueEntry.objects.filter(subject=first).update(room=40)
    retire_entry(workflow=universe.workflow, subject_id=second.pk)

    found = rebuild_queue(workflow=universe.workflow, check=True)

    assert [(one.subject_id, one.what) for one in found] == [
        (first.pk, "room"),
        (second.pk, "retirement in the queue"),
    ]
    assert rebuild_queue(workflow=universe.workflow, check=False) == found
    assert rebuild_queue(workflow=universe.workflow, check=True) == []


def test_the_queue_is_counted(quiet_universe):
    universe = quiet_universe
    panel = QueueEntry.objects.filter(in_panel=True).count()
    retire_entry(workflow=universe.workflow, subject_id=universe.subjects[0].pk)

    assert queue_state(workflow=universe.workflow) == QueueState(12, panel, 1)


def test_a_vote_for_a_gold_subject_keeps_the_room_s_invariant(db):
    from tests.universe import build_universe, give_gold

    universe = build_universe(votes=False, gold_share=1.0, control_panel=0.0)
    give_gold(universe, universe.subjects[0])
    [held] = lease_subjects(workflow=universe.workflow, volunteer=universe.anonymous)

    answer(universe, universe.anonymous, held.subject, SMOOTH_ROUND)

    assert held.arm == "gold"
    assert rebuild_queue(workflow=universe.workflow, check=True) == []


class TestMoreIsAskedFor:
    """Where all votes that a round wanted are given or promised, and subjects are not retired."""

    @pytest.fixture
    def used_up(self, quiet_universe):
        """Nothing more is wanted of any subject outside the panel."""
        self.outside().update(wanted=0, room=0)
        yield quiet_universe
        assert rebuild_queue(workflow=quiet_universe.workflow, check=True) == []

    def outside(self):
        return QueueEntry.objects.filter(in_panel=False).order_by("shuffle", "id")

    def retire(self, entries, universe):
        for entry in entries:
            retire_entry(workflow=universe.workflow, subject_id=entry.subject_id)
            Retirement.objects.create(
                workflow=universe.workflow,
                subject_id=entry.subject_id,
                reason=RetirementReason.VOTE_COUNT,
                votes=0,
            )

    def ask(self, universe):
        return ask_for_more(workflow=universe.workflow, among=QueueEntry.objects.all())

    def hold_all(self, universe):
        """Return the subjects that one more volunteer is served, as many as there are."""
        volunteer, held = create_anonymous_volunteer(), []
        while len(leases := lease_in_all(universe, volunteer)) > len(held):
            held = leases
        return {one.subject_id for one in held}

    def test_one_vote_of_those_of_which_the_fewest_were_wanted(self, used_up, monkeypatch):
        monkeypatch.setattr(queue, "AT_ONCE", 2)
        retired, second, third, fourth, *_ = self.outside()
        self.retire([retired], used_up)
        QueueEntry.objects.filter(pk=second.pk).update(wanted=1, room=1)
        lease_in_all(used_up, used_up.anonymous)
        panel = list(QueueEntry.objects.filter(in_panel=True).values("pk", "wanted", "room"))

        assert self.ask(used_up)
        now_open = self.outside().filter(room__gt=0)
        assert list(now_open.values_list("pk", "wanted", "room")) == [
            (third.pk, 1, 1),
            (fourth.pk, 1, 1),
        ]
        assert self.ask(used_up)
        assert now_open.count() == 2
        assert (
            list(QueueEntry.objects.filter(in_panel=True).values("pk", "wanted", "room")) == panel
        )

    def test_by_a_team_too_small_for_what_a_round_wanted_of_one(self, used_up):
        """Where one subject has room for more people than there are, the others go on."""
        first = self.outside().first()
        QueueEntry.objects.filter(pk=first.pk).update(wanted=3, room=3)
        active = {entry.subject_id for entry in self.outside()}
        assert self.hold_all(used_up) >= active
        assert self.hold_all(used_up) >= active
        assert QueueEntry.objects.get(pk=first.pk).room == 1

    def test_not_of_those_that_the_asker_has_seen(self, used_up, monkeypatch):
        monkeypatch.setattr(queue, "AT_ONCE", 2)
        active = {entry.subject_id for entry in self.outside()}
        volunteer, seen = create_anonymous_volunteer(), set()
        while len(found := {one.subject_id for one in lease_in_all(used_up, volunteer)}) > len(
            seen
        ):
            # Whoever asks for more next finds what this person has at the head of the queue.
            QueueEntry.objects.filter(subject__in=found, in_panel=False).update(wanted=0, room=-1)
            seen = found
        assert seen >= active
        for entry in self.outside():
            QueueEntry.objects.filter(pk=entry.pk).update(wanted=1, room=0)

    def test_is_not_waited_for_where_another_has_the_lock(self, used_up, monkeypatch):
        monkeypatch.setattr(queue, "PAUSE_SECONDS", 0)
        tried = []
        monkeypatch.setattr(queue, "try_lock_workflow", lambda **_: tried.append(1))
        assert not self.ask(used_up)
        assert len(tried) == queue.TRIES
        assert set(self.outside().values_list("room", flat=True)) == {0}

    def test_by_who_asks_for_a_subject(self, used_up):
        active = {entry.subject_id for entry in self.outside()}
        assert self.hold_all(used_up) >= active

    def test_until_all_votes_that_retire_a_subject_are_promised(self, used_up):
        active = {entry.subject_id for entry in self.outside()}
        limit = used_up.workflow.retirement_votes
        served = [self.hold_all(used_up) & active for _ in range(limit + 1)]
        assert served == [active] * limit + [set()]
        assert set(self.outside().values_list("wanted", "room")) == {(limit, 0)}

    def test_of_nothing_where_all_are_retired(self, used_up):
        self.retire(self.outside(), used_up)
        assert not self.ask(used_up)
