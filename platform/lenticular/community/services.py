"""Writes of favourites and collections; those of comments and moderation stand beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Max

from lenticular.accounts.selectors import canonical, identities
from lenticular.accounts.services import lock_volunteer
from lenticular.common.errors import ForbiddenError
from lenticular.community.commenting import (
    edit_comment,
    post_comment,
    remove_comment,
    report_comment,
)
from lenticular.community.errors import NameTakenError, TooManyError
from lenticular.community.leaving import export_person, forget_person
from lenticular.community.models import (
    DESCRIPTION_LENGTH,
    NAME_LENGTH,
    Collection,
    CollectionMember,
    Favourite,
)
from lenticular.community.moderating import lift_suspension, moderate_comment, suspend_account
from lenticular.community.selectors import get_collection
from lenticular.community.texts import clean_name, clean_optional
from lenticular.subjects.selectors import get_subject

if TYPE_CHECKING:
    from lenticular.accounts.models import Volunteer

__all__ = [
    "add_to_collection",
    "change_collection",
    "collect_subject",
    "create_collection",
    "delete_collection",
    "edit_comment",
    "export_person",
    "forget_person",
    "lift_suspension",
    "moderate_comment",
    "post_comment",
    "remove_comment",
    "remove_from_collection",
    "report_comment",
    "set_favourite",
    "suspend_account",
]

MAX_COLLECTIONS = 100
MAX_MEMBERS = 1000


@transaction.atomic
def set_favourite(*, volunteer: Volunteer, subject_id: int, favourite: bool) -> bool:
    """Keep a subject among the person's favourites, or take it out; idempotent.

    Returns
    -------
    bool
        Whether it is one now.

    Raises
    ------
    NotFoundError
        For an unknown subject.
    """
    subject = get_subject(subject_id=subject_id)
    mine = Favourite.objects.filter(volunteer__in=identities(volunteer), subject=subject)
    if not favourite:
        mine.delete()
    elif not mine.exists():
        Favourite.objects.get_or_create(volunteer=canonical(volunteer), subject=subject)
    return favourite


@transaction.atomic
def create_collection(
    *, volunteer: Volunteer, name: str, description: str = "", is_listed: bool = False
) -> Collection:
    """Create a collection; the same one again (a double click) gives the first.

    Raises
    ------
    BadTextError
        For a name that is empty, or a name or description that is too long.
    NameTakenError
        Where the person has one of this name that says something else.
    TooManyError
        For more than `MAX_COLLECTIONS`.
    """
    owner = lock_volunteer(volunteer=volunteer)
    name, description = _cleaned(name, description)
    mine = Collection.objects.filter(owner__in=identities(owner))
    if found := mine.filter(name=name).first():
        if description in ("", found.description):
            return found
        raise NameTakenError(f"name must be new, {name!r} is taken")
    if mine.count() >= MAX_COLLECTIONS:
        raise TooManyError(f"a person has at most {MAX_COLLECTIONS} collections")
    return Collection.objects.create(
        owner=owner, name=name, description=description, is_listed=is_listed
    )


@transaction.atomic
def change_collection(
    *, volunteer: Volunteer, collection: Collection, name: str, description: str, is_listed: bool
) -> Collection:
    """Rename and describe a collection of one's own, and list it publicly or not.

    Raises
    ------
    ForbiddenError
        Where it is somebody else's.
    BadTextError
        For a name that is empty, or a name or description that is too long.
    """
    locked = _own(volunteer, collection)
    locked.name, locked.description = _cleaned(name, description)
    locked.is_listed = is_listed
    locked.save()
    return locked


@transaction.atomic
def delete_collection(*, volunteer: Volunteer, collection: Collection) -> None:
    """Delete a collection of one's own; raises ForbiddenError for somebody else's."""
    _own(volunteer, collection).delete()


@transaction.atomic
def add_to_collection(
    *, volunteer: Volunteer, collection: Collection, subject_id: int
) -> CollectionMember:
    """Put a subject at the end of a collection of one's own; once there, it stays where it is.

    Raises
    ------
    ForbiddenError
        Where the collection is somebody else's.
    NotFoundError
        For an unknown subject.
    TooManyError
        For more than `MAX_MEMBERS`.
    """
    members = _own(volunteer, collection).members
    subject = get_subject(subject_id=subject_id)
    if found := members.filter(subject=subject).first():
        return found
    if members.count() >= MAX_MEMBERS:
        raise TooManyError(f"a collection has at most {MAX_MEMBERS} galaxies")
    last = members.aggregate(last=Max("position"))["last"]
    return members.create(subject=subject, position=1 if last is None else last + 1)


@transaction.atomic
def remove_from_collection(
    *, volunteer: Volunteer, collection: Collection, subject_id: int
) -> None:
    """Take a subject out of a collection of one's own; idempotent.

    Raises
    ------
    ForbiddenError
        Where the collection is somebody else's.
    """
    _own(volunteer, collection).members.filter(subject=subject_id).delete()


@transaction.atomic
def collect_subject(
    *, volunteer: Volunteer, subject_id: int, token: str = "", name: str = ""
) -> Collection:
    """Put a subject into a collection: one of the person's own, or a new one called `name`.

    Raises
    ------
    NotFoundError
        For an unknown subject or collection.
    LenticularError
        As `create_collection` and `add_to_collection` do.
    """
    if name.strip():
        collection = create_collection(volunteer=volunteer, name=name)
    else:
        collection = get_collection(token=token)
    add_to_collection(volunteer=volunteer, collection=collection, subject_id=subject_id)
    return collection


def _own(volunteer: Volunteer, collection: Collection) -> Collection:
    """Return the collection, locked, for who owns it."""
    locked = Collection.objects.select_for_update().get(pk=collection.pk)
    if locked.owner_id not in identities(volunteer):
        raise ForbiddenError("this collection belongs to somebody else")
    return locked


def _cleaned(name: str, description: str) -> tuple[str, str]:
    return (
        clean_name(name, what="name", limit=NAME_LENGTH),
        clean_optional(description, what="description", limit=DESCRIPTION_LENGTH),
    )
