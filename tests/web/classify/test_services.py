import random
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from lenticular.accounts.services import (
    AlreadyMergedError,
    create_anonymous_volunteer,
    volunteer_of,
)
from lenticular.classifications.models import Classification
from lenticular.classifications.services import AlreadyClassifiedError, UuidReusedError
from lenticular.classify import services
from lenticular.classify.services import (
    BadAnnotationsError,
    NewClassification,
    merge_volunteers,
    record_classification,
    record_classifications,
)
from lenticular.common.errors import InvalidInputError, NotFoundError
from lenticular.consensus.models import Retirement
from lenticular.consensus.selectors import tally_of
from lenticular.consensus.services import rebuild_consensus
from lenticular.selection.models import Lease, LeaseState, QueueEntry
from lenticular.selection.services import (
    NotServedError,
    lapse_leases,
    lease_subjects,
    rebuild_queue,
    reopen_queue,
)
from lenticular.workflows.services import publish_version
from tests.universe import (
    ARTIFACT,
    FEATURED,
    SMOOTH_LONG,
    SMOOTH_ROUND,
    answer,
    build_universe,
    classify,
    give_gold,
    small_tree,
)


@pytest.fixture(autouse=True)
def nothing_differs(db):
    """Whatever a test does through the services, the log and what follows from it agree."""
    from lenticular.workflows.models import Workflow

    yield
    for workflow in Workflow.objects.all():
        assert rebuild_consensus(workflow=workflow, check=True) == []
        assert rebuild_queue(workflow=workflow, check=True) == []


def serve(universe, *volunteers, count=12):
    """Serve every volunteer as many subjects as there are; return those all were served."""
    served = [
        {
            lease.subject
            for lease in lease_subjects(
                workflow=universe.workflow, volunteer=volunteer, count=count
            )
        }
        for volunteer in volunteers
    ]
    return sorted(set.intersection(*served), key=lambda subject: subject.pk)


def publish_other_tree(universe):
    """Ask another tree from now on; return the version asked before."""
    old, document = universe.version, {**small_tree().to_dict(), "name": "Other shapes"}
    publish_version(workflow=universe.workflow, tree=type(universe.tree).from_dict(document))
    reopen_queue(workflow=universe.workflow)
    return old


def entry_of(subject):
    return QueueEntry.objects.get(subject=subject)


def test_a_vote_is_in_the_log_with_what_chose_its_subject(quiet_universe):
    universe = quiet_universe
    [lease] = lease_subjects(workflow=universe.workflow, volunteer=universe.anonymous)
    began = datetime(2026, 3, 1, tzinfo=UTC)

    recorded = record_classification(
        volunteer=universe.anonymous,
        uuid=uuid4(),
        version_id=universe.version.pk,
        subject_id=lease.subject_id,
        annotations=dict(reversed(SMOOTH_LONG)),
        started_at=began,
        metadata={"viewport": [360, 740]},
    )

    kept = Classification.objects.get()
    assert recorded.created
    assert recorded.classification == kept
    assert kept.annotations == [list(step) for step in SMOOTH_LONG]
    assert (kept.arm, kept.selection_probability) == (lease.arm, lease.selection_probability)
    assert (kept.started_at, kept.metadata) == (began, {"viewport": [360, 740]})


def test_a_vote_is_tallied_and_answers_its_lease(quiet_universe):
    universe = quiet_universe
    [subject] = serve(universe, universe.anonymous, count=1)

    answer(universe, universe.anonymous, subject, SMOOTH_ROUND)

    tally = tally_of(version=universe.version, subject_id=subject.pk)
    assert tally.counts == {"shape_smooth": 1, "roundness_round": 1}
    assert tally.classifications == 1
    assert Lease.objects.get().state == LeaseState.ANSWERED
    assert entry_of(subject).room == 2


def test_the_same_post_again_answers_as_the_first_did(quiet_universe):
    universe, uuid = quiet_universe, uuid4()
    [subject] = serve(universe, universe.anonymous, count=1)

    first = answer(universe, universe.anonymous, subject, SMOOTH_ROUND, uuid)
    again = answer(universe, universe.anonymous, subject, list(reversed(SMOOTH_ROUND)), uuid)

    assert (first.created, again.created) == (True, False)
    assert again.classification == first.classification
    assert Classification.objects.count() == 1


def test_a_uuid_names_one_classification_for_ever(quiet_universe):
    universe, uuid = quiet_universe, uuid4()
    first, second = serve(universe, universe.anonymous, universe.volunteer)[:2]
    answer(universe, universe.anonymous, first, SMOOTH_ROUND, uuid)

    with pytest.raises(UuidReusedError):
        answer(universe, universe.anonymous, first, FEATURED, uuid)
    with pytest.raises(UuidReusedError):
        answer(universe, universe.anonymous, second, SMOOTH_ROUND, uuid)
    with pytest.raises(UuidReusedError):
        answer(universe, universe.volunteer, first, SMOOTH_ROUND, uuid)
    assert Classification.objects.count() == 1


