"""Favourites and collections: idempotent, bounded, one's own, and kept through a merge."""

import pytest

from lenticular.accounts.services import create_anonymous_volunteer
from lenticular.classify.services import merge_volunteers
from lenticular.common.errors import ForbiddenError, NotFoundError
from lenticular.community import services
from lenticular.community.errors import (
    BadTextError,
    EmptyTextError,
    NameTakenError,
    TooLongTextError,
    TooManyError,
)
from lenticular.community.models import Collection, CollectionMember, Favourite
from lenticular.community.selectors import (
    collections_of,
    favourite_ids,
    favourites_of,
    get_collection,
    listed_collections,
    members_of,
)


def like(volunteer, subject, favourite=True):
    return services.set_favourite(volunteer=volunteer, subject_id=subject.pk, favourite=favourite)


def liked(volunteer):
    return [each.subject_id for each in favourites_of(volunteer=volunteer)]


def make(volunteer, name="Rings", **more):
    return services.create_collection(volunteer=volunteer, name=name, **more)


def put(volunteer, collection, subject):
    return services.add_to_collection(
        volunteer=volunteer, collection=collection, subject_id=subject.pk
    )


def test_a_favourite_is_set_once_and_taken_back(universe):
    volunteer, subject = universe.anonymous, universe.subjects[0]
    assert [like(volunteer, subject), like(volunteer, subject)] == [True, True]
    assert Favourite.objects.count() == 1
    assert [like(volunteer, subject, False), like(volunteer, subject, False)] == [False, False]
    assert liked(volunteer) == []


def test_an_unknown_subject_is_no_favourite(universe):
    with pytest.raises(NotFoundError):
        services.set_favourite(volunteer=universe.volunteer, subject_id=999_999, favourite=True)


def test_favourites_follow_into_the_account_each_once_and_none_is_lost(universe):
    first, second, third = universe.subjects[:3]
    account, stranger = universe.volunteer, universe.anonymous
    for volunteer, subject in (
        (account, first), (stranger, first), (stranger, second), (account, third),
    ):  # fmt: skip
        like(volunteer, subject)
    merge_volunteers(anonymous=stranger, into=account)
    assert sorted(liked(account)) == sorted([first.pk, second.pk, third.pk])
    stranger.refresh_from_db()
    assert liked(stranger) == liked(account)
    like(account, first, False)
    assert sorted(liked(account)) == sorted([second.pk, third.pk])


def test_a_favourite_kept_by_the_merged_browser_is_not_kept_twice(universe):
    like(universe.anonymous, universe.subjects[0])
    merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)
    like(universe.volunteer, universe.subjects[0])
    assert Favourite.objects.count() == 1
    universe.anonymous.refresh_from_db()
    like(universe.anonymous, universe.subjects[1])
    assert Favourite.objects.get(subject=universe.subjects[1]).volunteer == universe.volunteer


def test_favourites_are_ones_own(universe):
    like(universe.volunteer, universe.subjects[0])
    ids = [universe.subjects[0].pk]
    assert favourite_ids(volunteer=universe.anonymous, subject_ids=ids) == set()
    assert favourite_ids(volunteer=None, subject_ids=ids) == set()


def test_a_collection_keeps_its_order_and_each_galaxy_once(universe):
    volunteer = universe.anonymous
    collection = make(volunteer)
    wanted = [universe.subjects[place] for place in (5, 2, 7)]
    for subject in (*wanted, wanted[0]):
        put(volunteer, collection, subject)
    assert [each.subject for each in members_of(collection=collection)] == wanted
    services.remove_from_collection(
        volunteer=volunteer, collection=collection, subject_id=wanted[1].pk
    )
    put(volunteer, collection, wanted[1])
    again = [wanted[0], wanted[2], wanted[1]]
    assert [each.subject for each in members_of(collection=collection)] == again


def test_the_address_can_not_be_guessed(universe):
    tokens = {make(universe.volunteer, name=f"{number}").token for number in range(20)}
    assert len(tokens) == 20
    assert {len(token) for token in tokens} == {22}
    with pytest.raises(NotFoundError):
        get_collection(token="A" * 22)


