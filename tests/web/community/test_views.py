"""Own galaxies and favourites, as a stranger, anonymous, and signed in."""

import json
import re

import pytest
from django.core.signing import get_cookie_signer
from django.test import Client

from lenticular.accounts.models import Volunteer
from lenticular.accounts.services import volunteer_of
from lenticular.accounts.web import COOKIE, COOKIE_SALT
from lenticular.community import views
from lenticular.community.models import Favourite
from lenticular.community.services import set_favourite
from lenticular.workflows.services import create_workflow
from tests.universe import classify, small_tree
from tests.web.community.test_counts import practise


def known(client, volunteer):
    """Have the client be an anonymous browser that has classified before."""
    value = get_cookie_signer(salt=COOKIE + COOKIE_SALT).sign(str(volunteer.key))
    client.cookies[COOKIE] = value
    return client


def shown(response):
    return [each.classification.pk for each in response.context["entries"]]


@pytest.mark.parametrize("address", ["/history/", "/favourites/", "/collections/"])
def test_looking_makes_nobody_a_volunteer(client, universe, address):
    before = Volunteer.objects.count()
    response = client.get(address)
    assert response.status_code == 200
    assert COOKIE not in response.cookies
    client.force_login(universe.astronomer)
    assert client.get(address).status_code == 200
    assert Volunteer.objects.count() == before


@pytest.mark.parametrize("address", ["/history/", "/favourites/"])
def test_pages_that_only_show_refuse_to_be_posted_to(client, universe, address):
    assert client.post(address).status_code == 405


def test_the_history_is_ones_own_with_answers_in_words(client_of, universe):
    response = client_of("volunteer").get("/history/")
    own = [each.classification.pk for each in universe.recorded[:4]]
    assert shown(response) == own[::-1]
    html = response.content.decode()
    assert "<span>Smooth</span><span>Round</span>" in html
    assert "4 galaxies classified" in html
    assert re.search(r'href="/history/"[^>]*>My 4 galaxies<', html)


def test_an_anonymous_browser_has_a_history_too(client, universe):
    response = known(client, universe.anonymous).get("/history/")
    assert len(shown(response)) == 3
    assert "3 galaxies classified" in response.content.decode()


def test_the_count_in_the_header_is_that_of_the_history_after_practice_and_merge(
    client_of, universe
):
    practise(universe, universe.volunteer, universe.subjects[0])
    html = client_of("volunteer").get("/about/").content.decode()
    assert "My 4 galaxies" in html
    html = client_of("volunteer").get("/history/").content.decode()
    assert "4 galaxies classified, 1 more in practice" in " ".join(html.split())
    assert html.count(">practice<") == 1


def test_the_header_counts_nothing_for_strangers(client, universe):
    assert "/history/" not in client.get("/about/").content.decode()


def test_the_history_speaks_the_readers_language(client_of, universe):
    client = client_of("volunteer")
    classify(universe, universe.volunteer)
    client.post("/i18n/setlang/", {"language": "zh-hant", "next": "/history/"})
    assert "這個星系平滑嗎？" in client.get("/history/").content.decode()


def test_pages_stay_right_while_new_galaxies_come_in(client, quiet_universe, monkeypatch):
    universe = quiet_universe
    monkeypatch.setattr(views, "HISTORY_PAGE", 3)
    client.force_login(universe.volunteer_user)
    done = [each.classification.pk for each in classify(universe, universe.volunteer, 7)]
    first = client.get("/history/")
    assert shown(first) == done[:3:-1]
    classify(universe, universe.volunteer, 2)
    address = re.search(r'rel="next" href="(\?[^"]+)"', first.content.decode()).group(1)
    second = client.get("/history/" + address)
    assert shown(second) == done[3:0:-1]
    address = re.search(r'rel="next" href="(\?[^"]+)"', second.content.decode()).group(1)
    last = client.get("/history/" + address)
    assert shown(last) == done[:1]
    assert 'rel="next"' not in last.content.decode()


@pytest.mark.parametrize("before", ["x", "-1", "0", "9" * 30, "%00", "１"])
def test_a_bad_place_shows_the_newest(client_of, universe, before):
    response = client_of("volunteer").get(f"/history/?before={before}&workflow=%00&favourites=x")
    assert len(shown(response)) == 4


def test_the_history_is_filtered_by_workflow_and_favourites(client_of, universe):
    second = create_workflow(
        slug="again", name="Again", tree=small_tree(), subject_sets=[universe.subject_set]
    )
    first = universe.recorded[0].classification
    other = practise(universe, universe.volunteer, universe.subjects[0], second)
    client = client_of("volunteer")
    assert shown(client.get("/history/?workflow=again")) == [other.pk]
    assert len(shown(client.get("/history/?workflow=shapes"))) == 4
    assert shown(client.get("/history/?favourites=yes")) == []
    set_favourite(volunteer=universe.volunteer, subject_id=first.subject_id, favourite=True)
    assert first.pk in shown(client.get("/history/?favourites=yes&workflow=shapes"))


