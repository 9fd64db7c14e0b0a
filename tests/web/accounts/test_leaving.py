"""Taking one's data along, and deleting the account."""

import json
from http import HTTPStatus

import pytest
from allauth.account.models import EmailAddress
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.test import Client
from django.urls import reverse
from rest_framework.authtoken.models import Token

from lenticular.accounts import personal
from lenticular.accounts.models import Role, Session, User
from lenticular.accounts.personal import PersonalSection, export_document, register_section
from lenticular.accounts.services import (
    LastAdminError,
    change_display_name,
    create_user,
    delete_account,
    give_role,
    volunteer_of,
)
from lenticular.classifications.models import Classification
from lenticular.classify.services import merge_volunteers
from lenticular.community.services import create_collection, post_comment, set_favourite
from lenticular.consensus.models import VolunteerWeight
from lenticular.consensus.services import compute_weights, rebuild_consensus
from lenticular.releases.services import make_release
from lenticular.selection.services import lease_subjects
from tests.universe import PASSWORD, classify

USERNAME, SHOWN, ADDRESS = "zwicky-fritz", "Fritz Zwicky", "zwicky@example.org"


@pytest.fixture
def zwicky(quiet_universe):
    """Somebody who has classified before and after making the account, and left traces."""
    universe = quiet_universe
    user = create_user(username=USERNAME, password=PASSWORD, email=ADDRESS, role=Role.ASTRONOMER)
    change_display_name(user=user, display_name=SHOWN)
    EmailAddress.objects.create(user=user, email=ADDRESS, verified=True, primary=True)
    Token.objects.create(user=user)
    classify(universe, universe.anonymous, 2)
    merge_volunteers(anonymous=universe.anonymous, into=volunteer_of(user=user))
    classify(universe, volunteer_of(user=user), 3)
    _traces(universe, user)
    return user


def _traces(universe, user):
    client = Client()
    client.post(reverse("sign-in"), {"username": ADDRESS, "password": PASSWORD, "remember": "on"})
    make_release(workflow=universe.workflow, user=user, title="First light")
    volunteer, seen = volunteer_of(user=user), Classification.objects.latest("id").subject
    set_favourite(volunteer=volunteer, subject_id=seen.pk, favourite=True)
    create_collection(volunteer=volunteer, name=f"Of {SHOWN}")
    post_comment(author=user, subject_id=seen.pk, text=f"{SHOWN} was here")
    for actor, subject in ((universe.admin, user), (user, universe.admin)):
        LogEntry.objects.create(
            user=actor,
            content_type=ContentType.objects.get_for_model(User),
            object_id=str(subject.pk),
            object_repr=str(subject),
            action_flag=CHANGE,
        )


@pytest.fixture
def sections(monkeypatch):
    """Let a test register sections of its own."""
    monkeypatch.setattr(personal, "_SECTIONS", dict(personal._SECTIONS))


def everything_kept():
    """Return all rows of all tables, and what sessions hold, as one text."""
    rows = [repr(session.get_decoded()) for session in Session.objects.all()]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            rows += [repr(row) for row in cursor.fetchall()]
    return "\n".join(rows)


def test_the_export_has_all_that_is_kept_of_the_person(client, zwicky):
    client.force_login(zwicky)

    answer = client.get(reverse("account-export"))
    document = json.loads(answer.getvalue())

    assert answer.streaming
    assert answer["Content-Disposition"] == 'attachment; filename="lenticular-my-data.json"'
    assert "no-store" in answer["Cache-Control"]
    (profile,) = document["profile"]
    assert profile["username"] == USERNAME
    assert profile["display_name"] == SHOWN
    assert profile["mail_addresses"] == [{"address": ADDRESS, "confirmed": True}]
    assert len(profile["volunteers"]) == 2
    assert len(document["classifications"]) == 5
    first = document["classifications"][0]
    kept = Classification.objects.get(uuid=first["uuid"])
    assert first["subject"] == kept.subject.external_id
    assert first["annotations"] == kept.annotations
    assert first["workflow"] == "shapes"
    (community,) = document["community"]
    assert [len(community[kind]) for kind in ("favourites", "collections", "comments")] == [1] * 3
    assert first["created_at"].startswith(f"{kept.created_at:%Y-%m-%dT%H:%M}")
    assert not {"arm", "selection_probability", "gold_standard"} & set(first)


