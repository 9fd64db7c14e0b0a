"""Roles in the admin site: what the page says is what the account may do."""

import pytest
from django.urls import reverse

from lenticular.accounts.models import Role, User
from lenticular.accounts.services import create_user, give_role
from tests.universe import PASSWORD


@pytest.fixture
def second(universe):
    return create_user(username="second", password=PASSWORD, role=Role.ADMIN)


@pytest.fixture
def admin_site(client_of):
    return client_of("admin")


def page_of(user):
    return reverse("admin:accounts_user_change", args=[user.pk])


def change(client, user, **fields):
    """Send the account's page as a browser does; None leaves a field out."""
    date, time = f"{user.date_joined:%Y-%m-%d %H:%M:%S}".split()
    shown = {
        "username": user.username,
        "email": user.email,
        "is_active": "on",
        "role": user.role,
        "date_joined_0": date,
        "date_joined_1": time,
    }
    sent = {name: value for name, value in {**shown, **fields}.items() if value is not None}
    response = client.post(page_of(user), sent)
    user.refresh_from_db()
    return response


def powers(user):
    return user.role, user.is_staff, user.is_superuser, user.may_run_rounds


NONE = (Role.VOLUNTEER, False, False, False)
ALL = (Role.ADMIN, True, True, True)


def test_a_demoted_admin_keeps_no_power(admin_site, second):
    response = change(admin_site, second, role=Role.VOLUNTEER, is_staff="on", is_superuser="on")
    assert response.status_code == 302

    assert powers(second) == NONE


def test_a_promoted_account_has_every_power(admin_site, universe):
    assert change(admin_site, universe.expert, role=Role.ADMIN).status_code == 302

    assert powers(universe.expert) == ALL


def test_django_s_own_powers_are_not_given_beside_the_role(admin_site, universe):
    change(admin_site, universe.expert, is_staff="on", is_superuser="on")

    assert powers(universe.expert) == (Role.EXPERT, False, False, False)


def test_other_fields_change_without_the_role(admin_site, second):
    change(admin_site, second, email="second@example.org")

    assert second.email == "second@example.org"
    assert powers(second) == ALL


def test_who_may_do_everything_is_shown_as_an_admin_whatever_the_role_says(admin_site, second):
    User.objects.filter(pk=second.pk).update(role=Role.VOLUNTEER)

    shown = admin_site.get(page_of(second)).context["adminform"].form["role"].value()

    assert shown == Role.ADMIN
    change(admin_site, second, role=Role.VOLUNTEER)
    assert powers(second) == NONE


@pytest.mark.parametrize("fields", [{"role": Role.EXPERT}, {"is_active": None}])
def test_the_only_admin_is_neither_demoted_nor_closed(admin_site, universe, fields):
    page = change(admin_site, universe.admin, **fields)

    assert "the only admin" in page.text
    assert powers(universe.admin) == ALL


def test_a_closed_admin_does_not_count_as_the_other_one(admin_site, universe, second):
    change(admin_site, second, is_active=None)
    assert not second.is_active

    change(admin_site, universe.admin, role=Role.VOLUNTEER)

    assert powers(universe.admin) == ALL


def test_an_admin_whom_another_replaces_may_step_down(admin_site, universe):
    give_role(user=universe.expert, role=Role.ADMIN)

    change(admin_site, universe.admin, role=Role.ASTRONOMER)

    assert powers(universe.admin) == (Role.ASTRONOMER, False, False, False)
