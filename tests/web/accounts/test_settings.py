"""What the environment says of mail, rates and SQLite; a bad word is a problem with a hint."""

import os
import subprocess
import sys

import pytest
from rest_framework.throttling import SimpleRateThrottle

from lenticular.settings import environment
from lenticular.settings.environment import MailServer, mail_server, rate, require_sqlite, sender

SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.fixture
def problems(monkeypatch):
    found = []
    monkeypatch.setattr(environment, "PROBLEMS", found)
    return found


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("console:", MailServer()),
        ("smtp://mail.example.org", MailServer(SMTP, "mail.example.org", 25)),
        (
            "smtp+tls://ada%40example.org:p%3Aw@mail.example.org",
            MailServer(SMTP, "mail.example.org", 587, "ada@example.org", "p:w", starttls=True),
        ),
        ("smtps://u:p@mx:4465", MailServer(SMTP, "mx", 4465, "u", "p", tls=True)),
    ],
)
def test_an_address_of_a_mail_server_is_read(monkeypatch, problems, url, server):
    monkeypatch.setenv("ANY_MAIL", url)

    assert mail_server("ANY_MAIL", "console:") == server
    assert problems == []


@pytest.mark.parametrize(
    "url", ["http://u:hunter2@mx", "smtp://", "smtp://u:hunter2@mx:port", "hunter2", "smtp:hunter2"]
)
def test_a_bad_address_is_a_problem_that_repeats_no_password(monkeypatch, problems, url):
    monkeypatch.setenv("ANY_MAIL", url)

    assert mail_server("ANY_MAIL", "console:") == MailServer()
    ((rule, hint),) = problems
    assert rule.startswith("ANY_MAIL must be the address of a mail server")
    assert "smtp+tls://USER:PASSWORD@HOST:587" in hint
    assert "hunter2" not in rule + hint


@pytest.mark.parametrize("value", ["mail@example.org", "Lenticular <mail@example.org>"])
def test_whom_mails_are_from_is_read(monkeypatch, problems, value):
    monkeypatch.setenv("ANY_SENDER", value)

    assert sender("ANY_SENDER", "a@b") == value
    assert problems == []


@pytest.mark.parametrize("value", ["Lenticular", "@example.org", "mail@", "a@b\nBcc: c@d"])
def test_a_bad_sender_is_a_problem_with_a_hint(monkeypatch, problems, value):
    monkeypatch.setenv("ANY_SENDER", value)

    assert sender("ANY_SENDER", "a@b") == "a@b"
    assert problems[0][0].startswith("ANY_SENDER must be a mail address")


@pytest.mark.parametrize("value", ["600/min", "1/s", "20/second", "5/h", "1000/day"])
def test_a_rate_is_read_as_it_stands(monkeypatch, problems, value):
    monkeypatch.setenv("ANY_RATE", value)

    assert rate("ANY_RATE", "9/min") == value
    assert problems == []
    assert SimpleRateThrottle.parse_rate(None, value)[0] == int(value.partition("/")[0])


@pytest.mark.parametrize(
    "value", ["600", "600/", "/min", "many/min", "0/min", "-1/min", "600 / min", "600/month"]
)
def test_a_bad_rate_is_a_problem_with_a_hint(monkeypatch, problems, value):
    monkeypatch.setenv("ANY_RATE", value)

    assert rate("ANY_RATE", "9/min") == "9/min"
    ((rule, hint),) = problems
    assert rule.startswith("ANY_RATE must be a number of requests per s, min, hour or day")
    assert hint == "Set ANY_RATE=9/min, or unset it."


def check_production(**variables):
    given = {
        "DJANGO_SETTINGS_MODULE": "lenticular.settings.production",
        "LENTICULAR_SECRET_KEY": "x" * 60,
        "LENTICULAR_REDIS_URL": "redis://localhost:6379/0",
        "LENTICULAR_DATABASE_URL": "postgres://u:p@localhost/none",
        **variables,
    }
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(
        command, env={**os.environ, **given}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_production_says_what_of_mail_is_not_set():
    code, told = check_production()

    assert code == 1
    assert "LENTICULAR_EMAIL_URL must be set in production" in told
    assert "LENTICULAR_EMAIL_FROM must be set in production" in told


@pytest.mark.parametrize("who", ["ANONYMOUS", "USER"])
def test_a_throttle_that_the_api_could_not_read_stops_the_start(who):
    code, told = check_production(
        LENTICULAR_EMAIL_URL="smtp+tls://u:p@mx",
        LENTICULAR_EMAIL_FROM="mail@example.org",
        **{f"LENTICULAR_THROTTLE_{who}": "600"},
    )

    assert code == 1
    assert f"LENTICULAR_THROTTLE_{who} must be a number of requests" in told


def test_production_with_mail_starts():
    code, told = check_production(
        LENTICULAR_EMAIL_URL="smtp+tls://u:p@mx", LENTICULAR_EMAIL_FROM="mail@example.org"
    )

    assert code == 0, told


def test_a_sqlite_that_is_too_old_is_a_problem(problems):
    require_sqlite((3, 33, 0))
    assert problems == []
    require_sqlite((3, 32, 3))
    assert problems[0][0] == "SQLite must be of version 3.33 or later, is 3.32.3"
