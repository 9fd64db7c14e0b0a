"""A round's queue, written beside the queue first and then put in place."""

import random
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lenticular.accounts.services import create_anonymous_volunteer
from lenticular.consensus.models import Tally
from lenticular.selection import staging
from lenticular.selection.models import Lease, LeaseState, QueueEntry, StagedEntry, StagedQueue
from lenticular.selection.services import (
    QueueRow,
    install_queue,
    lease_subjects,
    publish_queue,
    rebuild_queue,
    retire_entry,
    staged_queue,
)
from lenticular.workflows.models import WorkflowVersion
from tests.universe import build_universe, classify, give_gold


def row(subject, **changes):
    return QueueRow(
        **{"subject_id": subject.pk, "priority": 5.0, "votes_wanted": 2, "votes": 1, **changes}
    )


def standing(workflow, subject_id):
    """Return votes received, of these on the current version, and leases out, one by one."""
    tallies = Tally.objects.filter(version__workflow=workflow, subject=subject_id)
    leases = Lease.objects.filter(workflow=workflow, subject=subject_id, state=LeaseState.OUT)
    received = sum(tally.classifications for tally in tallies)
    current = sum(each.classifications for each in tallies.filter(version=workflow.current_version))
    return received, current, sum(lease.arm != "practice" for lease in leases)


@pytest.fixture
def busy(quiet_universe):
    """Some votes, on an earlier version too, and some leases out."""
    for _ in range(3):
        volunteer = create_anonymous_volunteer()
        classify(quiet_universe, volunteer)
        lease_subjects(workflow=quiet_universe.workflow, volunteer=volunteer, count=2)
    version = quiet_universe.workflow.current_version
    earlier = WorkflowVersion.objects.create(
        workflow=quiet_universe.workflow, number=0, tree_json=version.tree_json, checksum="other"
    )
    for subject in quiet_universe.subjects[::2]:
        Tally.objects.create(version=earlier, subject=subject, classifications=1)
        QueueEntry.objects.filter(subject=subject).update(room=F("room") - 1)
    retire_entry(workflow=quiet_universe.workflow, subject_id=quiet_universe.subjects[0].pk)
    return quiet_universe


@pytest.mark.parametrize("seed", range(4))
def test_entries_become_what_counting_one_by_one_says(busy, seed):
    chance, workflow = random.Random(seed), busy.workflow
    before = {entry.subject_id: entry for entry in QueueEntry.objects.all()}
    rows = {
        subject.pk: row(
            subject,
            priority=chance.random(),
            votes_wanted=chance.randrange(4),
            votes=chance.choice([None, 0, 1, 2]),
            top_answer=chance.choice(["", "shape_smooth"]),
        )
        for subject in chance.sample(busy.subjects, 9)
    }

    assert publish_queue(workflow=workflow, generation=7, rows=rows.values()) == 9

    for entry in QueueEntry.objects.all():
        old, said = before[entry.subject_id], rows.get(entry.subject_id)
        if said is None:
            assert vars(entry) == {**vars(old), "_state": entry._state}
            continue
        assert (entry.priority, entry.top_answer) == (said.priority, said.top_answer)
        assert (entry.generation, entry.is_retired) == (7, old.is_retired)
        received, current, out = standing(workflow, entry.subject_id)
        more = said.votes_wanted
        if said.votes is not None:
            more = max(0, said.votes + said.votes_wanted - current)
        asked = (old.wanted, old.room) if old.in_panel else (received + more, more - out)
        assert (entry.wanted, entry.room) == asked
    found = rebuild_queue(workflow=workflow, check=True)
    assert {difference.what for difference in found} == {"retirement in the queue"}


def test_votes_between_staging_and_publication_count(busy):
    workflow, subject = busy.workflow, busy.subjects[3]
    QueueEntry.objects.update(in_panel=False)
    with staged_queue(workflow=workflow, rows=[row(subject, votes=0, votes_wanted=3)]) as staged:
        Tally.objects.update_or_create(
            version=busy.version, subject=subject, defaults={"classifications": 2}
        )
        install_queue(staged=staged, generation=1)

    entry = QueueEntry.objects.get(subject=subject)
    out = standing(workflow, subject.pk)[2]
    received = standing(workflow, subject.pk)[0]
    assert (entry.wanted, entry.room) == (received + 1, 1 - out)