def test_a_double_click_makes_one_collection(universe):
    assert make(universe.volunteer) == make(universe.volunteer, name=" Rings ")
    with pytest.raises(NameTakenError):
        make(universe.volunteer, description="Others")
    assert make(universe.anonymous) != make(universe.volunteer)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": ""}, EmptyTextError),
        ({"name": "\u200b\u202e"}, EmptyTextError),
        ({"name": "a" * 81}, TooLongTextError),
        ({"description": "a" * 1001}, TooLongTextError),
    ],
)
def test_a_bad_name_or_description_is_refused_and_changes_nothing(universe, changes, error):
    volunteer = universe.volunteer
    with pytest.raises(error):
        make(volunteer, **changes)
    collection = make(volunteer, name="Good")
    with pytest.raises(error):
        services.change_collection(
            volunteer=volunteer,
            collection=collection,
            **{"name": "Better", "description": "", "is_listed": True, **changes},
        )
    collection.refresh_from_db()
    assert (collection.name, collection.is_listed) == ("Good", False)
    assert issubclass(error, BadTextError)


def test_there_is_room_for_so_many(universe, monkeypatch):
    monkeypatch.setattr(services, "MAX_COLLECTIONS", 2)
    monkeypatch.setattr(services, "MAX_MEMBERS", 2)
    volunteer = universe.volunteer
    collection = make(volunteer, name="one")
    make(volunteer, name="two")
    with pytest.raises(TooManyError):
        make(volunteer, name="three")
    for subject in universe.subjects[:2]:
        put(volunteer, collection, subject)
    put(volunteer, collection, universe.subjects[0])
    with pytest.raises(TooManyError):
        put(volunteer, collection, universe.subjects[2])


def test_nobody_changes_what_belongs_to_somebody_else(universe):
    collection = make(universe.volunteer)
    put(universe.volunteer, collection, universe.subjects[0])
    thief = {"volunteer": universe.anonymous, "collection": collection}
    subject_id = universe.subjects[0].pk
    for act in (
        lambda: services.change_collection(**thief, name="x", description="", is_listed=True),
        lambda: services.add_to_collection(**thief, subject_id=subject_id),
        lambda: services.remove_from_collection(**thief, subject_id=subject_id),
        lambda: services.delete_collection(**thief),
        lambda: services.collect_subject(
            volunteer=universe.anonymous, subject_id=subject_id, token=collection.token
        ),
    ):
        with pytest.raises(ForbiddenError):
            act()
    collection.refresh_from_db()
    assert collection.name == "Rings"
    assert CollectionMember.objects.count() == 1


def test_a_galaxy_can_be_put_into_a_new_collection_or_not_at_all(universe):
    volunteer, subject = universe.anonymous, universe.subjects[0]
    made = services.collect_subject(volunteer=volunteer, subject_id=subject.pk, name="New")
    assert [each.subject for each in members_of(collection=made)] == [subject]
    with pytest.raises(NotFoundError):
        services.collect_subject(volunteer=volunteer, subject_id=999_999, name="Newer")
    with pytest.raises(NotFoundError):
        services.collect_subject(volunteer=volunteer, subject_id=subject.pk, token="")
    assert [each.name for each in Collection.objects.all()] == ["New"]


def test_collections_follow_into_the_account(universe):
    stranger = create_anonymous_volunteer()
    ours = {make(stranger), make(universe.volunteer), make(stranger, name="Bars")}
    merge_volunteers(anonymous=stranger, into=universe.volunteer)
    assert set(collections_of(volunteer=universe.volunteer)) == ours
    for collection in ours:
        put(universe.volunteer, collection, universe.subjects[0])


def test_only_listed_collections_that_hold_something_are_listed(universe):
    hidden = make(universe.volunteer, name="hidden")
    listed = make(universe.volunteer, name="listed", is_listed=True)
    make(universe.volunteer, name="empty", is_listed=True)
    for subject in universe.subjects[:6]:
        put(universe.volunteer, hidden, subject)
        put(universe.volunteer, listed, subject)
    (found,) = listed_collections()
    assert (found, found.size, len(found.covers)) == (listed, 6, 4)
    services.delete_collection(volunteer=universe.volunteer, collection=listed)
    assert list(listed_collections()) == []