def test_a_second_vote_for_a_subject_is_refused(quiet_universe):
    universe = quiet_universe
    [subject] = serve(universe, universe.anonymous, count=1)
    answer(universe, universe.anonymous, subject)

    with pytest.raises(AlreadyClassifiedError):
        answer(universe, universe.anonymous, subject)


def test_a_subject_that_was_not_served_is_refused(quiet_universe):
    universe = quiet_universe

    with pytest.raises(NotServedError, match="was not served"):
        answer(universe, universe.anonymous, universe.subjects[0])
    assert not Classification.objects.exists()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ([], "must be answered"),
        ([("shape", "smooth")], "must be answered"),
        ([("shape", "purple")], "no answer 'purple'"),
        ([("colour", "red")], "no question 'colour'"),
        ([("shape", "featured"), ("shape", "smooth")], "one answer"),
        ([("shape", "featured"), ("roundness", "round")], "not on the path"),
    ],
)
def test_answers_that_the_tree_does_not_allow_are_refused(quiet_universe, path, reason):
    universe = quiet_universe
    [subject] = serve(universe, universe.anonymous, count=1)

    with pytest.raises(BadAnnotationsError, match=reason):
        answer(universe, universe.anonymous, subject, path)

    assert Lease.objects.get().state == LeaseState.OUT
    assert answer(universe, universe.anonymous, subject).created


@pytest.mark.parametrize("unknown", ["version_id", "subject_id"])
def test_what_does_not_exist_is_not_found(quiet_universe, unknown):
    universe = quiet_universe
    ids = {"version_id": universe.version.pk, "subject_id": universe.subjects[0].pk}

    with pytest.raises(NotFoundError):
        record_classification(
            volunteer=universe.anonymous,
            uuid=uuid4(),
            annotations=FEATURED,
            **{**ids, unknown: 999_999},
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {"metadata": {"notes": "x" * 10_001}},
        {"metadata": {"nul": "\x00"}},
        {"metadata": {"nan": float("nan")}},
        {"metadata": {"object": object()}},
        {"started_at": datetime(2026, 3, 1)},  # noqa: DTZ001  (naive is what is refused)
    ],
)
def test_metadata_and_times_that_break_a_rule_are_refused(quiet_universe, wrong):
    universe = quiet_universe
    [subject] = serve(universe, universe.anonymous, count=1)

    with pytest.raises(InvalidInputError):
        record_classification(
            volunteer=universe.anonymous,
            uuid=uuid4(),
            version_id=universe.version.pk,
            subject_id=subject.pk,
            annotations=FEATURED,
            **wrong,
        )

    assert not Classification.objects.exists()


def test_enough_votes_retire_a_subject(quiet_universe):
    universe = quiet_universe
    voters = [create_anonymous_volunteer() for _ in range(3)]
    subject = serve(universe, *voters)[0]

    retired = [answer(universe, voter, subject).retired for voter in voters]

    assert retired == [False, False, True]
    retirement = Retirement.objects.get()
    assert (retirement.subject, retirement.reason, retirement.votes) == (subject, "vote-count", 3)
    assert entry_of(subject).is_retired


def test_enough_artifact_votes_retire_a_subject_early(quiet_universe):
    universe = quiet_universe
    voters = [create_anonymous_volunteer() for _ in range(2)]
    subject = serve(universe, *voters)[0]

    for voter in voters:
        answer(universe, voter, subject, ARTIFACT)

    retirement = Retirement.objects.get()
    assert (retirement.reason, retirement.votes) == ("artifact", 2)


def test_a_vote_promised_before_retirement_still_counts(quiet_universe):
    universe = quiet_universe
    voters = [create_anonymous_volunteer() for _ in range(3)]
    subject = serve(universe, *voters)[0]
    for voter in voters[:2]:
        answer(universe, voter, subject, ARTIFACT)

    late = answer(universe, voters[2], subject, FEATURED)

    assert (late.created, late.retired) == (True, True)
    assert tally_of(version=universe.version, subject_id=subject.pk).classifications == 3


def test_a_retired_subject_takes_no_vote_that_was_not_promised(quiet_universe):
    universe = quiet_universe
    voters = [create_anonymous_volunteer() for _ in range(2)]
    subject = serve(universe, *voters)[0]
    for voter in voters:
        answer(universe, voter, subject, ARTIFACT)

    with pytest.raises(NotServedError):
        answer(universe, create_anonymous_volunteer(), subject)


