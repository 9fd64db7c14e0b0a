"""The rounds API, as anonymous, forbidden and allowed."""

import pytest
from django.urls import reverse

from lenticular.rounds import services
from lenticular.rounds.models import STAGES, Round, RoundRule, RoundState, Verdict
from lenticular.rounds.work import fail_round

from .conftest import TINY, WORKER

pytestmark = pytest.mark.django_db
JSON = "application/json"


def change(name, round_):
    return reverse(f"api-round-{name}", args=[round_.pk])


def every_address(round_):
    """Yield (method, address) of every endpoint of the app."""
    yield "get", reverse("api-rounds", args=["tiny"])
    yield "post", reverse("api-rounds", args=["tiny"])
    yield "get", reverse("api-round", args=[round_.pk])
    for name in ("cancel", "resume", "override"):
        yield "post", change(name, round_)


@pytest.mark.parametrize("who", ["anonymous", "expert"])
def test_only_admins_are_let_in(client, pending, expert, who):
    if who == "expert":
        client.force_login(expert)
    for method, address in every_address(pending):
        answer = getattr(client, method)(address)
        assert answer.status_code in {401, 403}
        assert answer["Content-Type"] == "application/problem+json"
    pending.refresh_from_db()
    assert pending.state == RoundState.PENDING


class TestStart:
    def post(self, client, body, slug="tiny"):
        return client.post(reverse("api-rounds", args=[slug]), body, content_type=JSON)

    def test_makes_a_round(self, client, workflow, admin):
        client.force_login(admin)
        answer = self.post(client, {"config": TINY, "seed": 5})
        assert answer.status_code == 201
        found = answer.json()
        assert (found["number"], found["state"], found["seed"]) == (1, "pending", 5)
        assert [stage["name"] for stage in found["stages"]] == list(STAGES)

    @pytest.mark.parametrize(("from_defaults", "batch"), [(False, 9), (True, 200)])
    def test_goes_by_what_the_workflow_keeps(self, client, workflow, admin, from_defaults, batch):
        RoundRule.objects.create(workflow=workflow, config={"batch": 9, "folds": 2})
        client.force_login(admin)
        body = {"config": {"folds": 4}, "from_defaults": from_defaults}
        config = self.post(client, body).json()["config"]
        assert (config["batch"], config["folds"]) == (batch, 4)

    def test_a_second_is_a_conflict(self, client, pending, admin):
        client.force_login(admin)
        answer = self.post(client, {"config": TINY})
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:lenticular:problem:round-active"
        assert answer.json()["active"] == 1

    def test_too_few_votes_are_refused(self, client, empty_workflow, admin):
        client.force_login(admin)
        answer = self.post(client, {})
        assert answer.status_code == 400
        assert answer.json()["type"] == "urn:lenticular:problem:too-few-votes"
        assert "there are 0" in answer.json()["detail"]

    @pytest.mark.parametrize(
        "body", [{"seed": "x"}, {"seed": -1}, {"config": []}, {"config": {"folds": 0}}]
    )
    def test_a_bad_body_is_refused(self, client, workflow, admin, body):
        client.force_login(admin)
        assert self.post(client, body).status_code == 400
        assert not Round.objects.exists()

    def test_an_unknown_workflow_is_not_found(self, client, admin):
        client.force_login(admin)
        assert self.post(client, {}, slug="nowhere").status_code == 404


class TestRead:
    def test_lists_the_latest_first(self, client, pending, admin):
        services.cancel_round(round=pending, user=admin)
        services.start_round(workflow=pending.workflow, user=admin, config=TINY)
        client.force_login(admin)
        found = client.get(reverse("api-rounds", args=["tiny"])).json()["rounds"]
        assert [round_["number"] for round_ in found] == [2, 1]

    def test_shows_one(self, client, running, admin):
        client.force_login(admin)
        found = client.get(reverse("api-round", args=[running.pk])).json()
        assert (found["state"], found["is_active"]) == ("running", True)
        assert found["page"] == reverse("round", args=["tiny", 1])

    def test_an_unknown_round_is_not_found(self, client, admin):
        client.force_login(admin)
        assert client.get(reverse("api-round", args=[99])).status_code == 404


class TestChanges:
    def test_cancel_and_resume(self, client, pending, admin):
        client.force_login(admin)
        assert client.post(change("cancel", pending)).json()["state"] == "cancelled"
        assert client.post(change("cancel", pending)).status_code == 409
        assert client.post(change("resume", pending)).json()["state"] == "pending"
        assert client.post(change("resume", pending)).status_code == 409

    def test_a_failed_round_shows_its_error(self, client, running, admin):
        fail_round(round_id=running.pk, worker=WORKER, stage="train", error="out of memory")
        client.force_login(admin)
        found = client.get(reverse("api-round", args=[running.pk])).json()
        assert found["error"] == "train: out of memory"
        assert found["stages"][1]["state"] == "failed"

    def test_override(self, client, running, admin, write_stages):
        write_stages(running, not_worse=False)
        services.publish_round(round=running, worker=WORKER)
        client.force_login(admin)
        refused = client.post(change("override", running), {}, content_type=JSON)
        assert refused.status_code == 400
        answer = client.post(change("override", running), {"reason": "ok"}, content_type=JSON)
        assert answer.json()["verdict"] == Verdict.OVERRIDDEN