def test_putting_in_place_takes_as_many_statements_for_many_entries(busy, monkeypatch):
    monkeypatch.setattr(staging, "CHUNK", 2)
    asked = []
    for number in (2, 12):
        rows = [row(subject) for subject in busy.subjects[:number]]
        with (
            staged_queue(workflow=busy.workflow, rows=rows) as staged,
            CaptureQueriesContext(
                connection,
            ) as queries,
        ):
            install_queue(staged=staged, generation=1)
        asked.append(len(queries))
    assert asked[0] == asked[1]


class TestWhatVolunteersMayAskForNow:
    """It is put in place last, so that nobody waits for the rest."""

    @pytest.fixture
    def universe(self, db, monkeypatch):
        monkeypatch.setattr(staging, "HEAD", 1)
        universe = build_universe(votes=False, control_panel=0.0)
        for place, subject in enumerate(universe.subjects):
            QueueEntry.objects.filter(subject=subject).update(
                priority=12.0 - place, shuffle=place / 12, in_panel=place >= 6
            )
        return universe

    def hot(self, universe):
        rows = [row(subject) for subject in universe.subjects]
        place = {subject.pk: place for place, subject in enumerate(universe.subjects)}
        with staged_queue(workflow=universe.workflow, rows=rows):
            found = StagedEntry.objects.filter(is_hot=True).select_related("entry")
            return sorted(place[each.entry.subject_id] for each in found)

    def test_is_the_head_of_both_arms(self, universe):
        assert self.hot(universe) == [0, 6]

    def test_is_not_what_nobody_is_served(self, universe):
        retire_entry(workflow=universe.workflow, subject_id=universe.subjects[0].pk)
        QueueEntry.objects.filter(subject=universe.subjects[6]).update(room=0)
        assert self.hot(universe) == [1, 7]

    def test_is_what_somebody_holds(self, universe):
        Lease.objects.create(
            workflow=universe.workflow,
            subject=universe.subjects[4],
            volunteer=universe.anonymous,
            arm="active",
            selection_probability=1.0,
            expires_at=timezone.now(),
        )
        assert self.hot(universe) == [0, 4, 6]

    def test_is_what_experts_gave_a_gold_standard(self, universe):
        give_gold(universe, universe.subjects[5])
        assert self.hot(universe) == [0, 5, 6]

    def test_comes_after_everything_else(self, universe):
        rows = [row(subject, priority=100.0) for subject in universe.subjects]
        seen = []

        def look(execute, sql, parameters, many, context):
            done = execute(sql, parameters, many, context)
            if "AS news" in sql:
                seen.append(QueueEntry.objects.filter(priority=100.0).count())
            return done

        with connection.execute_wrapper(look):
            publish_queue(workflow=universe.workflow, generation=1, rows=rows)
        assert seen == [10, 12]


class TestWhatIsLeft:
    def test_nothing(self, quiet_universe):
        rows = [row(subject) for subject in quiet_universe.subjects]
        publish_queue(workflow=quiet_universe.workflow, generation=1, rows=rows)
        assert not StagedQueue.objects.exists()
        assert not StagedEntry.objects.exists()

    def test_nothing_where_publication_fails(self, quiet_universe):
        with (
            pytest.raises(RuntimeError),
            staged_queue(workflow=quiet_universe.workflow, rows=[row(quiet_universe.subjects[0])]),
        ):
            raise RuntimeError("the file is damaged")
        assert not StagedEntry.objects.exists()

    def test_by_a_killed_worker_goes_a_day_later(self, quiet_universe):
        workflow = quiet_universe.workflow
        old, young = (StagedQueue.objects.create(workflow=workflow) for _ in range(2))
        ago = timezone.now() - timedelta(days=2)
        StagedQueue.objects.filter(pk=old.pk).update(staged_at=ago)
        publish_queue(workflow=workflow, generation=1, rows=[])
        assert list(StagedQueue.objects.all()) == [young]
