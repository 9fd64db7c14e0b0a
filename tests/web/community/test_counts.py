"""A person's counts are what a slow count over the whole log gives, whoever is merged."""

import random
from uuid import uuid4

import pytest

from lenticular.accounts.models import Volunteer
from lenticular.accounts.services import create_anonymous_volunteer, volunteer_of
from lenticular.classifications.models import Classification, Kind
from lenticular.classifications.services import append_classification
from lenticular.classify.services import merge_volunteers
from lenticular.community.history import entries, own_classifications
from lenticular.community.selectors import Counts, classification_counts
from lenticular.consensus.services import count_classification
from lenticular.workflows.services import create_workflow
from tests.universe import PATHS, classify, small_tree


def slow_count(volunteer):
    root = volunteer.merged_into or volunteer
    seen = {Kind.VOTE: set(), Kind.PRACTICE: set()}
    for row in Classification.objects.select_related("volunteer"):
        person = row.volunteer.merged_into or row.volunteer
        if person == root and row.kind in seen:
            seen[row.kind].add(row.subject_id)
    return Counts(len(seen[Kind.VOTE]), len(seen[Kind.PRACTICE]))


def practise(universe, volunteer, subject, workflow=None, kind=Kind.PRACTICE):
    version = (workflow or universe.workflow).current_version
    done, _created = append_classification(
        uuid=uuid4(),
        version=version,
        subject=subject,
        volunteer=volunteer,
        path=version.tree.validate(PATHS[0]),
        kind=kind,
    )
    if kind == Kind.VOTE:
        count_classification(classification=done)
    return done


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_right_for_everyone_after_votes_practice_and_merges(quiet_universe, seed):
    universe, rng = quiet_universe, random.Random(seed)
    second = create_workflow(
        slug="again", name="Again", tree=small_tree(), subject_sets=[universe.subject_set]
    )
    strangers = [create_anonymous_volunteer() for _ in range(3)]
    people = [universe.volunteer, *strangers]
    for volunteer in people:
        classify(universe, volunteer, rng.randrange(1, 6), seed=rng.random())
        for subject in rng.sample(universe.subjects, 3):
            practise(universe, volunteer, subject)
        for subject in rng.sample(universe.subjects, 2):
            practise(universe, volunteer, subject, second, Kind.VOTE)
    practise(universe, volunteer_of(user=universe.expert), universe.subjects[0], kind=Kind.EXPERT)
    for stranger in strangers[:2]:
        merge_volunteers(anonymous=stranger, into=universe.volunteer)
    for volunteer in Volunteer.objects.all():
        assert classification_counts(volunteer=volunteer) == slow_count(volunteer)
        check_history(volunteer)


def check_history(volunteer):
    """The history holds the same galaxies, each once per workflow and kind."""
    rows = list(own_classifications(volunteer=volunteer))
    keys = [(row.workflow_id, row.subject_id, row.kind) for row in rows]
    assert len(keys) == len(set(keys))
    counts = classification_counts(volunteer=volunteer)
    votes = {row.subject_id for row in rows if row.kind == Kind.VOTE}
    practice = {row.subject_id for row in rows if row.kind == Kind.PRACTICE}
    assert counts == Counts(len(votes), len(practice))


def test_counting_takes_one_query(universe, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert classification_counts(volunteer=universe.volunteer).galaxies == 4


def test_of_two_answers_by_one_person_the_one_that_counts_is_shown(universe):
    subject = universe.subjects[0]
    first = practise(universe, universe.other_anonymous, subject)
    practise(universe, universe.volunteer, subject)
    merge_volunteers(anonymous=universe.other_anonymous, into=universe.volunteer)
    shown = own_classifications(volunteer=universe.volunteer).filter(kind=Kind.PRACTICE)
    assert list(shown) == [first]


def test_practice_is_marked_and_the_others_are_all_others(universe):
    practised = universe.recorded[0].classification.subject
    stranger = universe.other_anonymous
    practise(universe, stranger, practised)
    (entry,) = entries(list(own_classifications(volunteer=stranger)), volunteer=stranger)
    assert entry.is_practice
    assert entry.others.total >= 1
    assert sum(each.votes for each in entry.others.answers) == entry.others.total


def test_a_lone_vote_has_no_others(quiet_universe):
    volunteer = quiet_universe.volunteer
    classify(quiet_universe, volunteer)
    (entry,) = entries(list(own_classifications(volunteer=volunteer)), volunteer=volunteer)
    assert entry.others is None
    assert entry.answers == ["Smooth", "Round"]
