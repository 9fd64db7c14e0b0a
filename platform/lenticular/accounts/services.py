"""Writes of users and volunteers."""

from __future__ import annotations

from django.contrib.admin.models import LogEntry
from django.contrib.auth.password_validation import validate_password
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from lenticular.accounts.models import Role, Session, User, Volunteer
from lenticular.accounts.names import BadNameError, clean_name, refuse_looks
from lenticular.accounts.personal import personal_sections
from lenticular.accounts.selectors import active_admins, is_name_taken
from lenticular.common.errors import ConflictError, InvalidInputError


class AlreadyMergedError(ConflictError):
    """The volunteer belongs to another account."""

    kind = "already-merged"


class NameTakenError(ConflictError):
    """The name looks like somebody else's."""

    kind = "name-taken"


class LastAdminError(ConflictError):
    """Nobody would be left to run the site."""

    kind = "last-admin"


@transaction.atomic
def create_user(
    *, username: str, password: str, role: str = Role.VOLUNTEER, email: str = ""
) -> User:
    """Create an account; an admin may use Django's admin site too.

    Raises
    ------
    InvalidInputError
        For a name that is taken or malformed, a weak password, or an unknown role.
    """
    user = User(username=username, email=email)
    _set_role(user, role)
    try:
        validate_password(password, user)
        user.set_password(password)
        user.full_clean()
        _refuse_taken(username)
    except ValidationError as error:
        reasons = " ".join(error.messages)
        raise InvalidInputError(f"account {username!r} can not be made: {reasons}") from error
    user.save()
    return user


def _refuse_taken(username: str) -> None:
    """Refuse a name that differs in case alone from another: one signs in by either."""
    if User.objects.filter(username__iexact=username).exists():
        raise ValidationError(_("A user with that username already exists."))


def _set_role(user: User, role: str) -> None:
    user.role = role
    user.is_staff = user.is_superuser = role == Role.ADMIN


@transaction.atomic
def give_role(*, user: User, role: str) -> User:
    """Change what the user may do, Django's own powers with it.

    Raises
    ------
    InvalidInputError
        For an unknown role.
    LastAdminError
        Where the only admin would be none.
    """
    if role not in Role.values:
        raise InvalidInputError(f"role must be one of {', '.join(Role.values)}, is {role!r}")
    if role != Role.ADMIN:
        check_not_only_admin(user=user)
    _set_role(user, role)
    user.save(update_fields=["role", "is_staff", "is_superuser"])
    return user


@transaction.atomic
def check_not_only_admin(*, user: User) -> None:
    """Refuse to go on where nobody else runs the site; such changes wait for each other.

    Raises
    ------
    LastAdminError
        For the only admin.
    """
    if list(active_admins().select_for_update()) == [user]:
        raise LastAdminError(_("This is the only admin. Make somebody else an admin first."))


@transaction.atomic
def change_display_name(*, user: User, display_name: str) -> User:
    """Change what others see; "" goes back to the user name.

    Raises
    ------
    BadNameError
        For a name that can not be shown (see `lenticular.accounts.names`).
    NameTakenError
        For a name that looks like somebody else's.
    """
    name = clean_name(display_name)
    if name and is_name_taken(name=name, by_another_than=user):
        raise NameTakenError(_("Somebody is called that, or nearly so. Please choose another."))
    user.display_name = name
    try:
        with transaction.atomic():
            user.save(update_fields=["display_name", "display_key"])
    except IntegrityError as error:
        raise NameTakenError(_("Somebody has just taken that name.")) from error
    return user


def check_username(*, username: str) -> None:
    """Refuse what may not be signed up as, because others see it; taken names are Django's part.

    Raises
    ------
    BadNameError
        For a mail address, or what looks like a role.
    NameTakenError
        For a name that looks like somebody else's.
    """
    if "@" in username:
        raise BadNameError(_("Please choose a name without @: others may see it."))
    refuse_looks(username)
    if is_name_taken(name=username):
        raise NameTakenError(_("Somebody is called that, or nearly so. Please choose another."))


@transaction.atomic
def delete_account(*, user: User) -> None:
    """Delete the account and all that names the person; the votes stay, and are nobody's.

    Raises
    ------
    LastAdminError
        For the only admin: somebody must be able to run the site.
    """
    check_not_only_admin(user=user)
    for section in personal_sections():
        if section.erase is not None:
            section.erase(user)
    Session.objects.filter(account=user.pk).delete()
    users = ContentType.objects.get_for_model(User)
    LogEntry.objects.filter(content_type=users, object_id=str(user.pk)).delete()
    user.delete()


def volunteer_of(*, user: User) -> Volunteer:
    """Return the account's volunteer, made the first time."""
    return Volunteer.objects.get_or_create(user=user)[0]


def create_anonymous_volunteer() -> Volunteer:
    """Create a volunteer without an account, for one browser."""
    return Volunteer.objects.create()


@transaction.atomic(savepoint=False)
def lock_volunteer(*, volunteer: Volunteer) -> Volunteer:
    """Lock the volunteer, and the one it is merged into; return the one who votes.

    Whoever locks two volunteers locks the anonymous one first, so that posts and merges
    of one person wait for each other and never for ever.
    """
    locked = _lock(volunteer.pk)
    return _lock(locked.merged_into_id) if locked.merged_into_id else locked


def _lock(pk: int) -> Volunteer:
    return Volunteer.objects.select_for_update(no_key=True).get(pk=pk)


@transaction.atomic
def merge_volunteers(*, anonymous: Volunteer, into: Volunteer) -> Volunteer:
    """Give what the anonymous volunteer did to the account's one, for ever; idempotent.

    The caller sees to the votes that both gave (`classify.services.merge_volunteers`).

    Raises
    ------
    InvalidInputError
        Where `anonymous` has an account, or `into` has none or is merged itself.
    AlreadyMergedError
        Where `anonymous` is merged into another.
    """
    anonymous, into = _lock(anonymous.pk), _lock(into.pk)
    if anonymous.merged_into_id == into.pk:
        return into
    if anonymous.merged_into_id is not None:
        raise AlreadyMergedError(f"volunteer {anonymous.pk} is merged into another already")
    if anonymous.user_id is not None:
        raise InvalidInputError(f"anonymous must have no account, is {anonymous}")
    if into.user_id is None or into.merged_into_id is not None:
        raise InvalidInputError(f"into must be an account's volunteer, is {into}")
    anonymous.merged_into = into
    anonymous.save(update_fields=["merged_into"])
    return into
