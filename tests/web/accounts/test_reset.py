"""A new password by mail, and the address that it goes to."""

import re
import smtplib
from http import HTTPStatus

import pytest
from allauth.account.models import EmailAddress
from django.core.mail.backends.locmem import EmailBackend
from django.urls import reverse

from lenticular.accounts.models import User
from lenticular.accounts.services import create_anonymous_volunteer, create_user, volunteer_of
from lenticular.accounts.web import COOKIE
from tests.universe import PASSWORD
from tests.web.accounts.conftest import MAIL, NEW_PASSWORD

BOTH = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}


def ask(client, address=MAIL):
    return client.post(reverse("account_reset_password"), {"email": address}, follow=True)


@pytest.fixture
def new_password_page(client, vera, link_in):
    """The address of the form, after the link in the mail was followed."""
    ask(client)
    return client.get(link_in()).url


def test_forgetting_and_choosing_again(client, vera, new_password_page, mailoutbox):
    assert "Choose a new password" in client.get(new_password_page).text

    answer = client.post(new_password_page, BOTH)

    vera.refresh_from_db()
    assert answer.url == reverse("home")
    assert vera.check_password(NEW_PASSWORD)
    assert client.session["_auth_user_id"] == str(vera.pk)
    assert [mail.subject for mail in mailoutbox] == [
        "A new password for Lenticular",
        "Your password has changed",
    ]


def test_the_mail_is_plain_and_names_the_account(client, vera, mailoutbox):
    ask(client)

    (mail,) = mailoutbox
    assert mail.to == [MAIL]
    assert not mail.alternatives
    assert "Your username is vera." in mail.body
    assert mail.body.startswith("Hello,")
    assert "&" not in mail.body


def test_signing_in_by_a_reset_keeps_what_was_classified_before(client, vera, link_in, remember):
    anonymous = create_anonymous_volunteer()
    ask(client)
    page = client.get(link_in()).url
    remember(anonymous)

    answer = client.post(page, BOTH)

    anonymous.refresh_from_db()
    assert anonymous.merged_into == volunteer_of(user=vera)
    assert answer.cookies[COOKIE].value == ""


@pytest.mark.parametrize("address", [MAIL, "nobody@example.org"])
def test_the_page_says_the_same_of_any_address(client, vera, mailoutbox, address):
    page = ask(client, address)

    assert "If an account has that address" in page.text
    assert address not in page.text
    assert [mail.to for mail in mailoutbox] == [[address]]


def test_an_address_without_an_account_gets_no_link_to_a_password(client, vera, mailoutbox):
    ask(client, "nobody@example.org")

    assert "no account here has this mail address" in mailoutbox[0].body
    assert reverse("account_reset_password") not in mailoutbox[0].body


def test_no_address_is_told_at_the_field(client, db, mailoutbox):
    page = client.post(reverse("account_reset_password"), {"email": "not an address"})

    assert page.context["form"].errors.keys() == {"email"}
    assert not mailoutbox


def test_a_link_works_once(client, vera, new_password_page, link_in, mailoutbox):
    used = re.search(r"http://[^/]+(/\S+/)\n", mailoutbox[0].body)[1]
    client.post(new_password_page, BOTH)
    client.post(reverse("sign-out"))

    assert "This link has been used" in client.get(used).text


@pytest.mark.parametrize("key", ["1-forged", "zzzzzz-x-y", "1-" + "a" * 500])
def test_a_forged_link_is_told_kindly(client, vera, key):
    page = client.get(f"/accounts/reset/{key}/")

    assert page.status_code == HTTPStatus.OK
    assert "This link has been used, or is too old" in page.text


def test_a_weak_new_password_is_refused(client, vera, new_password_page):
    page = client.post(new_password_page, {"password1": "123", "password2": "123"})

    vera.refresh_from_db()
    assert page.context["form"].errors.keys() == {"password1"}
    assert vera.check_password(PASSWORD)


def test_other_browsers_are_signed_out_by_a_reset(client, vera, link_in, client_class):
    elsewhere = client_class()
    elsewhere.force_login(vera)
    ask(client)
    client.post(client.get(link_in()).url, BOTH)

    assert elsewhere.get(reverse("account")).status_code == HTTPStatus.FOUND


@pytest.fixture
def client_class():
    from django.test import Client

    return Client


