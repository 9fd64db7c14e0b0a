from http import HTTPStatus

import pytest
from django.urls import reverse

from lenticular.accounts.models import User, Volunteer
from lenticular.accounts.services import create_anonymous_volunteer, volunteer_of
from lenticular.accounts.web import (
    COOKIE,
    cookie_volunteer,
    known_volunteer,
    remember_volunteer,
    volunteer_for_request,
)
from tests.universe import PASSWORD, classify


@pytest.fixture
def remember(client, rf):
    """Have the test's browser hold the volunteer's cookie."""

    def hold(volunteer):
        from django.contrib.auth.models import AnonymousUser
        from django.http import HttpResponse

        request, response = rf.get("/"), HttpResponse()
        request.user = AnonymousUser()
        remember_volunteer(request, response, volunteer)
        client.cookies[COOKIE] = response.cookies[COOKIE].value
        return response.cookies[COOKIE]

    return hold


def request_of(client, rf, user=None):
    from django.contrib.auth.models import AnonymousUser

    request = rf.get("/")
    request.COOKIES.update({name: morsel.value for name, morsel in client.cookies.items()})
    request.user = user or AnonymousUser()
    return request


def test_the_sign_in_page_greets_anyone(client, db):
    page = client.get(reverse("sign-in"))

    assert page.status_code == HTTPStatus.OK
    assert b"csrfmiddlewaretoken" in page.content


def test_signing_in_leads_to_the_page_asked_for(client, universe):
    form = {"username": universe.volunteer_user.username, "password": PASSWORD}

    answer = client.post(reverse("sign-in"), {**form, "next": reverse("releases")})

    assert answer.status_code == HTTPStatus.FOUND
    assert answer.url == reverse("releases")


def test_signing_in_never_leads_to_another_site(client, universe):
    form = {"username": universe.volunteer_user.username, "password": PASSWORD}

    answer = client.post(reverse("sign-in"), {**form, "next": "https://example.org/"})

    assert answer.url == reverse("home")


def test_a_wrong_password_is_told_and_signs_nobody_in(client, universe):
    form = {"username": universe.volunteer_user.username, "password": "wrong"}

    page = client.post(reverse("sign-in"), form)

    assert page.status_code == HTTPStatus.OK
    assert b"notice-bad" in page.content
    assert "_auth_user_id" not in client.session


def test_signing_in_keeps_what_was_classified_before(client, quiet_universe, remember):
    universe = quiet_universe
    classify(universe, universe.anonymous, 3)
    remember(universe.anonymous)

    form = {"username": universe.volunteer_user.username, "password": PASSWORD}
    response = client.post(reverse("sign-in"), form)

    universe.anonymous.refresh_from_db()
    assert universe.anonymous.merged_into == universe.volunteer
    assert response.cookies[COOKIE].value == ""


def test_another_account_s_cookie_is_dropped_and_not_merged_again(client, quiet_universe, remember):
    universe = quiet_universe
    remember(universe.anonymous)
    form = {"username": universe.volunteer_user.username, "password": PASSWORD}
    client.post(reverse("sign-in"), form)
    client.post(reverse("sign-out"))
    remember(universe.anonymous)

    client.post(reverse("sign-in"), {"username": universe.expert.username, "password": PASSWORD})

    universe.anonymous.refresh_from_db()
    assert universe.anonymous.merged_into == universe.volunteer


def test_signing_up_makes_a_volunteer_and_keeps_what_was_done(client, quiet_universe, remember):
    universe = quiet_universe
    remember(universe.anonymous)

    form = {"username": "newcomer", "password1": PASSWORD, "password2": PASSWORD}
    response = client.post(reverse("sign-up"), {**form, "role": "admin", "is_staff": "on"})

    user = User.objects.get(username="newcomer")
    universe.anonymous.refresh_from_db()
    assert response.status_code == HTTPStatus.FOUND
    assert not (user.may_run_rounds)
    assert not (user.is_staff)
    assert universe.anonymous.merged_into == volunteer_of(user=user)


def test_signing_up_with_a_taken_name_or_a_weak_password_tells_why(client, universe):
    form = {"username": universe.expert.username, "password1": "123", "password2": "123"}

    page = client.post(reverse("sign-up"), form)

    assert page.status_code == HTTPStatus.OK
    assert page.context["form"].errors.keys() == {"username", "password2"}


@pytest.mark.parametrize("name", ["sign-in", "sign-up"])
def test_who_is_signed_in_is_sent_home(client_of, name):
    answer = client_of("volunteer").get(reverse(name))

    assert answer.status_code == HTTPStatus.FOUND
    assert answer.url == reverse("home")


def test_signing_out_needs_a_post(client_of):
    client = client_of("volunteer")

    assert client.get(reverse("sign-out")).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert client.post(reverse("sign-out")).status_code == HTTPStatus.FOUND
    assert "_auth_user_id" not in client.session


def test_a_browser_keeps_who_it_is_for_a_year_out_of_scripts_reach(db, remember, client, rf):
    volunteer = create_anonymous_volunteer()

    cookie = remember(volunteer)

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == 365 * 24 * 3600
    assert known_volunteer(request_of(client, rf)) == volunteer


def test_a_forged_cookie_names_nobody(db, client, rf):
    volunteer = create_anonymous_volunteer()
    client.cookies[COOKIE] = f"{volunteer.key}:forged"

    assert cookie_volunteer(request_of(client, rf)) is None
    assert volunteer_for_request(request_of(client, rf)) != volunteer


def test_looking_makes_no_volunteer_and_asking_for_one_does(db, client, rf):
    assert known_volunteer(request_of(client, rf)) is None
    assert not Volunteer.objects.exists()
    assert volunteer_for_request(request_of(client, rf)).user is None


def test_a_merged_browser_posts_as_the_account(client, rf, quiet_universe, remember):
    universe = quiet_universe
    remember(universe.anonymous)
    form = {"username": universe.volunteer_user.username, "password": PASSWORD}
    client.post(reverse("sign-in"), form)
    remember(universe.anonymous)

    assert known_volunteer(request_of(client, rf)) == universe.volunteer


def test_an_account_goes_before_the_cookie(client, rf, quiet_universe, remember):
    remember(quiet_universe.anonymous)

    asked = request_of(client, rf, quiet_universe.volunteer_user)

    assert known_volunteer(asked) == quiet_universe.volunteer
