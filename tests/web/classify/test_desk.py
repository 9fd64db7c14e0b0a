"""What the classify page's own browser half asks of the server."""

import json
from datetime import timedelta

import pytest
from django.test import override_settings
from django.urls import path
from django.utils import timezone

from lenticular import urls as site
from lenticular.classifications.models import Classification
from lenticular.classify.pages import favourite_address
from lenticular.consensus.selectors import tally_of
from lenticular.subjects.models import Subject, SubjectImage
from lenticular.workflows.services import publish_version
from mlcore.tree import DecisionTree
from tests.universe import FEATURED
from tests.web.classify.test_api import NEXT, POST, entry, post, send, served

PAGE = "/classify/shapes/"


class WithHearts:
    urlpatterns = [
        *site.urlpatterns,
        path("hearts/<int:subject_id>/", lambda request: None, name="api-favourite"),
    ]


def page_data(client):
    html = client.get(PAGE).content.decode()
    text = html.partition('<script id="page-data" type="application/json">')[2]
    return json.loads(text.partition("</script>")[0])


def test_renderings_come_in_their_order_the_first_as_before(client, universe):
    (one,) = served(client)
    addresses = {"page": one["images"]["page"], "full": one["images"]["full"]}
    assert one["renderings"] == [{"name": "main", **addresses}]
    subject = Subject.objects.get(pk=one["id"])
    SubjectImage.objects.create(
        subject=subject, rendering="infrared", position=1, sha256="f" * 64, width=9, height=9
    )
    (again,) = served(client)
    assert [each["name"] for each in again["renderings"]] == ["main", "infrared"]
    assert again["images"] == one["images"]
    html = client.get(PAGE).content.decode()
    assert f'<a href="{again["renderings"][1]["full"]}">infrared</a>' in html


@pytest.mark.parametrize("role", [None, "volunteer"])
def test_the_page_knows_whose_it_is(client_of, universe, role):
    account = page_data(client_of(role))["account"]
    assert account == (universe.volunteer_user.pk if role else None)


def test_without_favourites_there_is_no_address_for_them():
    with override_settings(ROOT_URLCONF=WithHearts):
        assert favourite_address() == "/hearts/0/"


def test_next_tells_which_version_is_asked(client, universe):
    assert post(client, NEXT, {"count": 1}).json()["version"] == universe.version.pk
    assert page_data(client)["version"] == universe.version.pk


def test_an_answer_to_an_older_tree_counts_under_it(client, quiet_universe):
    universe = quiet_universe
    old = universe.version
    one = entry(universe, served(client)[0], FEATURED)
    document = {**old.tree.to_dict(), "name": "New shapes"}
    document["questions"][0]["text"]["en"] = "Smooth?"
    new = publish_version(workflow=universe.workflow, tree=DecisionTree.from_dict(document))
    assert post(client, NEXT, {"count": 1}).json()["version"] == new.pk
    assert send(client, one)[0]["status"] == "recorded"
    assert Classification.objects.get(uuid=one["uuid"]).version == old
    assert tally_of(version=old, subject_id=one["subject"]).counts["shape_featured"] == 1
    assert tally_of(version=new, subject_id=one["subject"]) is None


@pytest.mark.parametrize("claimed", ["999999", "nobody", ""])
def test_a_page_of_an_account_that_is_signed_out_is_told_so(client, universe, claimed):
    one = entry(universe, served(client)[0])
    before = Classification.objects.count()
    for address, body in ((POST, {"classifications": [one]}), (NEXT, {"count": 1})):
        response = post(client, address, body, **{"X-Account": claimed})
        assert response.status_code == 401
        assert response.json()["type"] == "urn:lenticular:problem:signed-out"
    assert Classification.objects.count() == before


def test_a_page_of_another_account_records_nothing_under_this_one(client_of, universe):
    client = client_of("volunteer")
    other = {"X-Account": str(universe.expert.pk)}
    assert post(client, NEXT, {"count": 1}, **other).status_code == 401


def test_a_page_of_this_account_goes_on(client_of, universe):
    own = {"X-Account": str(universe.volunteer_user.pk)}
    assert post(client_of("volunteer"), NEXT, {"count": 1}, **own).status_code == 200


@pytest.mark.parametrize(
    ("off", "noted"), [(0, False), (30, False), (-30, False), (3600, True), (-86400, True)]
)
def test_a_clock_that_is_off_is_noted_in_the_entry(client, universe, off, noted):
    one = entry(universe, served(client)[0], metadata={"interface": "page"})
    sent_at = (timezone.now() + timedelta(seconds=off)).isoformat()
    post(client, POST, {"classifications": [one], "sent_at": sent_at})
    metadata = Classification.objects.get(uuid=one["uuid"]).metadata
    assert metadata["interface"] == "page"
    assert ("clock_skew" in metadata) == noted
    if noted:
        assert metadata["clock_skew"] == pytest.approx(off, abs=2)


@pytest.mark.parametrize(
    "sent_at", [None, 7, "soon", "2026-13-45T00:00:00Z", "2026-01-01T00:00:00", ["x"], ""]
)
def test_a_time_of_sending_that_is_none_costs_no_vote(client, universe, sent_at):
    one = entry(universe, served(client)[0])
    body = {"classifications": [one], "sent_at": sent_at}
    assert post(client, POST, body).json()[0]["status"] == "recorded"
    assert "clock_skew" not in Classification.objects.get(uuid=one["uuid"]).metadata


@pytest.mark.parametrize("started_at", ["2099-01-01T00:00:00Z", "1970-01-01T00:00:00Z", None])
def test_a_start_in_the_future_or_long_past_is_accepted(client, universe, started_at):
    one = entry(universe, served(client)[0], started_at=started_at)
    assert send(client, one)[0]["status"] == "recorded"


def test_without_javascript_renderings_are_links_only_where_there_are_several(client, universe):
    html = client.get(PAGE).content.decode()
    assert 'id="renderings" role="group" aria-label="Renderings" hidden' in html