def test_a_mail_server_that_is_away_stops_nobody(client, db, monkeypatch, caplog):
    def refuse(_self, _messages):
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    form = {"username": "vera", "email": MAIL, "password1": PASSWORD, "password2": PASSWORD}

    assert client.post(reverse("sign-up"), form).status_code == HTTPStatus.FOUND
    assert User.objects.filter(username="vera").exists()
    assert "a mail was not sent" in caplog.text
    assert MAIL not in caplog.text


def test_an_address_given_at_sign_up_is_confirmed_by_a_press(client, db, link_in):
    form = {"username": "vera", "email": MAIL, "password1": PASSWORD, "password2": PASSWORD}
    client.post(reverse("sign-up"), form)

    assert "Is this your address?" in client.get(link_in()).text
    assert not EmailAddress.objects.get().verified
    page = client.post(link_in(), follow=True)
    assert EmailAddress.objects.get().verified
    assert "is confirmed" in page.text
    assert "This link has been used" in client.get(link_in()).text


def test_a_forged_confirmation_confirms_nothing(client, vera):
    address = reverse("account_confirm_email", args=["forged:key:x"])

    assert "This link has been used" in client.get(address).text
    assert client.post(address).status_code == HTTPStatus.NOT_FOUND


def test_anonymous_people_are_sent_to_sign_in(client, db):
    for name in ("account_email", "account_change_password"):
        for method in (client.get, client.post):
            assert method(reverse(name)).url.startswith(reverse("sign-in"))


def test_another_address_takes_over_once_it_is_confirmed(signed_in, vera, link_in, mailoutbox):
    EmailAddress.objects.create(user=vera, email=MAIL, verified=True, primary=True)
    form = {"email": "vera@example.net", "password": PASSWORD, "action_add": ""}

    signed_in.post(reverse("account_email"), form)

    vera.refresh_from_db()
    assert vera.email == MAIL
    assert "not confirmed yet" in signed_in.get(reverse("account_email")).text
    signed_in.post(link_in())
    vera.refresh_from_db()
    assert vera.email == "vera@example.net"
    assert [each.email for each in EmailAddress.objects.all()] == ["vera@example.net"]
    assert mailoutbox[-1].to == [MAIL]
    assert f"no longer {MAIL}" in mailoutbox[-1].body


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"email": "vera@example.net", "password": "wrong"}, "password"),
        ({"email": "vera@example.net"}, "password"),
        ({"email": "nonsense", "password": PASSWORD}, "email"),
        ({"email": MAIL, "password": PASSWORD}, "email"),
    ],
)
def test_a_bad_change_of_address_is_told_and_changes_nothing(signed_in, vera, form, field):
    page = signed_in.post(reverse("account_email"), {**form, "action_add": ""})

    assert page.context["form"].errors.keys() == {field}
    vera.refresh_from_db()
    assert vera.email == MAIL


def test_an_address_can_be_removed(signed_in, vera):
    signed_in.get(reverse("account_email"))

    signed_in.post(reverse("account_email"), {"email": MAIL, "action_remove": ""})

    vera.refresh_from_db()
    assert vera.email == ""
    assert not EmailAddress.objects.exists()


def test_nobody_s_address_but_one_s_own_can_be_removed(signed_in, vera):
    otto = create_user(username="otto", password=PASSWORD, email="otto@example.org")
    EmailAddress.objects.create(user=otto, email=otto.email)

    signed_in.post(reverse("account_email"), {"email": otto.email, "action_remove": ""})

    assert EmailAddress.objects.filter(user=otto).exists()


def test_a_link_can_be_sent_again(signed_in, vera, mailoutbox):
    signed_in.get(reverse("account_email"))

    signed_in.post(reverse("account_email"), {"email": MAIL, "action_send": ""})

    assert [mail.subject for mail in mailoutbox] == ["Is this your mail address?"]


def test_a_changed_password_is_told_by_mail_and_keeps_this_browser(signed_in, vera, mailoutbox):
    form = {"oldpassword": PASSWORD, **BOTH}

    answer = signed_in.post(reverse("account_change_password"), form)

    vera.refresh_from_db()
    assert answer.url == reverse("account")
    assert vera.check_password(NEW_PASSWORD)
    assert "Your new password is saved" in signed_in.get(answer.url).text
    assert mailoutbox[0].subject == "Your password has changed"


def test_without_the_old_password_there_is_no_new_one(signed_in, vera):
    page = signed_in.post(reverse("account_change_password"), {"oldpassword": "wrong", **BOTH})

    vera.refresh_from_db()
    assert page.context["form"].errors.keys() == {"oldpassword"}
    assert vera.check_password(PASSWORD)
