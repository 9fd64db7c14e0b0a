from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from lenticular.common.errors import ConflictError, InvalidInputError, NotFoundError
from lenticular.selection.management.commands import create_workflow as create_workflow_command
from lenticular.selection.models import QueueEntry
from lenticular.workflows.models import Workflow
from lenticular.workflows.selectors import get_version, get_workflow
from lenticular.workflows.services import create_workflow, publish_version
from mlcore.tree import DecisionTree
from tests.universe import small_tree


def other_tree():
    return DecisionTree.from_dict({**small_tree().to_dict(), "name": "Other shapes"})


def make(**changes):
    return create_workflow(**{"slug": "shapes", "name": "Shapes", "tree": small_tree(), **changes})


@pytest.mark.django_db
def test_a_workflow_begins_with_version_1():
    workflow = make(retirement_votes=7)

    assert get_workflow(slug="shapes") == workflow
    assert workflow.current_version.number == 1
    assert workflow.current_version.tree == small_tree()
    assert workflow.retirement_votes == 7


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"retirement_votes": 0}, "retirement_votes is 0"),
        ({"control_share": 1.5}, "control_share is 1.5"),
        ({"gold_share": -0.1}, "gold_share is -0.1"),
        ({"slug": "not a slug"}, "slug is 'not a slug'"),
        ({"current_version": 3}, "rules must be among"),
    ],
)
def test_a_rule_out_of_its_range_is_refused_with_its_value(wrong, reason):
    with pytest.raises(InvalidInputError, match=reason):
        make(**wrong)

    assert not Workflow.objects.exists()


@pytest.mark.django_db
def test_a_slug_names_one_workflow():
    make()

    with pytest.raises(ConflictError, match="'shapes' exists already"):
        make()


@pytest.mark.django_db
def test_a_changed_tree_makes_a_version_and_the_same_tree_none():
    workflow = make()

    first = publish_version(workflow=workflow, tree=small_tree())
    second = publish_version(workflow=workflow, tree=other_tree())
    back = publish_version(workflow=workflow, tree=small_tree())

    assert [first.number, second.number, back.number] == [1, 2, 3]
    assert get_workflow(slug="shapes").current_version == back
    assert get_version(version_id=first.pk).tree == small_tree()


@pytest.mark.django_db
def test_a_version_is_never_changed_or_deleted():
    version = make().current_version
    version.tree_json = {}

    with pytest.raises(ConflictError, match="immutable"):
        version.save()
    with pytest.raises(ConflictError, match="never deleted"):
        version.delete()


@pytest.mark.django_db
def test_what_does_not_exist_is_not_found():
    with pytest.raises(NotFoundError, match="workflow 'nebulae' does not exist"):
        get_workflow(slug="nebulae")
    with pytest.raises(NotFoundError, match="workflow version 7 does not exist"):
        get_version(version_id=7)


class TestCommand:
    def run(self, *arguments):
        output = StringIO()
        call_command("create_workflow", *arguments, stdout=output)
        return output.getvalue()

    @pytest.fixture
    def tree_file(self, tmp_path):
        import json

        path = tmp_path / "tree.json"
        path.write_text(json.dumps(other_tree().to_dict()))
        return str(path)

    def test_a_workflow_is_made_and_its_queue_filled(self, quiet_universe, tree_file):
        told = self.run(
            "more", "--tree", tree_file, "--subject-set", "first", "--retirement-votes", "9"
        )

        assert told == "more version 1: 12 subjects queued\n"
        workflow = get_workflow(slug="more")
        assert workflow.name == "Other shapes"
        assert set(QueueEntry.objects.filter(workflow=workflow).values_list("room", flat=True)) == {
            9
        }

    def test_one_that_exists_gets_a_new_version(self, quiet_universe, tree_file):
        for _ in range(2):
            told = self.run("shapes", "--tree", tree_file)

        assert told == "shapes version 2: 0 subjects queued\n"

    def test_one_killed_before_it_has_reopened_the_queue_starts_anew(
        self, universe, tree_file, monkeypatch
    ):
        def killed(**_named):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(create_workflow_command, "reopen_queue", killed)
            with pytest.raises(KeyboardInterrupt):
                self.run("shapes", "--tree", tree_file)
        assert get_workflow(slug="shapes").current_version == universe.version

        assert self.run("shapes", "--tree", tree_file) == "shapes version 2: 0 subjects queued\n"
        asked = QueueEntry.objects.filter(is_retired=False)
        assert set(asked.values_list("room", flat=True)) == {3}

    @pytest.mark.parametrize(
        "wrong",
        [
            ["--tree", "absent.json"],
            ["--subject-set", "nebulae"],
            ["--retirement-votes", "9"],
        ],
    )
    def test_a_mistake_is_told_and_changes_nothing(self, quiet_universe, tree_file, wrong):
        with pytest.raises(CommandError):
            self.run("shapes", "--tree", tree_file, *wrong)

        assert get_workflow(slug="shapes").current_version.number == 1