def test_a_refused_vote_leaves_nothing_half_written(quiet_universe, monkeypatch):
    universe = quiet_universe
    [subject] = serve(universe, universe.anonymous, count=1)

    def break_down(**_named):
        raise RuntimeError("the power is gone")

    monkeypatch.setattr(services, "answer_lease", break_down)
    with pytest.raises(RuntimeError):
        answer(universe, universe.anonymous, subject)

    assert not Classification.objects.exists()
    assert tally_of(version=universe.version, subject_id=subject.pk) is None


def test_a_bad_entry_of_a_batch_does_not_lose_the_others(quiet_universe):
    universe = quiet_universe
    first, second, third = serve(universe, universe.anonymous, count=3)
    paths = {first: FEATURED, second: [("shape", "purple")], third: SMOOTH_LONG}
    batch = [
        NewClassification(uuid4(), universe.version.pk, subject.pk, path)
        for subject, path in paths.items()
    ]

    outcomes = record_classifications(volunteer=universe.anonymous, batch=batch)

    assert [outcome.uuid for outcome in outcomes] == [entry.uuid for entry in batch]
    assert [outcome.error and outcome.error.kind for outcome in outcomes] == [
        None,
        "bad-annotations",
        None,
    ]
    assert Classification.objects.count() == 2


def test_a_batch_has_its_limit(quiet_universe):
    entry = NewClassification(uuid4(), 1, 1, FEATURED)

    with pytest.raises(InvalidInputError, match="at most 100 entries, has 101"):
        record_classifications(volunteer=quiet_universe.anonymous, batch=[entry] * 101)


class TestMerging:
    def test_of_two_votes_by_one_person_the_earlier_counts(self, quiet_universe):
        universe = quiet_universe
        first, second = serve(universe, universe.anonymous, universe.volunteer)[:2]
        answer(universe, universe.anonymous, first, SMOOTH_ROUND)
        answer(universe, universe.volunteer, first, FEATURED)
        answer(universe, universe.volunteer, second, FEATURED)
        answer(universe, universe.anonymous, second, SMOOTH_ROUND)

        merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)

        counts = [
            tally_of(version=universe.version, subject_id=subject.pk).counts
            for subject in (first, second)
        ]
        assert counts == [{"shape_smooth": 1, "roundness_round": 1}, {"shape_featured": 1}]
        assert Classification.objects.count() == 4
        assert entry_of(first).room == 2

    def test_a_third_identity_s_vote_is_uncounted_once(self, quiet_universe):
        universe = quiet_universe
        identities = (universe.other_anonymous, universe.volunteer, universe.anonymous)
        subject = serve(universe, *identities)[0]
        for volunteer in identities:
            answer(universe, volunteer, subject)

        for anonymous in (universe.anonymous, universe.other_anonymous):
            merge_volunteers(anonymous=anonymous, into=universe.volunteer)

        assert tally_of(version=universe.version, subject_id=subject.pk).classifications == 1

    def test_a_subject_retired_by_one_person_s_two_votes_comes_back(self, quiet_universe):
        universe = quiet_universe
        subject = serve(universe, universe.anonymous, universe.volunteer)[0]
        for volunteer in (universe.anonymous, universe.volunteer):
            answer(universe, volunteer, subject, ARTIFACT)
        assert entry_of(subject).is_retired

        merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)

        assert not Retirement.objects.exists()
        assert not entry_of(subject).is_retired

    def test_one_that_comes_back_after_a_new_tree_is_asked_about_by_as_many_as_that_wants(
        self, quiet_universe
    ):
        universe = quiet_universe
        subject = serve(universe, universe.anonymous, universe.volunteer)[0]
        for volunteer in (universe.anonymous, universe.volunteer):
            answer(universe, volunteer, subject, ARTIFACT)
        publish_other_tree(universe)
        assert entry_of(subject).is_retired

        merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)

        assert not entry_of(subject).is_retired
        assert entry_of(subject).room == universe.workflow.retirement_votes

    def test_one_person_holds_a_subject_once(self, quiet_universe):
        universe = quiet_universe
        subject = serve(universe, universe.anonymous, universe.volunteer)[0]
        assert entry_of(subject).room == 1

        merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)

        assert entry_of(subject).room == 2
        again = lease_subjects(workflow=universe.workflow, volunteer=universe.volunteer, count=12)
        assert len({lease.subject_id for lease in again}) == len(again)

    def test_what_the_browser_held_can_be_answered_as_the_account(self, quiet_universe):
        universe = quiet_universe
        [subject] = serve(universe, universe.anonymous, count=1)
        merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)

        recorded = answer(universe, universe.anonymous, subject)

        assert recorded.classification.volunteer == universe.volunteer

    def test_a_post_repeated_after_the_merge_is_the_same_post(self, quiet_universe):
        universe, uuid = quiet_universe, uuid4()
        [subject] = serve(universe, universe.anonymous, count=1)
        answer(universe, universe.anonymous, subject, FEATURED, uuid)
        merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)

        assert not answer(universe, universe.volunteer, subject, FEATURED, uuid).created
        with pytest.raises(AlreadyClassifiedError):
            answer(universe, universe.volunteer, subject, FEATURED)

    def test_merging_again_changes_nothing(self, universe):
        for _ in range(2):
            merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)

        with pytest.raises(AlreadyMergedError):
            merge_volunteers(anonymous=universe.anonymous, into=volunteer_of(user=universe.expert))

    def test_a_merge_into_a_second_account_is_refused_whatever_was_uncounted(self, quiet_universe):
        universe = quiet_universe
        first, second = universe.volunteer, volunteer_of(user=universe.expert)
        subject = serve(universe, first, second, universe.anonymous)[0]
        for volunteer in (first, second):
            answer(universe, volunteer, subject)
        publish_other_tree(universe)
        answer(universe, universe.anonymous, subject)
        merge_volunteers(anonymous=universe.anonymous, into=first)

        with pytest.raises(AlreadyMergedError):
            merge_volunteers(anonymous=universe.anonymous, into=second)

    def test_nobody_sees_again_what_they_saw_before_signing_in(self, quiet_universe):
        universe = quiet_universe
        before = {
            one.classification.subject_id for one in classify(universe, universe.anonymous, 5)
        }
        merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)

        after = {
            one.classification.subject_id for one in classify(universe, universe.volunteer, 12)
        }

        assert len(before) == 5
        assert before | after == {subject.pk for subject in universe.subjects}
        assert not before & after


