"""Sign-in that lasts, and the way back after an expired session."""

from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from lenticular.accounts.middleware import DAY, RENEWED
from lenticular.accounts.models import Session, Volunteer
from lenticular.accounts.web import COOKIE, SIGNED_IN
from lenticular.classifications.models import Classification
from lenticular.selection.services import lease_subjects
from tests.universe import PASSWORD, SMOOTH_ROUND, classify


@pytest.fixture
def clock(monkeypatch):
    """Return a function that sets the hour after now that the middleware believes in."""
    import time

    start = time.time()

    def set_(seconds):
        monkeypatch.setattr("lenticular.accounts.middleware.time.time", lambda: start + seconds)

    set_(0)
    return set_


def sign_in(client, user, **ticks):
    form = {"username": user.username, "password": PASSWORD, **ticks}
    return client.post(reverse("sign-in"), form)


def expiry(client):
    return Session.objects.get(session_key=client.session.session_key).expire_date


def test_a_visit_a_day_later_starts_the_sixty_days_anew(client, universe, clock):
    sign_in(client, universe.expert, remember="on")
    Session.objects.update(expire_date=timezone.now() + timezone.timedelta(days=3))
    clock(DAY + 60)

    answer = client.get(reverse("home"))

    assert answer.cookies["sessionid"]["max-age"] == 60 * DAY
    assert expiry(client) > timezone.now() + timezone.timedelta(days=59)


def test_visits_of_the_same_day_write_nothing(client, universe, clock):
    sign_in(client, universe.expert, remember="on")
    client.get(reverse("home"))
    clock(DAY - 60)

    assert "sessionid" not in client.get(reverse("home")).cookies


def test_a_session_of_the_browser_stays_one(client, universe, clock):
    sign_in(client, universe.expert)
    clock(2 * DAY)

    assert "sessionid" not in client.get(reverse("home")).cookies
    assert RENEWED not in client.session


def test_an_expired_session_is_a_signed_out_one(client, universe, clock):
    sign_in(client, universe.expert, remember="on")
    Session.objects.update(expire_date=timezone.now() - timezone.timedelta(seconds=1))

    answer = client.get(reverse("account"))

    assert answer.url == f"{reverse('sign-in')}?next={reverse('account')}"


def test_anonymous_visitors_get_no_session(client, universe):
    assert "sessionid" not in client.get(reverse("home")).cookies


def back(answer):
    return parse_qs(urlsplit(answer.url).query)["next"]


def test_a_form_of_a_signed_out_tab_leads_to_sign_in_and_back_to_its_page(client, universe):
    page = f"http://testserver{reverse('releases')}?page=2"

    answer = client.post(reverse("release-make"), headers={"referer": page})

    assert urlsplit(answer.url).path == reverse("sign-in")
    assert back(answer) == [f"{reverse('releases')}?page=2"]
    form = {"username": universe.astronomer.username, "password": PASSWORD}
    signed_in = client.post(answer.url, {**form, "next": back(answer)[0]}, follow=True)
    assert signed_in.status_code == 200
    assert signed_in.request["PATH_INFO"] == reverse("releases")


@pytest.mark.parametrize("page", ["", "https://example.org/", "//example.org/x", "javascript:x"])
def test_another_site_s_page_is_never_the_way_back(client, universe, page):
    answer = client.post(reverse("account"), headers={"referer": page})

    assert back(answer) == [reverse("account")]


def test_signing_in_itself_is_left_alone(client, universe):
    page = f"http://testserver{reverse('sign-in')}?next=/releases/"
    form = {"username": universe.astronomer.username, "password": PASSWORD, "next": "/releases/"}

    assert client.post(reverse("sign-in"), form, headers={"referer": page}).url == "/releases/"


@pytest.fixture
def ended(client, universe):
    """A browser in which the volunteer was signed in until the session ended by itself."""
    sign_in(client, universe.volunteer_user, remember="on")
    Session.objects.all().delete()
    return client


def post_answer(client, universe):
    """Post the answer to a galaxy that the volunteer was served."""
    (lease,) = lease_subjects(workflow=universe.workflow, volunteer=universe.volunteer, count=1)
    entry = {
        "uuid": str(uuid4()),
        "version": universe.version.pk,
        "subject": lease.subject_id,
        "annotations": SMOOTH_ROUND,
    }
    body = {"classifications": [entry]}
    return client.post("/api/v1/classifications/", body, content_type="application/json")


def test_an_answer_after_the_session_s_end_waits_for_signing_in(ended, universe):
    votes, people = Classification.objects.count(), Volunteer.objects.count()

    refused = post_answer(ended, universe)

    assert refused.status_code == 401
    assert refused.json()["type"] == "urn:lenticular:problem:signed-out"
    assert (Classification.objects.count(), Volunteer.objects.count()) == (votes, people)
    sign_in(ended, universe.volunteer_user)
    assert post_answer(ended, universe).json()[0]["status"] == "recorded"


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_classify_page_leads_to_signing_in_and_back(ended, universe, method):
    page = reverse("classify", args=[universe.workflow.slug])

    answer = getattr(ended, method)(page)

    assert answer.url == f"{reverse('sign-in')}?next={page}"
    assert "You have been signed out" in ended.get(answer.url).text


def test_one_may_go_on_without_the_account(ended, universe):
    page = reverse("classify", args=[universe.workflow.slug])

    assert ended.post(reverse("sign-out"), {"next": page}).url == page
    assert ended.get(page).status_code == 200


def test_a_new_password_elsewhere_ends_the_session_as_time_does(client, universe):
    sign_in(client, universe.volunteer_user, remember="on")
    universe.volunteer_user.set_password("quite-another-galaxy")
    universe.volunteer_user.save()

    assert post_answer(client, universe).status_code == 401


@pytest.mark.parametrize("address", ["/accounts/sign-out/", "/admin/logout/"])
def test_who_signs_out_is_anyone_again(client, universe, address):
    sign_in(client, universe.admin, remember="on")
    client.post(address)

    page = client.get(reverse("classify", args=[universe.workflow.slug]))

    assert page.status_code == 200
    assert "You have been signed out" not in client.get(reverse("sign-in")).text


def test_who_deletes_the_account_is_anyone_again(client, universe):
    sign_in(client, universe.volunteer_user, remember="on")
    client.post(reverse("account-delete"), {"password": PASSWORD})

    assert client.get(reverse("classify", args=[universe.workflow.slug])).status_code == 200


@pytest.mark.parametrize(
    ("name", "form"),
    [("sign-out", {}), ("account-delete", {"password": PASSWORD})],
)
def test_nothing_of_the_account_is_left_to_whoever_comes_next(
    client, quiet_universe, remember, name, form
):
    universe = quiet_universe
    remember(universe.anonymous)
    late = client.cookies[COOKIE].value
    sign_in(client, universe.volunteer_user)
    classify(universe, universe.volunteer, 2)
    assert "2 galaxies classified" in client.get(reverse("history")).text
    client.cookies[COOKIE] = late  # by an answer that another tab had asked for before

    client.post(reverse(name), form)

    assert client.cookies[COOKIE].value == ""
    assert "2 galaxies classified" not in client.get(reverse("history")).text


@pytest.mark.parametrize(("ticks", "lasts"), [({"remember": "on"}, 365 * DAY), ({}, "")])
def test_the_browser_knows_that_it_was_signed_in_as_long_as_it_shall(
    client, universe, ticks, lasts
):
    cookie = sign_in(client, universe.expert, **ticks).cookies[SIGNED_IN]

    assert cookie["max-age"] == lasts
    assert cookie["httponly"]
