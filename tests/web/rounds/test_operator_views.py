"""The page for running a workflow's rounds, as anonymous, forbidden and allowed."""

import pytest
from django.urls import reverse
from django.utils.html import escape

from lenticular.rounds import selectors, services
from lenticular.rounds.models import RollBack, Round, RoundRule
from lenticular.rounds.workspace import round_folder, stage_folder

from .conftest import TINY

pytestmark = pytest.mark.django_db
GETS = ("workflow-rounds", "rounds-compare")
POSTS = ("round-rule", "round-start", "round-dry-run", "rounds-prune", "round-set-aside")
RULE = {
    "is_on": "on", "new_votes": "7", "hours_between": "3", "training_galaxies": "10",
    "panel_galaxies": "4", "config": '{"batch": 9}',
}  # fmt: skip


def every_address():
    for name in GETS:
        yield "get", reverse(name, args=["tiny"])
    for name in POSTS:
        yield "post", reverse(name, args=["tiny"])
    yield "post", reverse("round-roll-back", args=["tiny", 1])


@pytest.fixture
def staff(client, admin):
    client.force_login(admin)
    return client


def get(client, name="workflow-rounds", **query):
    return client.get(reverse(name, args=["tiny"]), query)


def post(client, name, *numbers, **body):
    return client.post(reverse(name, args=["tiny", *numbers]), body)


class TestAccess:
    def test_anonymous_people_are_sent_to_sign_in(self, client, published_twice):
        for method, address in every_address():
            answer = getattr(client, method)(address)
            assert answer.status_code == 302
            assert answer["Location"].startswith(reverse("sign-in"))

    def test_others_are_refused(self, client, published_twice, expert):
        client.force_login(expert)
        for method, address in every_address():
            assert getattr(client, method)(address).status_code == 403
        assert not RoundRule.objects.exists()
        assert not RollBack.objects.exists()
        assert all(round_folder(round_).is_dir() for round_ in published_twice)

    def test_changes_need_a_post(self, staff, published_twice):
        for method, address in every_address():
            if method == "post":
                assert staff.get(address).status_code == 405

    def test_an_unknown_workflow_is_not_found(self, staff):
        assert staff.get(reverse("workflow-rounds", args=["nowhere"])).status_code == 404


class TestPage:
    def test_says_why_no_round_starts(self, staff, empty_workflow):
        shown = get(staff).content.decode()
        assert "No round can start now, because" in shown
        assert "at least 20 galaxies with votes outside the control panel" in shown
        assert "the schedule is off" in shown
        assert "Start a round now" not in shown
        assert "No galaxy" not in shown
        assert "0 of 30 galaxies outside the panel" in shown

    def test_says_when_the_rule_holds(self, staff, workflow):
        RoundRule.objects.create(workflow=workflow, is_on=True, new_votes=1, config=TINY)
        shown = get(staff).content.decode()
        assert "starts one within five minutes" in shown
        assert "Start a round now" in shown

    def test_a_dry_run_shows_what_a_round_would_be(self, staff, workflow):
        shown = post(staff, "round-dry-run").content.decode()
        assert "24 galaxies; 160 votes" in shown
        assert "unknown: no earlier round on this machine tells" in shown
        assert not Round.objects.exists()

    def test_shows_models_disk_and_how_to_go_back(self, staff, published_twice):
        shown = get(staff, keep=0).content.decode()
        assert "current model" in shown
        assert "Why go back to round 1" in shown
        assert "Why go back to round 2" not in shown
        assert "Compare two models" in shown
        assert "stays (the current model)" in shown
        assert "may go" in shown
        assert "style=" not in shown

    def test_says_why_one_cannot_go_back(self, staff, published_twice):
        stage_folder(published_twice[0], "predict").unmark()
        assert "Files of round 1 are gone: predict" in get(staff).content.decode()

    def test_a_bad_keep_is_told(self, staff, workflow):
        answer = get(staff, keep="some")
        assert answer.status_code == 400
        assert "keep must be a whole number" in answer.content.decode()

    def test_is_linked_from_the_list(self, staff, workflow):
        assert (
            reverse("workflow-rounds", args=["tiny"])
            in staff.get(reverse("rounds")).content.decode()
        )


class TestRule:
    def test_is_kept(self, staff, workflow, admin):
        assert post(staff, "round-rule", **RULE).status_code == 302
        rule = RoundRule.objects.get()
        assert (rule.is_on, rule.new_votes, rule.config) == (True, 7, {"batch": 9})
        assert rule.changed_by == admin

    def test_is_turned_off_by_an_empty_box(self, staff, workflow):
        RoundRule.objects.create(workflow=workflow, is_on=True)
        post(staff, "round-rule", **{**RULE, "is_on": "", "config": ""})
        rule = RoundRule.objects.get()
        assert (rule.is_on, rule.config) == (False, {})

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"new_votes": "0"}, "greater than or equal to 1"),
            ({"config": "{"}, "valid JSON"),
            ({"config": "[1]"}, "config must be an object"),
            ({"config": '{"folds": 0}'}, "folds must be"),
        ],
    )
    def test_a_bad_value_is_told(self, staff, workflow, changes, message):
        answer = post(staff, "round-rule", **{**RULE, **changes})
        assert answer.status_code == 400
        assert message in answer.content.decode()
        assert not RoundRule.objects.exists()

    def test_a_round_starts_with_its_settings(self, staff, workflow):
        RoundRule.objects.create(workflow=workflow, config=TINY)
        assert post(staff, "round-start").status_code == 302
        assert Round.objects.get().config["batch"] == TINY["batch"]
        assert post(staff, "round-start").status_code == 409


