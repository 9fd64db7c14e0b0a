from http import HTTPStatus

import pytest
from django.urls import reverse

from lenticular.accounts.models import User, Volunteer
from lenticular.accounts.services import create_anonymous_volunteer, create_user, volunteer_of
from lenticular.accounts.views import keep_work
from lenticular.accounts.web import (
    COOKIE,
    cookie_volunteer,
    known_volunteer,
    volunteer_for_request,
)
from lenticular.classify.services import merge_volunteers
from tests.universe import PASSWORD, classify


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
    assert page.context["form"].errors.keys() == {"username", "password1"}


@pytest.mark.parametrize("name", ["sign-in", "sign-up"])
def test_who_is_signed_in_is_sent_home(client_of, name):
    answer = client_of("volunteer").get(reverse(name))

    assert answer.status_code == HTTPStatus.FOUND
    assert answer.url == reverse("home")


def test_signing_out_needs_a_post(client_of):
    client = client_of("volunteer")

    assert "Sign out?" in client.get(reverse("sign-out")).text
    assert "_auth_user_id" in client.session
    assert client.post(reverse("sign-out")).url == reverse("home")
    assert "_auth_user_id" not in client.session


def test_who_is_not_signed_in_has_nothing_to_sign_out_of(client, db):
    assert client.get(reverse("sign-out")).url == reverse("home")


@pytest.mark.parametrize("name", ["VERA@example.org", "vera@example.org", "vera", "Vera"])
def test_a_mail_address_signs_in_as_the_name_does(client, db, name):
    create_user(username="vera", password=PASSWORD, email="vera@example.org")

    answer = client.post(reverse("sign-in"), {"username": name, "password": PASSWORD})

    assert answer.status_code == HTTPStatus.FOUND
    assert "_auth_user_id" in client.session


def test_a_closed_account_is_told_so(client, universe):
    universe.volunteer_user.is_active = False
    universe.volunteer_user.save()
    form = {"username": universe.volunteer_user.username, "password": PASSWORD}

    page = client.post(reverse("sign-in"), form, follow=True)

    assert "This account is closed" in page.text
    assert "_auth_user_id" not in client.session


def test_keep_me_signed_in_is_ticked_and_lasts_sixty_days(client, universe):
    assert " checked" in client.get(reverse("sign-in")).text
    form = {"username": universe.expert.username, "password": PASSWORD, "remember": "on"}

    answer = client.post(reverse("sign-in"), form)

    assert answer.cookies["sessionid"]["max-age"] == 60 * 24 * 3600


def test_unticked_it_ends_with_the_browser(client, universe):
    form = {"username": universe.expert.username, "password": PASSWORD}

    answer = client.post(reverse("sign-in"), form)

    assert answer.cookies["sessionid"]["max-age"] == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("vera@example.org", "without @"),
        ("administrator", "looks like a role"),
        ("a-exp\u0435rt", "one alphabet"),
        ("A-EXPERT", "Somebody is called that"),
        ("aexpert", "Somebody is called that"),
        ("<b>bold</b>", "Enter a valid username"),
        ("12345", "at least one letter"),
    ],
)
def test_a_hostile_name_is_not_signed_up(client, universe, name, why):
    form = {"username": name, "password1": PASSWORD, "password2": PASSWORD}

    page = client.post(reverse("sign-up"), form)

    assert page.status_code == HTTPStatus.OK
    assert why in " ".join(page.context["form"].errors["username"])
    assert not User.objects.filter(username=name).exists()


def test_a_name_taken_while_the_form_was_sent_is_told_kindly(client, db, monkeypatch):
    from lenticular.accounts.adapter import AccountAdapter

    create_user(username="vera", password=PASSWORD)
    monkeypatch.setattr(AccountAdapter, "clean_username", lambda _self, name: name)

    form = {"username": "vera", "password1": PASSWORD, "password2": PASSWORD}
    page = client.post(reverse("sign-up"), form)

    assert page.status_code == HTTPStatus.OK
    assert "already exists" in page.text


def test_signing_up_tells_nobody_whether_an_address_has_an_account(client, db, mailoutbox):
    create_user(username="vera", password=PASSWORD, email="vera@example.org")
    answers = []
    for name, address in (("otto", "vera@example.org"), ("anna", "new@example.org")):
        form = {"username": name, "email": address, "password1": PASSWORD, "password2": PASSWORD}
        answer = client.post(reverse("sign-up"), form)
        answers.append((answer.status_code, answer.url, len(mailoutbox)))
        client.post(reverse("sign-out"))

    assert answers == [(302, "/", 1), (302, "/", 2)]


def test_two_tabs_that_sign_in_at_once_merge_once(client, quiet_universe, remember, rf):
    from django.http import HttpResponse

    universe = quiet_universe
    stale = Volunteer.objects.get(pk=universe.anonymous.pk)
    merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)
    response = HttpResponse()

    keep_work(stale, universe.expert, merge_volunteers, response)

    stale.refresh_from_db()
    assert stale.merged_into == universe.volunteer
    assert response.cookies[COOKIE].value == ""


def test_the_admin_site_signs_in_here(client_of, client):
    answer = client.get("/admin/login/?next=/admin/")

    assert answer.url == f"{reverse('sign-in')}?next=/admin/"
    assert client_of("volunteer").get("/admin/login/?next=/admin/").status_code == 403


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