def test_the_export_says_what_was_served_and_how_votes_weigh(client, zwicky, quiet_universe):
    universe = quiet_universe
    lease_subjects(workflow=universe.workflow, volunteer=volunteer_of(user=zwicky), count=1)
    compute_weights(workflow=universe.workflow)
    client.force_login(zwicky)

    document = json.loads(client.get(reverse("account-export")).getvalue())

    kept = VolunteerWeight.objects.get(volunteer=volunteer_of(user=zwicky))
    (weight,) = document["weights"]
    assert (weight["weight"], weight["is_careless"]) == (kept.weight, kept.is_careless)
    assert weight["votes"] == kept.votes == 5
    assert sorted(each["state"] for each in document["served"]) == ["answered"] * 5 + ["out"]
    assert not {"arm", "selection_probability"} & set(document["served"][0])


def test_the_export_has_nothing_of_others(client, universe):
    client.force_login(universe.expert)

    document = json.loads(client.get(reverse("account-export")).getvalue())

    assert document["classifications"] == document["weights"] == document["served"] == []
    assert document["profile"][0]["username"] == universe.expert.username
    assert universe.volunteer_user.username not in json.dumps(document)


def test_an_export_is_read_only(client_of):
    answer = client_of("volunteer").post(reverse("account-export"))

    assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_apps_above_add_sections_of_their_own(sections, zwicky):
    register_section(
        PersonalSection("notes", lambda user: [{"by": user.username}, {"n": "\u661f"}])
    )

    document = json.loads("".join(export_document(user=zwicky)))

    assert document["notes"] == [{"by": USERNAME}, {"n": "\u661f"}]
    assert set(document) == {
        "profile", "classifications", "weights", "served", "community", "notes",
    }  # fmt: skip
    assert list(document)[-1] == "notes"


def test_the_password_is_asked_before_the_account_goes(client, zwicky):
    client.force_login(zwicky)
    assert "This can not be undone" in client.get(reverse("account-delete")).text

    for form in ({"password": "wrong"}, {"password": ""}):
        page = client.post(reverse("account-delete"), form)
        assert page.context["form"].errors.keys() == {"password"}
    assert User.objects.filter(pk=zwicky.pk).exists()


def test_afterwards_nothing_names_the_person_and_the_votes_stay(client, zwicky, quiet_universe):
    client.post(reverse("sign-in"), {"username": USERNAME, "password": PASSWORD, "remember": "on"})
    before = everything_kept()
    assert all(word in before for word in (USERNAME, SHOWN, ADDRESS, zwicky.password))
    votes = Classification.objects.count()

    page = client.post(reverse("account-delete"), {"password": PASSWORD}, follow=True)

    after = everything_kept()
    assert "Your account is deleted" in page.text
    assert page.request["PATH_INFO"] == reverse("home")
    for word in (USERNAME, SHOWN, ADDRESS, "zwicky", "fritzzwicky", zwicky.password):
        assert word not in after
    assert Classification.objects.count() == votes == 5
    assert not Token.objects.exists()
    assert not Session.objects.filter(account=zwicky.pk).exists()
    assert rebuild_consensus(workflow=quiet_universe.workflow, check=True) == []


def test_the_browser_and_all_others_are_signed_out(client, zwicky):
    elsewhere = Client()
    for browser in (client, elsewhere):
        browser.force_login(zwicky)

    client.post(reverse("account-delete"), {"password": PASSWORD})

    for browser in (client, elsewhere):
        assert browser.get(reverse("account")).url.startswith(reverse("sign-in"))