class TestStart:
    """The form has the workflow's settings filled in, and what it sends is all that goes."""

    @pytest.fixture(autouse=True)
    def rule(self, workflow):
        return RoundRule.objects.create(workflow=workflow, config={"batch": 9, "folds": 2})

    @pytest.mark.parametrize("name", ["workflow-rounds", "rounds"])
    def test_the_settings_are_filled_in(self, staff, name):
        address = reverse(name, args=["tiny"] if name != "rounds" else [])
        shown = staff.get(address).content.decode()
        assert 'id="tiny-config"' in shown
        assert "{&quot;batch&quot;: 9, &quot;folds&quot;: 2}" in shown

    def test_what_is_taken_out_has_its_default(self, staff):
        post(staff, "round-start", config='{"folds": 4}')
        config = Round.objects.get().config
        assert (config["folds"], config["batch"]) == (4, 200)

    def test_a_dry_run_is_of_the_settings_in_the_form_and_keeps_them(self, staff, published_twice):
        shown = post(staff, "round-dry-run", config='{"folds": 7}').content.decode()
        assert "<code>folds</code> 2 → 7" in shown
        assert "{&quot;folds&quot;: 7}</textarea>" in shown
        assert Round.objects.count() == 2

    @pytest.mark.parametrize("name", ["round-start", "round-dry-run"])
    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ("{", "config must be JSON"),
            ("[1]", "config must be an object"),
            ('{"folds": 0}', "folds must be"),
        ],
    )
    def test_bad_settings_are_told_and_stay_in_the_form(self, staff, name, config, message):
        answer = post(staff, name, config=config)
        assert answer.status_code == 400
        assert message in answer.content.decode()
        assert f"{escape(config)}</textarea>" in answer.content.decode()
        assert not Round.objects.exists()


class TestRollBack:
    def test_is_done_and_recorded(self, staff, published_twice):
        assert post(staff, "round-roll-back", 1, reason="odd queue").status_code == 302
        assert selectors.current_model(published_twice[0].workflow).round == published_twice[0]
        shown = get(staff).content.decode()
        assert "from round 2 to round 1, by ada: odd queue" in " ".join(shown.split())

    def test_one_click_is_enough(self, staff, published_twice):
        assert 'name="reason" required' not in get(staff).content.decode()
        assert post(staff, "round-roll-back", 1, reason="").status_code == 302
        shown = " ".join(get(staff).content.decode().split())
        assert "from round 2 to round 1, by ada: no reason given" in shown

    def test_is_refused_with_a_word(self, staff, published_twice):
        assert post(staff, "round-roll-back", 2).status_code == 409
        assert not RollBack.objects.exists()

    def test_an_unknown_round_is_not_found(self, staff, workflow):
        assert post(staff, "round-roll-back", 9, reason="x").status_code == 404


class TestSetAside:
    def test_is_offered_for_a_damaged_model_alone(self, staff, published_twice):
        assert "Set the damaged model aside" not in get(staff).content.decode()
        assert post(staff, "round-set-aside", reason="x").status_code == 409
        (stage_folder(published_twice[1], "train").path / "model" / "model.json").unlink()
        shown = get(staff).content.decode()
        assert "Set the damaged model aside" in shown
        assert "model.json is missing" in shown
        assert post(staff, "round-set-aside").status_code == 400
        assert post(staff, "round-set-aside", reason="the disk broke").status_code == 302
        shown = " ".join(get(staff).content.decode().split())
        assert "the damaged model of round 2 set aside, by ada: the disk broke" in shown
        assert "Set the damaged model aside" not in shown


class TestPrune:
    def test_removes_files(self, staff, published_twice):
        assert post(staff, "rounds-prune", keep="0").status_code == 302
        assert not round_folder(published_twice[0]).exists()
        assert round_folder(published_twice[1]).is_dir()
        assert "free again" in get(staff).content.decode()

    def test_a_bad_number_removes_nothing(self, staff, published_twice):
        assert post(staff, "rounds-prune", keep="-1").status_code == 400
        assert round_folder(published_twice[0]).exists()


class TestCompare:
    def test_shows_both_with_the_interval(self, staff, published_twice):
        answer = get(staff, "rounds-compare", new=2, old=1)
        shown = answer.content.decode()
        assert answer.status_code == 200
        assert "Round 2 against round 1" in shown
        assert "What shape is it?" in shown
        assert "100.0%" in shown

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ({}, "new must be the number"),
            ({"new": "9", "old": "1"}, "new must be the number"),
            ({"new": "1", "old": "1"}, "both are round 1"),
        ],
    )
    def test_says_why_not(self, staff, published_twice, query, message):
        answer = get(staff, "rounds-compare", **query)
        assert answer.status_code == 400
        assert message in answer.content.decode()


def test_more_models_make_few_more_queries(staff, published_twice, django_assert_max_num_queries):
    workflow = published_twice[0].workflow
    for _ in range(3):
        services.cancel_round(
            round=services.start_round(workflow=workflow, user=None, config=TINY), user=None
        )
    with django_assert_max_num_queries(45):
        get(staff)
