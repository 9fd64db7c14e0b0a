from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from lenticular.classifications.models import Classification
from lenticular.classifications.selectors import (
    gold_standards,
    last_classification_id,
    votes_of,
)
from lenticular.classifications.services import (
    AlreadyClassifiedError,
    UuidReusedError,
    append_classification,
    withdraw_gold_standard,
)
from lenticular.common.errors import ConflictError, InvalidInputError
from lenticular.workflows.services import publish_version
from tests.universe import FEATURED, SMOOTH_ROUND, give_gold, small_tree


def append(universe, **changes):
    values = {
        "uuid": uuid4(),
        "version": universe.version,
        "subject": universe.subjects[0],
        "volunteer": universe.anonymous,
        "path": FEATURED,
    }
    return append_classification(**{**values, **changes})


def test_the_same_classification_again_answers_as_the_first_did(quiet_universe):
    uuid = uuid4()
    first, created = append(quiet_universe, uuid=uuid)

    assert created
    assert append(quiet_universe, uuid=uuid) == (first, False)
    with pytest.raises(UuidReusedError):
        append(quiet_universe, uuid=uuid, path=SMOOTH_ROUND)


def test_a_volunteer_has_one_vote_for_a_subject(quiet_universe):
    append(quiet_universe)

    with pytest.raises(AlreadyClassifiedError):
        append(quiet_universe)
    assert append(quiet_universe, kind="expert")[1]


@pytest.fixture
def versions(quiet_universe):
    """The first version of the tree, and the one that is asked now."""
    first = quiet_universe.version
    tree = small_tree(slug="new-shapes")
    return first, publish_version(workflow=quiet_universe.workflow, tree=tree)


def test_an_expert_answers_once_under_each_version(quiet_universe, versions):
    for version in versions:
        assert append(quiet_universe, kind="expert", version=version)[1]
    for version in versions:
        with pytest.raises(AlreadyClassifiedError):
            append(quiet_universe, kind="expert", version=version)


def test_a_volunteer_has_one_vote_under_all_versions(quiet_universe, versions):
    first, second = versions
    append(quiet_universe, version=first)

    with pytest.raises(AlreadyClassifiedError):
        append(quiet_universe, version=second)


def test_what_is_in_the_log_is_neither_changed_nor_deleted(universe):
    logged = Classification.objects.first()
    log = Classification.objects.all()

    for forbidden in (
        logged.save,
        logged.delete,
        log.delete,
        lambda: log.update(arm=""),
        lambda: log.bulk_update([logged], ["arm"]),
    ):
        with pytest.raises(ConflictError, match="append-only"):
            forbidden()
    assert log.count() == 7


def test_the_database_itself_refuses_to_change_the_log(universe):
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE classifications_classification SET arm = 'gold'")


def test_votes_come_subject_by_subject_the_earliest_first(universe):
    votes = list(votes_of(workflow=universe.workflow).values_list("subject_id", "id"))

    assert votes == sorted(votes)
    assert last_classification_id(workflow=universe.workflow) == max(pk for _, pk in votes)


def test_an_empty_log_ends_at_0(quiet_universe):
    assert last_classification_id(workflow=quiet_universe.workflow) == 0


@pytest.mark.parametrize(
    "page",
    [
        "classifications_classification",
        "consensus_tally",
        "selection_queueentry",
        "selection_lease",
        "subjects_subject",
        "workflows_workflow",
        "accounts_volunteer",
    ],
)
def test_the_admin_site_shows_and_adds_nothing(client_of, page):
    client = client_of("admin")

    assert client.get(reverse(f"admin:{page}_changelist")).status_code == 200
    assert client.get(reverse(f"admin:{page}_add")).status_code == 403


class TestGoldWithdrawal:
    def test_the_answers_stay_in_the_log(self, universe):
        gold = give_gold(universe, universe.subjects[0])
        withdrawal = withdraw_gold_standard(
            classification=gold, expert=universe.expert, reason="an artifact after all"
        )
        assert withdrawal.reason == "an artifact after all"
        assert Classification.objects.get(pk=gold.pk).gold_standard
        assert not gold_standards(version_id=universe.version.pk).exists()

    def test_twice_is_a_conflict(self, universe):
        gold = give_gold(universe, universe.subjects[0])
        withdraw_gold_standard(classification=gold, expert=universe.expert, reason="x")
        with pytest.raises(ConflictError, match="withdrawn already"):
            withdraw_gold_standard(classification=gold, expert=universe.expert, reason="x")

    @pytest.mark.parametrize("reason", ["", "x" * 501])
    def test_a_reason_is_needed(self, universe, reason):
        gold = give_gold(universe, universe.subjects[0])
        with pytest.raises(InvalidInputError, match="1 to 500 characters"):
            withdraw_gold_standard(classification=gold, expert=universe.expert, reason=reason)

    def test_a_vote_can_not_be_withdrawn(self, universe):
        vote = universe.recorded[0].classification
        with pytest.raises(InvalidInputError, match="must be a gold standard"):
            withdraw_gold_standard(classification=vote, expert=universe.expert, reason="x")
