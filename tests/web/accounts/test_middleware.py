"""Sign-in that lasts, and the way back after an expired session."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse
from django.utils import timezone

from lenticular.accounts.middleware import DAY, RENEWED
from lenticular.accounts.models import Session
from tests.universe import PASSWORD


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
