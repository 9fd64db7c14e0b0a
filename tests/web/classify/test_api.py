"""The classify API: blind, idempotent, bounded, open to browsers, accounts and programs."""

import json
from uuid import uuid4

import pytest
from django.test import Client
from rest_framework.authtoken.models import Token

from lenticular.accounts.models import Volunteer
from lenticular.accounts.web import COOKIE
from lenticular.classifications.models import Classification
from lenticular.common.parsers import MAX_BODY_BYTES
from lenticular.selection.models import Lease
from tests.universe import FEATURED, SMOOTH_ROUND, answer

NEXT = "/api/v1/workflows/shapes/next/"
POST = "/api/v1/classifications/"


def post(client, address, body, **headers):
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return client.post(address, text, content_type="application/json", headers=headers)


def served(client, count=1):
    response = post(client, NEXT, {"count": count})
    assert response.status_code == 200, response.content
    return response.json()["subjects"]


def entry(universe, served_subject, path=SMOOTH_ROUND, **changes):
    return {
        "uuid": str(uuid4()),
        "version": universe.version.pk,
        "subject": served_subject["id"],
        "annotations": path,
        "started_at": "2026-01-01T00:00:00Z",
        **changes,
    }


def send(client, *entries):
    response = post(client, POST, {"classifications": entries})
    assert response.status_code == 207, response.content
    return response.json()


def test_the_workflow_tells_its_tree_and_version(client, universe):
    body = client.get("/api/v1/workflows/shapes/").json()
    assert body["version"] == universe.version.pk
    assert body["tree"] == universe.tree.to_dict()


def test_an_unknown_workflow_is_a_problem_document(client, universe):
    for response in (
        client.get("/api/v1/workflows/none/"),
        post(client, "/api/v1/workflows/none/next/", {"count": 1}),
    ):
        assert response.status_code == 404
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["type"] == "urn:lenticular:problem:not-found"


def test_an_anonymous_browser_gets_galaxies_and_is_remembered(client, universe):
    first = served(client, 2)
    assert COOKIE in client.cookies
    again = served(client, 3)
    assert [each["id"] for each in again[:2]] == [each["id"] for each in first]
    assert set(first[0]["images"]) == {"page", "full", "thumb"}


def test_next_tells_when_nothing_remains(client, universe):
    body = post(client, NEXT, {"count": 50}).json()
    assert 0 < len(body["subjects"]) <= 12
    assert body["remaining"] is False


def test_next_is_blind(client, universe):
    text = json.dumps(served(client, 12))
    for secret in (
        "arm",
        "probability",
        "tally",
        "votes",
        "prediction",
        "priority",
        "truth",
        "gold",
    ):
        assert f'"{secret}' not in text
    assert set(json.loads(text)[0]) == {
        "id",
        "external_id",
        "images",
        "renderings",
        "metadata",
        "expires_at",
    }


@pytest.mark.parametrize("count", [0, 51, -1, "many", None])
def test_a_count_out_of_its_range_is_refused(client, universe, count):
    response = post(client, NEXT, {"count": count})
    assert response.status_code == 400
    assert "count" in response.json()["errors"]


def test_a_classification_is_recorded_once_and_answered_with_an_echo(client, quiet_universe):
    one = entry(quiet_universe, served(client)[0])
    (result,) = send(client, one)
    assert result["status"] == "recorded"
    assert result["echo"]["url"] == f"/galaxies/{one['subject']}/"
    assert "first" in result["echo"]["text"]
    (again,) = send(client, one)
    assert again == {"uuid": one["uuid"], "status": "already-recorded"}
    assert Classification.objects.filter(uuid=one["uuid"]).count() == 1


def test_a_signed_in_volunteer_votes_as_the_account(client_of, universe):
    client = client_of("volunteer")
    one = entry(universe, served(client)[0])
    assert send(client, one)[0]["status"] == "recorded"
    assert Classification.objects.get(uuid=one["uuid"]).volunteer == universe.volunteer
    assert COOKIE not in client.cookies


def test_a_program_votes_with_a_token(client, universe):
    token = Token.objects.create(user=universe.expert)
    headers = {"Authorization": f"Token {token.key}"}
    subject = post(client, NEXT, {"count": 1}, **headers).json()["subjects"][0]
    one = entry(universe, subject)
    response = post(client, POST, {"classifications": [one]}, **headers)
    assert response.json()[0]["status"] == "recorded"
    assert Classification.objects.get(uuid=one["uuid"]).volunteer.user == universe.expert


def test_a_wrong_token_is_refused_with_a_problem_document(client, universe):
    response = post(client, NEXT, {"count": 1}, Authorization="Token nonsense")
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("role", [None, "volunteer"])
def test_a_browser_must_send_the_csrf_token(universe, role):
    client = Client(enforce_csrf_checks=True)
    if role:
        client.force_login(universe.volunteer_user)
    page = client.get("/classify/shapes/")
    body = {"count": 1}
    refused = post(client, NEXT, body)
    assert refused.status_code == 403
    assert refused["Content-Type"] == "application/problem+json"
    token = page.context["csrf_token"]
    assert post(client, NEXT, body, **{"X-CSRFToken": str(token)}).status_code == 200


