"""What the tests of accounts share: a person with a mail address, and limits turned on."""

import re

import pytest
from django.core.cache import cache

from lenticular.accounts.services import create_user
from lenticular.accounts.web import COOKIE, remember_volunteer
from lenticular.settings import accounts as real
from tests.universe import PASSWORD

MAIL = "vera.o'hara@example.org"
NEW_PASSWORD = "quite-another-galaxy"


@pytest.fixture
def vera(db):
    """A person who has left a mail address."""
    return create_user(username="vera", password=PASSWORD, email=MAIL)


@pytest.fixture
def signed_in(client, vera):
    client.force_login(vera)
    return client


@pytest.fixture
def limits(settings, monkeypatch):
    """Turn the limits of real use on; ``limits(seconds)`` lets time pass."""
    import time

    settings.ACCOUNT_RATE_LIMITS = dict(real.ACCOUNT_RATE_LIMITS)
    now, passed = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: now() + passed[0])

    def pass_time(seconds):
        passed[0] += seconds

    yield pass_time
    cache.clear()


@pytest.fixture
def link_in(mailoutbox):
    """Return a function that reads the path of the link in the last mail."""

    def read():
        return re.search(r"https?://[^/]+(/\S+/)\n", mailoutbox[-1].body)[1]

    return read


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
