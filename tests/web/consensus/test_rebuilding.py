import random
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from lenticular.accounts.services import create_anonymous_volunteer
from lenticular.classifications.services import append_classification
from lenticular.consensus import rebuilding
from lenticular.consensus.models import Retirement, RetirementReason, Tally
from lenticular.consensus.services import find_differences, rebuild_consensus
from lenticular.consensus.snapshots import one_moment
from lenticular.workflows.services import publish_version
from mlcore.tree import DecisionTree
from tests.universe import ARTIFACT, FEATURED, PATHS, classify, small_tree


def differences(universe):
    return [(one.subject_id, one.what) for one in find_differences(workflow=universe.workflow)]


def run(*arguments):
    output = StringIO()
    call_command("rebuild_consensus", *arguments, stdout=output)
    return output.getvalue()


def test_an_empty_log_has_nothing_to_differ_from(quiet_universe):
    assert differences(quiet_universe) == []


def test_every_kind_of_damage_is_found_and_mended(universe):
    changed, gone, made_up = universe.subjects[0], universe.subjects[1], universe.subjects[2]
    for subject in (changed, gone, made_up):
        Tally.objects.filter(subject=subject).delete()
        append_vote(universe, subject)
    Tally.objects.create(
        version=universe.version, subject=changed, counts={"shape_smooth": 7}, classifications=7
    )
    Retirement.objects.create(
        workflow=universe.workflow, subject=made_up, reason=RetirementReason.ARTIFACT, votes=2
    )
    found = differences(universe)

    assert (changed.pk, "tally of version 1") in found
    assert (gone.pk, "tally of version 1") in found
    assert (made_up.pk, "retirement") in found
    assert len(rebuild_consensus(workflow=universe.workflow, check=False)) == len(found)
    assert differences(universe) == []


def append_vote(universe, subject, path=FEATURED):
    """Put a vote in the log behind the services' back."""
    append_classification(
        uuid=uuid4(),
        version=universe.version,
        subject=subject,
        volunteer=create_anonymous_volunteer(),
        path=path,
    )


def test_a_retirement_that_is_missing_is_made_with_its_reason(quiet_universe):
    universe = quiet_universe
    for _ in range(2):
        append_vote(universe, universe.subjects[4], ARTIFACT)

    rebuild_consensus(workflow=universe.workflow, check=False)

    retirement = Retirement.objects.get()
    assert retirement.subject == universe.subjects[4]
    assert (retirement.reason, retirement.votes) == ("artifact", 2)


def test_more_damage_than_one_pass_holds_is_mended_too(universe, monkeypatch):
    monkeypatch.setattr(rebuilding, "REPAIRED_AT_ONCE", 2)
    tallies = Tally.objects.count()
    Tally.objects.update(classifications=99)

    assert len(rebuild_consensus(workflow=universe.workflow, check=False)) == tallies > 3
    assert differences(universe) == []


def test_checking_changes_nothing(universe):
    Tally.objects.update(classifications=99)

    assert rebuild_consensus(workflow=universe.workflow, check=True)
    assert set(Tally.objects.values_list("classifications", flat=True)) == {99}


def test_versions_are_tallied_apart(universe):
    other = DecisionTree.from_dict({**small_tree().to_dict(), "name": "Other shapes"})
    publish_version(workflow=universe.workflow, tree=other)
    classify(universe, universe.other_anonymous, 12)

    versions = set(Tally.objects.values_list("version__number", flat=True))
    assert versions == {1, 2}
    assert differences(universe) == []


def test_a_log_written_by_chance_is_rebuilt_from_nothing(quiet_universe):
    universe, chance = quiet_universe, random.Random(11)
    for _ in range(10):
        classify(
            universe,
            create_anonymous_volunteer(),
            chance.randrange(1, 12),
            paths=chance.sample(PATHS, 4),
        )
    before = list(Tally.objects.order_by("subject").values_list("subject", "counts"))
    retired = set(Retirement.objects.values_list("subject", flat=True))
    Tally.objects.all().delete()
    Retirement.objects.all().delete()

    rebuild_consensus(workflow=universe.workflow, check=False)

    assert list(Tally.objects.order_by("subject").values_list("subject", "counts")) == before
    assert set(Retirement.objects.values_list("subject", flat=True)) == retired


def test_the_command_says_that_all_is_well(universe):
    assert run("--check") == "no differences\n"
    assert run("shapes") == "no differences\n"


def test_the_command_prints_what_differs_and_ends_with_1(universe):
    tally = Tally.objects.first()
    Tally.objects.filter(pk=tally.pk).update(classifications=99)
    output = StringIO()

    with pytest.raises(CommandError, match="2 differences from the log") as refused:
        call_command("rebuild_consensus", "--check", stdout=output)

    assert refused.value.returncode == 1
    assert f"shapes: subject {tally.subject_id}: tally of version 1 is" in output.getvalue()
    assert "room is" in output.getvalue()


def test_the_command_mends_tallies_and_room(universe):
    Tally.objects.update(classifications=99)

    assert "differences mended" in run()
    assert run("--check") == "no differences\n"


def test_the_command_refuses_a_workflow_that_does_not_exist(universe):
    with pytest.raises(CommandError, match="there is no 'nebulae'"):
        run("nebulae", "--check")


@pytest.mark.django_db(transaction=True)
def test_the_check_sees_one_moment_and_holds_nobody_up():
    from threading import Thread

    from django.db import connections

    from tests.universe import build_universe

    universe = build_universe()

    def vote():
        classify(universe, create_anonymous_volunteer(), 1)
        connections.close_all()

    with one_moment():
        before = Tally.objects.count(), sum(Tally.objects.values_list("classifications", flat=True))
        writer = Thread(target=vote)
        writer.start()
        writer.join(20)
        assert not writer.is_alive()
        during = Tally.objects.count(), sum(Tally.objects.values_list("classifications", flat=True))
    after = sum(Tally.objects.values_list("classifications", flat=True))

    assert during == before
    assert after == before[1] + 1
    assert differences(universe) == []
