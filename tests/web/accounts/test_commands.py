from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from lenticular.accounts.models import User
from tests.universe import PASSWORD

pytestmark = pytest.mark.django_db


def create_account(*arguments):
    output = StringIO()
    call_command("create_account", *arguments, stdout=output)
    return output.getvalue()


def test_a_password_made_at_random_is_printed_once_and_works():
    told = create_account("ada", "--role", "admin")

    password = told.split("password: ")[1].strip()
    assert User.objects.get(username="ada").check_password(password)
    assert User.objects.get(username="ada").may_run_rounds


def test_a_given_password_is_not_printed(monkeypatch):
    monkeypatch.setenv("ADAS_PASSWORD", PASSWORD)

    told = create_account("ada", "--password-from", "ADAS_PASSWORD")

    assert PASSWORD not in told
    assert User.objects.get(username="ada").check_password(PASSWORD)


def test_an_account_that_exists_is_given_the_role():
    create_account("ada")

    assert "ada is expert now" in create_account("ada", "--role", "expert")
    assert User.objects.get(username="ada").may_review


def test_the_only_admin_is_not_demoted_by_a_slip():
    create_account("ada", "--role", "admin")

    with pytest.raises(CommandError, match="only admin"):
        create_account("ada", "--role", "volunteer")

    assert User.objects.get(username="ada").may_run_rounds


@pytest.mark.parametrize("arguments", [("a name",), ("ada", "--password-from", "UNSET_VARIABLE")])
def test_a_bad_account_is_an_error_on_one_line(arguments):
    with pytest.raises(CommandError):
        create_account(*arguments)

    assert not User.objects.exists()
