"""Lock-out and limits, as in real use."""

from http import HTTPStatus

import pytest
from django.http import HttpRequest
from django.urls import reverse
from rest_framework.throttling import SimpleRateThrottle

from lenticular.accounts.models import User
from lenticular.accounts.services import create_user
from lenticular.accounts.web import client_address
from lenticular.settings import accounts as real
from tests.universe import PASSWORD
from tests.web.accounts.conftest import MAIL

WAIT = 900


def sign_in(client, name="vera", password=PASSWORD):
    return client.post(reverse("sign-in"), {"username": name, "password": password})


def lock_out(client):
    for _ in range(5):
        page = sign_in(client, password="wrong")
        assert "is not right" in page.text


def test_after_five_wrong_passwords_the_right_one_has_to_wait(client, vera, limits):
    lock_out(client)

    page = sign_in(client)

    assert page.status_code == HTTPStatus.OK
    assert "Nothing is lost" in page.text
    assert "_auth_user_id" not in client.session


def test_a_lock_out_reaches_no_other_account(client, vera, limits):
    create_user(username="otto", password=PASSWORD)
    lock_out(client)

    assert sign_in(client, "otto").status_code == HTTPStatus.FOUND


def test_a_lock_out_ends_with_its_window(client, vera, limits):
    lock_out(client)
    limits(WAIT + 1)

    assert sign_in(client).status_code == HTTPStatus.FOUND


def test_a_lock_out_does_not_tell_whether_the_account_exists(client, db, limits):
    lock_out(client)

    assert "Nothing is lost" in sign_in(client).text


def test_right_passwords_lock_nobody_out(client, vera, limits):
    for _ in range(7):
        assert sign_in(client).status_code == HTTPStatus.FOUND
        client.post(reverse("sign-out"))


def test_passwords_asked_for_later_count_too(signed_in, limits):
    for _ in range(5):
        signed_in.post(reverse("account-delete"), {"password": "wrong"})

    page = signed_in.post(reverse("account-delete"), {"password": PASSWORD})

    assert "Nothing is lost" in page.text
    assert User.objects.filter(username="vera").exists()


def sign_up(client, number, **extra):
    form = {"username": f"person-{number}x", "password1": PASSWORD, "password2": PASSWORD}
    answer = client.post(reverse("sign-up"), form, **extra)
    client.post(reverse("sign-out"))
    return answer


def test_a_flood_of_sign_ups_from_one_address_gets_a_kind_page(client, db, limits, settings):
    settings.ACCOUNT_RATE_LIMITS["signup"] = "3/h/ip"
    for number in range(3):
        assert sign_up(client, number).status_code == HTTPStatus.FOUND

    page = sign_up(client, 3)

    assert page.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert "You can go on classifying" in page.text
    assert User.objects.count() == 3
    assert sign_up(client, 4, REMOTE_ADDR="192.0.2.9").status_code == HTTPStatus.FOUND
    limits(3601)
    assert sign_up(client, 5).status_code == HTTPStatus.FOUND


def test_looking_at_the_form_is_not_counted(client, db, limits, settings):
    settings.ACCOUNT_RATE_LIMITS["signup"] = "1/h/ip"
    for _ in range(3):
        assert client.get(reverse("sign-up")).status_code == HTTPStatus.OK

    assert sign_up(client, 1).status_code == HTTPStatus.FOUND


def test_a_word_in_a_header_does_not_get_around_the_limit(client, db, limits, settings):
    settings.ACCOUNT_RATE_LIMITS["signup"] = "1/h/ip"
    sign_up(client, 1, HTTP_X_FORWARDED_FOR="192.0.2.1")

    page = sign_up(client, 2, HTTP_X_FORWARDED_FOR="192.0.2.2")

    assert page.status_code == HTTPStatus.TOO_MANY_REQUESTS


def test_behind_a_proxy_each_client_has_its_own_limit(client, db, limits, settings):
    settings.LENTICULAR_PROXY_COUNT = 1
    settings.ACCOUNT_RATE_LIMITS["signup"] = "1/h/ip"
    sign_up(client, 1, HTTP_X_FORWARDED_FOR="forged, 192.0.2.1")

    other = sign_up(client, 2, HTTP_X_FORWARDED_FOR="forged, 192.0.2.2")
    same = sign_up(client, 3, HTTP_X_FORWARDED_FOR="192.0.2.9, 192.0.2.1")

    assert (other.status_code, same.status_code) == (302, HTTPStatus.TOO_MANY_REQUESTS)


def test_asking_for_resets_has_a_limit_for_each_address(client, vera, limits, mailoutbox):
    for _ in range(5):
        client.post(reverse("account_reset_password"), {"email": MAIL})

    page = client.post(reverse("account_reset_password"), {"email": MAIL})

    assert page.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert len(mailoutbox) == 5


def test_in_tests_the_limits_are_off_and_in_use_they_are_on(settings):
    assert settings.ACCOUNT_RATE_LIMITS is False
    assert real.ACCOUNT_RATE_LIMITS["login_failed"] == "30/m/ip,5/900s/key"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "found"),
    [
        (0, None, "203.0.113.5"),
        (0, "192.0.2.1", "203.0.113.5"),
        (1, None, "203.0.113.5"),
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "10.0.0.1, 192.0.2.1", "192.0.2.1"),
        (2, "10.0.0.1, 192.0.2.1, 198.51.100.7", "192.0.2.1"),
        (2, "192.0.2.1", "203.0.113.5"),
        (1, "nonsense", "203.0.113.5"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "", "203.0.113.5"),
    ],
)
def test_the_client_s_address_is_what_the_trusted_proxies_saw(settings, proxies, forwarded, found):
    settings.LENTICULAR_PROXY_COUNT = proxies
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = "203.0.113.5"
    if forwarded is not None:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded

    assert client_address(request) == found


def test_the_api_counts_by_the_same_proxies(settings, rf):
    request = rf.get("/", HTTP_X_FORWARDED_FOR="192.0.2.1", REMOTE_ADDR="203.0.113.5")

    assert settings.REST_FRAMEWORK["NUM_PROXIES"] == settings.LENTICULAR_PROXY_COUNT == 0
    assert SimpleRateThrottle.get_ident(None, request) == "203.0.113.5"