class TestNewVersion:
    """A galaxy is asked about until the tally of the tree that is asked now is full."""

    @pytest.fixture
    def universe(self, db):
        return build_universe(votes=False, retirement_votes=2, has_practice=False)

    def answer_as_before(self, universe, old, subject):
        record_classification(
            volunteer=universe.anonymous,
            uuid=uuid4(),
            version_id=old.pk,
            subject_id=subject.pk,
            annotations=FEATURED,
        )

    def finish(self, universe):
        """Have newcomers classify whatever is left; return the sizes of the current tallies."""
        for _ in range(8):
            classify(universe, create_anonymous_volunteer(), 12)
        assert Retirement.objects.count() == 12
        return [
            tally_of(version=universe.version, subject_id=subject.pk).classifications
            for subject in universe.subjects
        ]

    def test_a_galaxy_held_meanwhile_and_answered_as_it_was_asked(self, universe):
        first, *_, last = serve(universe, universe.anonymous, count=6)
        old = publish_other_tree(universe)
        self.answer_as_before(universe, old, first)
        answer(universe, universe.anonymous, last)

        assert set(self.finish(universe)) == {2}

    def test_a_galaxy_given_back_meanwhile_and_answered_late(self, universe):
        [subject] = serve(universe, universe.anonymous, count=1)
        lapse_leases(now=timezone.now() + timedelta(days=1), limit=1)
        old = publish_other_tree(universe)
        self.answer_as_before(universe, old, subject)

        assert set(self.finish(universe)) == {2}

    def test_a_galaxy_served_afterwards_to_a_page_that_asks_the_old_tree(self, universe):
        old = publish_other_tree(universe)
        [subject] = serve(universe, universe.anonymous, count=1)
        self.answer_as_before(universe, old, subject)

        assert set(self.finish(universe)) == {2}

    def test_practice_under_the_old_tree_makes_no_room(self, universe):
        universe.workflow.has_practice = True
        give_gold(universe, next(each for each in universe.subjects if not in_panel(each)))
        [practised] = [
            lease.subject
            for lease in lease_subjects(
                workflow=universe.workflow,
                volunteer=universe.anonymous,
                count=12,
                rng=random.Random(7),
            )
            if lease.arm == "practice"
        ]
        old = publish_other_tree(universe)
        self.answer_as_before(universe, old, practised)

        assert entry_of(practised).room == 2


def in_panel(subject):
    return entry_of(subject).in_panel


def test_a_workflow_is_classified_to_its_end(db):
    universe = build_universe(votes=False, retirement_votes=2, artifact_votes=2)

    for _ in range(20):
        classify(universe, create_anonymous_volunteer(), 12)

    assert Retirement.objects.count() == 12
    assert Classification.objects.count() == 24