def test_one_bad_entry_does_not_lose_the_others(client, universe):
    first, second = served(client, 2)
    good, bad = entry(universe, first), entry(universe, second, path=[["shape", "blue"]])
    results = send(client, bad, {"uuid": "x"}, 7, good)
    assert [result["status"] for result in results] == [*["refused"] * 3, "recorded"]
    assert [result["uuid"] for result in results] == [bad["uuid"], None, None, good["uuid"]]
    assert results[0]["problem"]["type"] == "urn:lenticular:problem:bad-annotations"
    assert results[1]["problem"]["type"] == "urn:lenticular:problem:bad-entry"
    assert "annotations" in results[1]["problem"]["errors"]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"version": 10**6}, "not-found"),
        ({"subject": 10**6}, "not-found"),
        ({"version": 2**70}, "bad-entry"),
        ({"annotations": [["shape", "smooth"]]}, "bad-annotations"),
        ({"annotations": [["shape", "smooth"], ["shape", "featured"]]}, "bad-annotations"),
        ({"annotations": [["shape"]]}, "bad-entry"),
        ({"annotations": []}, "bad-entry"),
        ({"annotations": [["shape", "smooth"]] * 101}, "bad-entry"),
        ({"annotations": "smooth"}, "bad-entry"),
        ({"started_at": "yesterday"}, "bad-entry"),
        ({"metadata": [1]}, "bad-entry"),
        ({"metadata": {"long": "x" * 20_000}}, "invalid"),
    ],
)
def test_a_refused_entry_says_why(client, universe, changes, kind):
    (result,) = send(client, entry(universe, served(client)[0], **changes))
    assert result["status"] == "refused"
    assert result["problem"]["type"] == f"urn:lenticular:problem:{kind}"


def test_what_was_never_served_or_is_answered_already_is_refused(client, universe):
    subject = served(client)[0]
    unseen = next(each for each in universe.subjects if each.pk != subject["id"])
    assert send(client, entry(universe, subject))[0]["status"] == "recorded"
    twice, never = send(
        client, entry(universe, subject, FEATURED), entry(universe, {"id": unseen.pk})
    )
    assert twice["problem"]["type"] == "urn:lenticular:problem:already-classified"
    assert never["problem"]["type"] == "urn:lenticular:problem:not-served"


def test_a_repeated_uuid_with_other_answers_is_refused(client, universe):
    one = entry(universe, served(client)[0])
    send(client, one)
    (result,) = send(client, {**one, "annotations": FEATURED})
    assert result["status"] == "refused"
    assert result["problem"]["status"] == 409


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        b"\xff\xfe",
        '{"classifications": 7}',
        '{"classifications": {}}',
        '{"classifications": [NaN]}',
        "[" * 100_000,
    ],
)
def test_a_malformed_body_is_a_problem_document(client, universe, body):
    response = post(client, POST, body)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"


def test_more_than_a_hundred_entries_are_refused_whole(client, universe):
    one = entry(universe, served(client)[0])
    response = post(client, POST, {"classifications": [one] * 101})
    assert response.status_code == 400
    assert "at most 100" in response.json()["detail"]
    assert not Classification.objects.filter(uuid=one["uuid"]).exists()


def test_an_oversized_body_is_refused(client, universe):
    body = json.dumps({"classifications": [], "padding": "x" * MAX_BODY_BYTES})
    response = post(client, POST, body)
    assert response.status_code == 413
    assert response.json()["type"] == "urn:lenticular:problem:body-too-large"


def test_a_body_that_is_not_json_by_name_is_refused(client, universe):
    assert client.post(POST, {"classifications": "[]"}).status_code == 415


def test_an_answer_for_a_galaxy_retired_meanwhile_still_counts(client, quiet_universe):
    universe = quiet_universe
    subject = served(client)[0]
    others = [universe.volunteer, universe.anonymous, universe.other_anonymous]
    lease = Lease.objects.get(subject=subject["id"])
    for volunteer in others:
        Lease.objects.create(
            workflow=universe.workflow,
            subject_id=subject["id"],
            volunteer=volunteer,
            arm=lease.arm,
            selection_probability=lease.selection_probability,
            expires_at=lease.expires_at,
        )
        answer(universe, volunteer, lease.subject)
    assert send(client, entry(universe, subject))[0]["status"] == "recorded"


def test_reading_the_tree_makes_no_volunteer(client, universe):
    before = Volunteer.objects.count()
    client.get("/api/v1/workflows/shapes/")
    client.get("/")
    assert Volunteer.objects.count() == before


def test_the_schema_names_the_three_addresses(client, db):
    text = client.get("/api/v1/schema/").content.decode()
    for address in ("workflows/{slug}/:", "workflows/{slug}/next/:", "classifications/:"):
        assert address in text
