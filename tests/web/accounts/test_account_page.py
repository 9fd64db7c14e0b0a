"""What a person sees and changes of the account."""

from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import reverse

from lenticular.accounts.models import User
from lenticular.accounts.names import BadNameError
from lenticular.accounts.selectors import is_name_taken
from lenticular.accounts.services import (
    NameTakenError,
    change_display_name,
    create_user,
    volunteer_of,
)
from tests.universe import PASSWORD
from tests.web.accounts.conftest import MAIL

NAMES = ("account", "account-export", "account-delete")


def show(client, name):
    return client.post(reverse("account"), {"display_name": name}, follow=True)


@pytest.mark.parametrize("name", NAMES)
def test_anonymous_people_are_sent_to_sign_in_and_back(client, db, name):
    answer = client.get(reverse(name))

    assert answer.url == f"{reverse('sign-in')}?next={reverse(name)}"


def test_the_page_shows_what_the_site_knows(signed_in):
    page = signed_in.get(reverse("account"))

    assert "vera" in page.text
    assert "vera.o&#x27;hara@example.org" in page.text
    assert "not confirmed yet" in page.text
    assert "no-store" in page["Cache-Control"]


def test_without_an_address_the_page_says_what_that_means(client, db):
    client.force_login(create_user(username="otto", password=PASSWORD))

    assert "no way back in" in client.get(reverse("account")).text


def test_a_display_name_is_shown_instead_of_the_user_name(signed_in, vera):
    page = show(signed_in, "  Vera   Rubin ")

    vera.refresh_from_db()
    assert vera.shown_name == "Vera Rubin"
    assert "Others see you as Vera Rubin now." in page.text
    assert '<bdi class="hide-narrow">Vera Rubin</bdi>' in page.text
    assert str(vera) == str(volunteer_of(user=vera)) == "Vera Rubin"


def test_an_empty_display_name_shows_the_user_name_again(signed_in, vera):
    show(signed_in, "Vera Rubin")
    show(signed_in, "")

    vera.refresh_from_db()
    assert (vera.display_name, vera.display_key, vera.shown_name) == ("", None, "vera")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("<img src=x onerror=alert(1)>", "&lt; is not"),
        ("Vera\u202eniburR", "can not be seen"),
        ("Moderator", "looks like a role"),
        ("x" * 300, "at most 200"),
    ],
)
def test_a_hostile_display_name_is_told_at_the_field_and_not_kept(signed_in, vera, name, why):
    page = show(signed_in, name)

    vera.refresh_from_db()
    assert page.status_code == HTTPStatus.OK
    assert why in page.text
    assert "<img src=x" not in page.text
    assert vera.display_name == ""


@pytest.mark.parametrize("name", ["Otto Struve", "OTTO  STRUVE", "Ott\u00f6 Struve", "0tto Struve"])
def test_a_name_like_another_s_is_refused(signed_in, vera, name):
    otto = create_user(username="ostruve", password=PASSWORD)
    change_display_name(user=otto, display_name="Otto Struve")

    assert "Somebody is called that, or nearly so" in show(signed_in, name).text
    vera.refresh_from_db()
    assert vera.display_name == ""


def test_a_display_name_like_another_s_user_name_is_refused_and_like_one_s_own_is_not(vera):
    otto = create_user(username="otto", password=PASSWORD)

    with pytest.raises(NameTakenError):
        change_display_name(user=otto, display_name="Vera")
    assert change_display_name(user=vera, display_name="Vera").shown_name == "Vera"
    assert change_display_name(user=vera, display_name="VERA").shown_name == "VERA"
    assert is_name_taken(name="vera")
    assert not is_name_taken(name="vera", by_another_than=vera)


def test_two_who_take_a_name_at_once_do_not_both_get_it(vera, monkeypatch):
    from lenticular.accounts import services

    otto = create_user(username="otto", password=PASSWORD)
    monkeypatch.setattr(services, "is_name_taken", lambda **_names: False)
    change_display_name(user=vera, display_name="Nova")

    with pytest.raises(NameTakenError, match="just taken"):
        change_display_name(user=otto, display_name="nova")
    assert User.objects.filter(display_key="nova").count() == 1


def test_the_service_refuses_what_can_not_be_shown(vera):
    with pytest.raises(BadNameError):
        change_display_name(user=vera, display_name="V")


def test_user_names_that_differ_in_case_alone_are_one(vera):
    from lenticular.common.errors import InvalidInputError

    with pytest.raises(InvalidInputError, match="already exists"):
        create_user(username="VERA", password=PASSWORD)


def test_an_admin_takes_an_offensive_name_away(client_of, universe):
    change_display_name(user=universe.expert, display_name="Rude Word")
    action = {"action": "take_display_names_away", "_selected_action": universe.expert.pk}

    client_of("admin").post(reverse("admin:accounts_user_changelist"), action)

    universe.expert.refresh_from_db()
    assert universe.expert.shown_name == universe.expert.username


def test_the_admin_s_page_of_an_account_opens(client_of, universe):
    page = client_of("admin").get(reverse("admin:accounts_user_change", args=[universe.expert.pk]))

    assert page.status_code == HTTPStatus.OK


def test_the_keys_of_older_accounts_are_written_by_the_migration(vera):
    from importlib import import_module

    from django.apps import apps

    User.objects.update(username_key="")
    migration = import_module("lenticular.accounts.migrations.0003_username_keys")
    migration.write_keys(apps, None)

    vera.refresh_from_db()
    assert vera.username_key == "vera"


def test_a_form_without_its_token_is_told_kindly(vera):
    client = Client(enforce_csrf_checks=True)
    client.force_login(vera)

    page = client.post(reverse("account"), {"display_name": "Nova"})

    vera.refresh_from_db()
    assert page.status_code == HTTPStatus.FORBIDDEN
    assert "nothing that you sent before is lost" in page.text
    assert "reload the page" in page.text
    assert vera.display_name == ""


def test_signing_in_again_in_another_tab_makes_the_old_form_kindly_old(vera):
    client = Client(enforce_csrf_checks=True)
    client.get(reverse("sign-in"))
    form = {"username": MAIL, "password": PASSWORD, "csrfmiddlewaretoken": "old"}

    page = client.post(reverse("sign-in"), form)

    assert page.status_code == HTTPStatus.FORBIDDEN
    assert "This form was too old to use" in page.text
