import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from django.db import connection, transaction

from lenticular.accounts.services import create_anonymous_volunteer
from lenticular.classify.services import merge_volunteers
from lenticular.common.errors import InvalidInputError
from lenticular.consensus.models import Retirement, VolunteerWeight
from lenticular.consensus.selectors import (
    counts_array,
    counts_by_subject,
    iterate_counts,
    tally_of,
    weights_of,
)
from lenticular.consensus.services import (
    compute_weights,
    count_classification,
    retire_if_due,
    uncount_duplicates,
)
from tests.universe import (
    ARTIFACT,
    FEATURED,
    SMOOTH_ROUND,
    build_universe,
    classify,
    give_gold,
)


def test_experts_are_never_tallied(quiet_universe):
    universe = quiet_universe
    verdict = give_gold(universe, universe.subjects[0])

    with pytest.raises(InvalidInputError, match="kind must be vote to be tallied, is expert"):
        count_classification(classification=verdict)

    assert tally_of(version=universe.version, subject_id=universe.subjects[0].pk) is None


def test_a_subject_retires_once(quiet_universe):
    universe = quiet_universe
    for _ in range(3):
        classify(universe, create_anonymous_volunteer(), 12, paths=[ARTIFACT])
    subject = Retirement.objects.first().subject
    tally = tally_of(version=universe.version, subject_id=subject.pk)

    assert retire_if_due(workflow=universe.workflow, subject=subject, tally=tally) is None
    assert Retirement.objects.filter(subject=subject).count() == 1


def test_volunteers_without_a_subject_in_common_lose_no_vote(universe):
    assert uncount_duplicates(anonymous=universe.other_anonymous, into=universe.volunteer) == []


def test_counts_come_in_the_order_of_the_tree_s_columns(quiet_universe):
    universe = quiet_universe
    [first] = classify(universe, universe.anonymous, paths=[SMOOTH_ROUND])
    subject_id = first.classification.subject_id
    tally = tally_of(version=universe.version, subject_id=subject_id)

    assert universe.tree.label_cols[0] == "shape_smooth"
    expected = [1, 0, 0, 1, 0]
    assert counts_array(tally.counts, universe.tree).tolist() == expected
    assert counts_array({}, universe.tree).tolist() == [0] * 5
    [(streamed_id, streamed)] = iterate_counts(version=universe.version)
    assert (streamed_id, streamed.tolist()) == (subject_id, expected)
    found = counts_by_subject(version=universe.version, subject_ids=[subject_id, 999_999])
    assert {pk: counts.tolist() for pk, counts in found.items()} == {subject_id: expected}


class TestWeights:
    def test_a_workflow_without_votes_has_no_weights(self, quiet_universe):
        assert compute_weights(workflow=quiet_universe.workflow) == 0

    def test_who_disagrees_with_everybody_weighs_less(self, db):
        universe = build_universe(votes=False, retirement_votes=9, control_panel=0.0)
        crowd = [create_anonymous_volunteer() for _ in range(5)]
        contrary = create_anonymous_volunteer()
        truth = {
            subject.pk: FEATURED if place % 2 else SMOOTH_ROUND
            for place, subject in enumerate(universe.subjects)
        }
        _answer_by(universe, crowd, truth)
        swapped = {
            pk: FEATURED if path == SMOOTH_ROUND else SMOOTH_ROUND for pk, path in truth.items()
        }
        _answer_by(universe, [contrary], swapped)

        assert compute_weights(workflow=universe.workflow) == 6

        weights = weights_of(workflow=universe.workflow)
        assert weights[contrary.pk] < 0.2
        assert min(weights[one.pk] for one in crowd) > 0.8
        row = VolunteerWeight.objects.get(volunteer=contrary)
        assert (row.votes, row.is_careless) == (12, False)

    def test_a_merged_volunteer_is_weighed_as_the_account(self, universe):
        merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)

        assert compute_weights(workflow=universe.workflow) == 1
        assert compute_weights(workflow=universe.workflow) == 1
        assert set(weights_of(workflow=universe.workflow)) == {universe.volunteer.pk}
        assert np.isfinite(VolunteerWeight.objects.get().weight)


@pytest.mark.django_db(transaction=True)
def test_volunteers_weighed_twice_at_once_are_weighed_once():
    universe = build_universe()
    before = compute_weights(workflow=universe.workflow)
    weighed = threading.Event()

    def weigh_slowly():
        with transaction.atomic():
            found = compute_weights(workflow=universe.workflow)
            weighed.set()
            time.sleep(0.5)
        connection.close()
        return found

    def weigh_too():
        weighed.wait(20)
        try:
            return compute_weights(workflow=universe.workflow)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(weigh) for weigh in (weigh_slowly, weigh_too)]
    assert [each.result() for each in found] == [before, before]
    assert VolunteerWeight.objects.count() == before > 0


def _answer_by(universe, volunteers, truth):
    from lenticular.selection.services import lease_subjects
    from tests.universe import answer

    for volunteer in volunteers:
        for lease in lease_subjects(
            workflow=universe.workflow, volunteer=volunteer, count=len(truth)
        ):
            answer(universe, volunteer, lease.subject, truth[lease.subject_id])
