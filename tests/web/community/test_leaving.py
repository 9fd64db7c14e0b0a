"""A person takes everything along, and is forgotten without a hole in what others said."""

import json

from lenticular.accounts.services import create_anonymous_volunteer, volunteer_of
from lenticular.classify.services import merge_volunteers
from lenticular.community import services
from lenticular.community.models import (
    Collection,
    Comment,
    CommentReport,
    CommentState,
    Favourite,
    ModerationAct,
    Suspension,
)
from tests.web.community.test_comments import report, say


def live(town):
    """Have the author do everything once, in part without an account; return the volunteer."""
    stranger = create_anonymous_volunteer()
    person = volunteer_of(user=town.author)
    for volunteer, subject in ((stranger, town.other), (person, town.subject)):
        services.set_favourite(volunteer=volunteer, subject_id=subject.pk, favourite=True)
    services.collect_subject(volunteer=stranger, subject_id=town.other.pk, name="Rings")
    merge_volunteers(anonymous=stranger, into=person)
    mine = say(town.author, town.subject, "Mine")
    report(town.readers[0], mine)
    theirs = say(town.readers[0], town.subject, "Theirs")
    report(town.author, theirs, note="A private note")
    services.suspend_account(
        volunteer_id=person.pk, moderator=town.universe.expert, reason="Quarrels"
    )
    return person


def test_the_export_holds_everything_over_all_identities(town):
    found = services.export_person(live(town))
    assert json.loads(json.dumps(found)) == found
    galaxies = {each["external_id"] for each in found["favourites"]}
    assert galaxies == {town.subject.external_id, town.other.external_id}
    (collection,) = found["collections"]
    assert (collection["name"], collection["galaxies"][0]["subject"]) == ("Rings", town.other.pk)
    assert [each["text"] for each in found["comments"]] == ["Mine"]
    assert [each["note"] for each in found["reports"]] == ["A private note"]
    assert found["suspension"]["reason"] == "Quarrels"


def test_an_export_of_nothing_is_empty(universe):
    found = services.export_person(universe.other_anonymous)
    assert not any(found.values())


def test_who_is_forgotten_leaves_no_name_and_no_text(town):
    person = live(town)
    others = services.create_collection(volunteer=town.universe.anonymous, name="Others")
    for _ in range(2):
        services.forget_person(person)
    assert list(Collection.objects.all()) == [others]
    assert Favourite.objects.count() == 0
    assert Suspension.objects.count() == 0
    gone, kept = Comment.objects.order_by("id")
    assert (gone.text, gone.author, gone.state) == ("", None, CommentState.REMOVED)
    assert (kept.text, kept.state) == ("Theirs", CommentState.VISIBLE)
    assert not CommentReport.objects.filter(reporter=person).exists()
    assert CommentReport.objects.get(comment=kept).note == ""
    assert not CommentReport.objects.get(comment=gone).is_open
    assert ModerationAct.objects.get().volunteer is None
    assert not any(services.export_person(person).values())