def test_a_deleted_account_does_not_sign_in_and_its_name_is_free(client, zwicky):
    delete_account(user=zwicky)

    page = client.post(reverse("sign-in"), {"username": USERNAME, "password": PASSWORD})

    assert "is not right" in page.text
    assert create_user(username=USERNAME, password=PASSWORD).display_name == ""


def test_apps_above_erase_their_part_first(sections, zwicky):
    seen = []
    register_section(PersonalSection("notes", lambda _user: [], lambda user: seen.append(user.pk)))
    pk = zwicky.pk

    delete_account(user=zwicky)

    assert seen == [pk]


def test_a_part_that_can_not_be_erased_keeps_the_account(sections, zwicky):
    def fail(_user):
        raise OSError("disk")

    register_section(PersonalSection("notes", lambda _user: [], fail))

    with pytest.raises(OSError, match="disk"):
        delete_account(user=zwicky)
    assert Token.objects.filter(user=zwicky).exists()


def test_the_last_admin_stays(client_of, universe):
    page = client_of("admin").post(reverse("account-delete"), {"password": PASSWORD})

    assert "the only admin" in page.text
    assert User.objects.filter(pk=universe.admin.pk).exists()


def test_an_admin_who_leaves_another_behind_may_go(universe):
    give_role(user=universe.expert, role=Role.ADMIN)

    delete_account(user=universe.admin)

    assert not User.objects.filter(username="a-admin").exists()


def test_a_closed_admin_is_none(universe):
    give_role(user=universe.expert, role=Role.ADMIN)
    User.objects.filter(pk=universe.expert.pk).update(is_active=False)

    with pytest.raises(LastAdminError):
        delete_account(user=universe.admin)


def test_no_table_holds_an_account_back():
    """What others made is theirs no longer, and stays; what is only theirs goes."""
    ways = {
        relation.related_model.__name__: relation.on_delete
        for relation in User._meta.related_objects
        if not relation.many_to_many
    }
    assert ways["Volunteer"] == models.SET_NULL
    assert set(ways.values()) <= {models.SET_NULL, models.CASCADE}


def test_sessions_know_their_account_and_anonymous_ones_have_none(client, zwicky):
    client.force_login(zwicky)
    session = Session.objects.get(session_key=client.session.session_key)
    assert session.account == zwicky.pk
    assert session.get_session_store_class().__module__ == "lenticular.accounts.sessions"

    anonymous = Client().session
    anonymous["seen"] = True
    anonymous.save()

    assert Session.objects.get(session_key=anonymous.session_key).account is None


def test_an_admin_deletes_an_account_as_wholly_as_its_owner(client, zwicky, quiet_universe):
    client.force_login(quiet_universe.admin)

    client.post(reverse("admin:accounts_user_delete", args=[zwicky.pk]), {"post": "yes"})

    assert not User.objects.filter(username=USERNAME).exists()
    client.get(reverse("admin:index"))
    after = everything_kept()
    assert not [word for word in (USERNAME, ADDRESS) if word in after]
    assert Classification.objects.count() == 5


def test_the_admin_site_does_not_delete_the_last_admin(client_of, universe):
    address = reverse("admin:accounts_user_delete", args=[universe.admin.pk])

    page = client_of("admin").post(address, {"post": "yes"})

    assert page.status_code == HTTPStatus.FORBIDDEN
    assert User.objects.filter(pk=universe.admin.pk).exists()


def test_the_admin_site_leaves_one_of_all_admins(client, universe):
    give_role(user=universe.expert, role=Role.ADMIN)
    client.force_login(universe.expert)
    both = [universe.admin.pk, universe.expert.pk]
    form = {"action": "delete_selected", "_selected_action": both, "post": "yes"}

    page = client.post(reverse("admin:accounts_user_changelist"), form, follow=True)

    assert "the only admin" in page.text
    assert list(User.objects.filter(pk__in=both)) == [universe.expert]
