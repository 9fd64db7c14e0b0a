import pytest

from lenticular.accounts.models import Role, Volunteer
from lenticular.accounts.selectors import canonical, identities
from lenticular.accounts.services import (
    AlreadyMergedError,
    LastAdminError,
    create_anonymous_volunteer,
    create_user,
    give_role,
    lock_volunteer,
    merge_volunteers,
    volunteer_of,
)
from lenticular.common.errors import InvalidInputError
from tests.universe import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return volunteer_of(user=create_user(username="vera", password=PASSWORD))


def test_an_account_is_a_volunteer_unless_told_otherwise():
    user = create_user(username="vera", password=PASSWORD)

    assert user.role == Role.VOLUNTEER
    assert user.check_password(PASSWORD)
    assert not (user.may_review)
    assert not (user.may_release)
    assert not (user.may_run_rounds)
    assert not (user.is_staff)


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        (Role.EXPERT, (True, False, False)),
        (Role.ASTRONOMER, (False, True, False)),
        (Role.ADMIN, (True, True, True)),
    ],
)
def test_a_role_gives_its_rights_and_no_others(role, rights):
    user = create_user(username="vera", password=PASSWORD, role=role)

    assert (user.may_review, user.may_release, user.may_run_rounds) == rights
    assert user.is_staff == (role == Role.ADMIN)


def test_a_role_taken_back_leaves_no_rights():
    create_user(username="ada", password=PASSWORD, role=Role.ADMIN)
    user = create_user(username="vera", password=PASSWORD, role=Role.ADMIN)

    give_role(user=user, role=Role.VOLUNTEER)

    user.refresh_from_db()
    assert not (user.may_run_rounds)
    assert not (user.is_superuser)
    assert not (user.is_staff)


@pytest.mark.parametrize("role", [Role.VOLUNTEER, Role.EXPERT, Role.ASTRONOMER])
def test_the_only_admin_can_not_be_demoted(role):
    user = create_user(username="vera", password=PASSWORD, role=Role.ADMIN)

    with pytest.raises(LastAdminError):
        give_role(user=user, role=role)

    user.refresh_from_db()
    assert user.may_run_rounds
    assert give_role(user=user, role=Role.ADMIN) == user


@pytest.mark.parametrize(
    "wrong",
    [
        {"username": ""},
        {"username": "with spaces"},
        {"password": "short"},
        {"password": "password123"},
        {"role": "king"},
    ],
)
def test_a_bad_account_is_refused_and_not_made(wrong, django_user_model):
    with pytest.raises(InvalidInputError, match="can not be made"):
        create_user(**{"username": "vera", "password": PASSWORD, **wrong})

    assert not django_user_model.objects.exists()


def test_a_name_is_given_once():
    create_user(username="vera", password=PASSWORD)

    with pytest.raises(InvalidInputError, match="already exists"):
        create_user(username="vera", password=PASSWORD)


def test_an_unknown_role_is_not_given(account):
    with pytest.raises(InvalidInputError, match="role must be one of"):
        give_role(user=account.user, role="king")


def test_an_account_has_one_volunteer_for_ever(account):
    assert volunteer_of(user=account.user) == account


def test_merged_volunteers_are_one_person(account):
    first, second = create_anonymous_volunteer(), create_anonymous_volunteer()
    merge_volunteers(anonymous=first, into=account)
    merge_volunteers(anonymous=second, into=account)
    first.refresh_from_db()

    assert identities(account) == [account.pk, first.pk, second.pk]
    assert identities(first) == identities(account)
    assert canonical(first) == lock_volunteer(volunteer=first) == account


def test_merging_again_changes_nothing(account):
    anonymous = create_anonymous_volunteer()

    assert merge_volunteers(anonymous=anonymous, into=account) == account
    assert merge_volunteers(anonymous=anonymous, into=account) == account
    assert Volunteer.objects.get(pk=anonymous.pk).merged_into == account


def test_a_volunteer_is_merged_into_one_account_only(account):
    anonymous = create_anonymous_volunteer()
    merge_volunteers(anonymous=anonymous, into=account)
    other = volunteer_of(user=create_user(username="otto", password=PASSWORD))

    with pytest.raises(AlreadyMergedError):
        merge_volunteers(anonymous=anonymous, into=other)


def test_only_anonymous_ones_are_merged_and_only_into_accounts(account):
    other = volunteer_of(user=create_user(username="otto", password=PASSWORD))

    with pytest.raises(InvalidInputError, match="anonymous must have no account"):
        merge_volunteers(anonymous=other, into=account)
    with pytest.raises(InvalidInputError, match="into must be an account's"):
        merge_volunteers(anonymous=create_anonymous_volunteer(), into=create_anonymous_volunteer())


def test_a_deleted_account_leaves_its_volunteer(account):
    account.user.delete()

    account.refresh_from_db()
    assert account.user is None
    assert str(account).startswith("anonymous-")
