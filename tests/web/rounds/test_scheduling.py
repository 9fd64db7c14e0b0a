"""The schedule's rules, and the rounds that it starts."""

import pytest

from lenticular.common.errors import ForbiddenError, InvalidInputError
from lenticular.consensus.models import VolunteerWeight
from lenticular.rounds import scheduling, services, tasks
from lenticular.rounds.errors import RoundConfigError
from lenticular.rounds.models import Round, RoundRule
from lenticular.workflows.models import Workflow

from .conftest import TINY

pytestmark = pytest.mark.django_db
HOLDS = {"is_on": True, "new_votes": 100, "hours_between": 0, "config": TINY}


def set_rule(workflow, user=None, **changes):
    return scheduling.set_round_rule(workflow=workflow, user=user, changes=changes)


class TestRule:
    def test_is_kept_with_who_changed_it(self, workflow, admin):
        set_rule(workflow, admin, **HOLDS)
        set_rule(workflow, admin, new_votes=7)
        rule = RoundRule.objects.get()
        assert (rule.is_on, rule.new_votes, rule.hours_between) == (True, 7, 0)
        assert (rule.config, rule.changed_by) == (TINY, admin)

    def test_others_are_refused(self, workflow, expert):
        with pytest.raises(ForbiddenError):
            set_rule(workflow, expert, is_on=True)
        assert not RoundRule.objects.exists()

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"new_votes": 0}, "new_votes: .* greater than or equal to 1"),
            ({"new_votes": "many"}, "new_votes: .* must be an integer"),
            ({"hours_between": -1}, "hours_between"),
            ({"hours_between": 9000}, "hours_between: .* less than or equal to 8784"),
            ({"training_galaxies": 1}, "training_galaxies"),
            ({"panel_galaxies": None}, "panel_galaxies"),
            ({"is_on": "perhaps"}, "is_on"),
            ({"config": [1]}, "config must be an object"),
            ({"changed_at": 3}, "changed_at must be one of"),
        ],
    )
    def test_a_bad_value_is_named(self, workflow, changes, message):
        with pytest.raises(InvalidInputError, match=message):
            set_rule(workflow, **changes)
        assert not RoundRule.objects.exists()

    def test_a_bad_setting_of_its_rounds_is_named(self, workflow):
        with pytest.raises(RoundConfigError, match="folds"):
            set_rule(workflow, config={"folds": 0})


class TestStart:
    def test_a_rule_that_holds_starts_one_round(self, workflow):
        set_rule(workflow, **HOLDS)
        assert tasks.start_due_rounds() == [Round.objects.get().pk]
        assert tasks.start_due_rounds() == []
        round_ = Round.objects.get()
        assert round_.requested_by is None
        assert round_.config["train"]["epochs"] == TINY["train"]["epochs"]

    @pytest.mark.parametrize("changes", [{"is_on": False}, {"new_votes": 161}])
    def test_one_that_does_not_hold_starts_none(self, workflow, changes):
        set_rule(workflow, **{**HOLDS, **changes})
        assert tasks.start_due_rounds() == []

    def test_without_rules_nothing_starts(self, workflow):
        assert tasks.start_due_rounds() == []

    def test_a_refused_round_is_logged_and_stops_no_other(self, workflow, caplog):
        other = Workflow.objects.create(
            slug="another", name="Another", current_version=workflow.current_version
        )
        too_many = {**TINY, "min_held_out_subjects": 9}
        set_rule(workflow, **HOLDS)
        set_rule(other, is_on=True, config=too_many)
        RoundRule.objects.filter(workflow=other).update(
            new_votes=0, training_galaxies=0, panel_galaxies=0
        )
        assert [round_.workflow for round_ in scheduling.start_due_rounds()] == [workflow]
        assert "no scheduled round of another: a round needs at least 9" in caplog.text

    def test_a_round_started_meanwhile_is_left_alone(self, workflow, monkeypatch):
        set_rule(workflow, **HOLDS)
        services.start_round(workflow=workflow, user=None, config=TINY)
        monkeypatch.setattr(scheduling, "waits_for", lambda *, rule: iter(()))
        assert scheduling.start_due_rounds() == []
        assert Round.objects.count() == 1


def test_volunteers_are_weighed(workflow, volunteer):
    assert tasks.weigh_volunteers() == 0
    assert not VolunteerWeight.objects.exists()
