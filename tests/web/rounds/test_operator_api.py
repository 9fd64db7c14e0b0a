"""The API for running a workflow's rounds, as anonymous, forbidden and allowed."""

import pytest
from django.urls import reverse

from lenticular.rounds import selectors
from lenticular.rounds.models import RollBack, Round, RoundRule
from lenticular.rounds.workspace import round_folder, stage_folder

pytestmark = pytest.mark.django_db
JSON = "application/json"


def address(name, argument="tiny"):
    return reverse(f"api-{name}", args=[argument])


def every_address(round_):
    yield "get", address("round-rule")
    yield "patch", address("round-rule")
    yield "post", address("rounds-dry-run")
    yield "get", address("rounds-checks")
    yield "get", address("rounds-compare")
    yield "post", address("rounds-disk")
    yield "post", address("rounds-set-aside")
    yield "post", address("round-roll-back", round_.pk)


@pytest.fixture
def staff(client, admin):
    client.force_login(admin)
    return client


@pytest.mark.parametrize("who", ["anonymous", "expert"])
def test_only_admins_are_let_in(client, published_twice, expert, who):
    if who == "expert":
        client.force_login(expert)
    for method, place in every_address(published_twice[0]):
        answer = getattr(client, method)(place)
        assert answer.status_code in {401, 403}
        assert answer["Content-Type"] == "application/problem+json"
    assert not RollBack.objects.exists()


class TestRule:
    def test_is_read_with_the_reasons(self, staff, workflow):
        found = staff.get(address("round-rule")).json()
        assert found["rule"]["is_on"] is False
        assert {
            "kind": "schedule-off",
            "message": "the schedule is off",
            "schedule_only": True,
        } in (found["reasons"])

    def test_is_changed_in_part(self, staff, workflow):
        RoundRule.objects.create(workflow=workflow, new_votes=5)
        answer = staff.patch(address("round-rule"), {"is_on": True}, content_type=JSON)
        assert answer.json()["rule"]["is_on"] is True
        assert RoundRule.objects.get().new_votes == 5

    @pytest.mark.parametrize(
        "body", [{"new_votes": 0}, {"hours_between": "x"}, {"config": [1]}, {"config": {"a": 1}}]
    )
    def test_a_bad_value_is_refused(self, staff, workflow, body):
        assert staff.patch(address("round-rule"), body, content_type=JSON).status_code == 400
        assert not RoundRule.objects.exists()


class TestDryRun:
    def test_writes_nothing(self, staff, workflow):
        found = staff.post(address("rounds-dry-run"), {}, content_type=JSON).json()
        assert (found["training_galaxies"], found["cost"], found["refused"]) == (24, None, False)
        assert not Round.objects.exists()

    @pytest.mark.parametrize(("from_defaults", "change"), [(False, [6, 9]), (True, [6, 200])])
    def test_is_of_the_settings_that_a_round_would_have(
        self, staff, published_twice, from_defaults, change
    ):
        RoundRule.objects.create(workflow=published_twice[0].workflow, config={"batch": 9})
        body = {"config": {"folds": 4}, "from_defaults": from_defaults}
        found = staff.post(address("rounds-dry-run"), body, content_type=JSON).json()
        assert found["changed_settings"]["folds"] == [2, 4]
        assert found["changed_settings"]["batch"] == change

    @pytest.mark.parametrize("body", [{"config": []}, {"config": {"folds": 0}}])
    def test_bad_settings_are_refused(self, staff, workflow, body):
        answer = staff.post(address("rounds-dry-run"), body, content_type=JSON)
        assert answer.status_code == 400


def test_checks(staff, workflow):
    found = staff.get(address("rounds-checks")).json()["checks"]
    assert [check["kind"] for check in found] == ["saturation", "careless", "arms", "drift"]


class TestCompare:
    def test_gives_scores_and_interval(self, staff, published_twice):
        found = staff.get(address("rounds-compare"), {"new": 2, "old": 1}).json()
        assert found["overall"]["comparison"]["not_worse"] is True
        assert found["questions"]["shape"]["galaxies"] == 8

    @pytest.mark.parametrize(
        ("query", "status"),
        [({}, 400), ({"new": 2, "old": 2}, 400), ({"new": 9, "old": 1}, 404), ({"new": "x"}, 400)],
    )
    def test_bad_numbers_are_refused(self, staff, published_twice, query, status):
        assert staff.get(address("rounds-compare"), query).status_code == status


class TestRollBack:
    def test_makes_the_model_current(self, staff, published_twice):
        place = address("round-roll-back", published_twice[0].pk)
        assert staff.post(place, {"reason": "odd"}, content_type=JSON).json()["number"] == 1
        assert selectors.current_model(published_twice[0].workflow).round == published_twice[0]
        again = staff.post(place, {"reason": "odd"}, content_type=JSON)
        assert again.status_code == 409
        assert "is the current one" in again.json()["detail"]

    def test_needs_a_round_and_no_reason(self, staff, published_twice):
        place = address("round-roll-back", published_twice[0].pk)
        assert staff.post(place, {}, content_type=JSON).status_code == 200
        assert staff.post(address("round-roll-back", 99)).status_code == 404


class TestSetAside:
    def test_leaves_the_workflow_without_its_damaged_model(self, staff, published_twice):
        body, place = {"reason": "the disk broke"}, address("rounds-set-aside")
        assert staff.post(place, body, content_type=JSON).status_code == 409
        (stage_folder(published_twice[1], "train").path / "model" / "model.json").unlink()
        assert staff.post(place, {}, content_type=JSON).status_code == 400
        assert staff.post(place, body, content_type=JSON).status_code == 204
        assert selectors.current_model(published_twice[1].workflow) is None


class TestDisk:
    def test_says_what_would_go_and_removes_it_when_told(self, staff, published_twice):
        found = staff.post(address("rounds-disk"), {"keep": 0}, content_type=JSON).json()
        assert [each["number"] for each in found["rounds"]] == [2, 1]
        assert found["deleted"] is False
        assert found["prunable_bytes"] == found["rounds"][1]["bytes"] > 0
        assert round_folder(published_twice[0]).is_dir()
        staff.post(address("rounds-disk"), {"keep": 0, "delete": True}, content_type=JSON)
        assert not round_folder(published_twice[0]).exists()

    @pytest.mark.parametrize("body", [{}, {"keep": -1}, {"keep": "x"}])
    def test_bad_numbers_are_refused(self, staff, published_twice, body):
        assert staff.post(address("rounds-disk"), body, content_type=JSON).status_code == 400