def test_a_page_of_history_takes_a_bounded_number_of_queries(
    client_of, universe, django_assert_max_num_queries
):
    client = client_of("volunteer")
    client.get("/history/")
    with django_assert_max_num_queries(16):
        few = client.get("/history/")
    classify(universe, universe.volunteer, 8)
    with django_assert_max_num_queries(16):
        assert len(shown(client.get("/history/"))) > len(shown(few))


def test_an_anonymous_browser_keeps_a_favourite_and_is_remembered(client, universe):
    subject = universe.subjects[0]
    address = f"/galaxies/{subject.pk}/favourite/"
    response = client.post(address, {"favourite": "yes", "next": "/history/"})
    assert (response.status_code, response["Location"]) == (302, "/history/")
    assert COOKIE in client.cookies
    html = client.get("/favourites/").content.decode()
    assert subject.external_id in html
    assert 'aria-pressed="true"' in client.get(f"/galaxies/{subject.pk}/").content.decode()
    client.post(address, {"favourite": "no"})
    assert Favourite.objects.count() == 0


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:x"])
def test_a_form_leads_back_to_our_own_pages_alone(client, universe, elsewhere):
    subject = universe.subjects[0]
    response = client.post(
        f"/galaxies/{subject.pk}/favourite/", {"favourite": "yes", "next": elsewhere}
    )
    assert response["Location"] == f"/galaxies/{subject.pk}/"


def test_an_unknown_galaxy_is_no_favourite_and_makes_no_volunteer(client, universe):
    before = Volunteer.objects.count()
    for kept in ("favourite", "collect"):
        assert client.post(f"/galaxies/999999/{kept}/", {"favourite": "yes"}).status_code == 404
    assert client.get(f"/galaxies/{universe.subjects[0].pk}/favourite/").status_code == 405
    assert Volunteer.objects.count() == before


def test_a_favourite_needs_the_csrf_token(universe):
    client = Client(enforce_csrf_checks=True)
    subject = universe.subjects[0]
    assert client.post(f"/galaxies/{subject.pk}/favourite/").status_code == 403


def api(client, subject_id, body, **headers):
    text = body if isinstance(body, str) else json.dumps(body)
    return client.post(
        f"/api/v1/subjects/{subject_id}/favourite/",
        text,
        content_type="application/json",
        headers=headers,
    )


@pytest.mark.parametrize("role", [None, "volunteer", "expert"])
def test_the_api_sets_and_tells_favourites(client_of, universe, role):
    client, subject_id = client_of(role), universe.subjects[0].pk
    address = f"/api/v1/subjects/{subject_id}/favourite/"
    assert client.get(address).json() == {"favourite": False}
    for wanted in (True, True, False, False, True):
        response = api(client, subject_id, {"favourite": wanted})
        assert (response.status_code, response.json()) == (200, {"favourite": wanted})
        assert client.get(address).json() == {"favourite": wanted}
    assert Favourite.objects.count() == 1


def test_asking_the_api_makes_nobody_a_volunteer(client, universe):
    before = Volunteer.objects.count()
    client.get(f"/api/v1/subjects/{universe.subjects[0].pk}/favourite/")
    assert api(client, 999_999, {"favourite": True}).status_code == 404
    assert Volunteer.objects.count() == before


@pytest.mark.parametrize(
    "body", [{}, {"favourite": None}, {"favourite": "perhaps"}, [], "x", '{"favourite": NaN}']
)
def test_the_api_refuses_bad_bodies_as_problems(client, universe, body):
    before = Volunteer.objects.count()
    response = api(client, universe.subjects[0].pk, body)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert (Volunteer.objects.count(), Favourite.objects.count()) == (before, 0)


def test_a_known_browser_needs_the_csrf_token(universe):
    client = known(Client(enforce_csrf_checks=True), universe.anonymous)
    assert api(client, universe.subjects[0].pk, {"favourite": True}).status_code == 403
    client.get("/accounts/sign-in/")
    token = client.cookies["csrftoken"].value
    response = api(client, universe.subjects[0].pk, {"favourite": True}, **{"X-CSRFToken": token})
    assert response.status_code == 200
    assert Favourite.objects.get().volunteer == universe.anonymous


def test_a_favourite_of_an_account_is_its_volunteers(client_of, universe):
    api(client_of("astronomer"), universe.subjects[0].pk, {"favourite": True})
    assert Favourite.objects.get().volunteer == volunteer_of(user=universe.astronomer)
