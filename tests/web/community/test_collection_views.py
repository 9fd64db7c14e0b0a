"""The pages of collections: shared by link, changed by their owner, telling no votes."""

import pytest
from django.test import Client

from lenticular.accounts.web import COOKIE
from lenticular.community import collection_views, services
from lenticular.community.models import Collection, CollectionMember

HOSTILE = '"><script>alert(1)</script>\u202e'


@pytest.fixture
def rings(universe):
    """A private collection of the volunteer's, of galaxies that have votes."""
    collection = services.create_collection(
        volunteer=universe.volunteer, name="Rings", description="<b>bold</b>\nround"
    )
    for recorded in universe.recorded[:3]:
        services.add_to_collection(
            volunteer=universe.volunteer,
            collection=collection,
            subject_id=recorded.classification.subject_id,
        )
    return collection


def test_anyone_with_the_link_looks_and_sees_no_votes(client, universe, rings):
    response = client.get(rings.get_absolute_url())
    html = response.content.decode()
    assert len(response.context["galaxies"]) == 3
    assert response["X-Robots-Tag"] == "noindex"
    assert "&lt;b&gt;bold" in html
    assert "<bdi>a-volunteer</bdi>" in html
    for secret in ("Smooth", "agree", "Take out", "Change or delete", "truth"):
        assert secret not in html


def test_a_listed_collection_may_be_found(client, universe, rings):
    assert rings.name not in client.get("/collections/").content.decode()
    Collection.objects.update(is_listed=True)
    assert "X-Robots-Tag" not in client.get(rings.get_absolute_url())
    assert rings.get_absolute_url() in client.get("/collections/").content.decode()


@pytest.mark.parametrize("token", ["A" * 22, "A" * 21, "A" * 23, "A" * 21 + "%00", "..%2f"])
def test_an_unknown_link_leads_nowhere(client, universe, token):
    assert client.get(f"/collections/{token}/").status_code == 404


def test_a_collection_has_pages(client, universe, rings, monkeypatch):
    monkeypatch.setattr(collection_views, "PER_PAGE", 2)
    second = client.get(f"{rings.get_absolute_url()}?page=2")
    assert len(second.context["galaxies"]) == 1
    assert len(client.get(f"{rings.get_absolute_url()}?page=x").context["galaxies"]) == 2


def test_an_anonymous_browser_makes_a_collection_and_owns_it(client, universe):
    response = client.post("/collections/", {"name": HOSTILE, "description": "x"}, follow=True)
    assert COOKIE in client.cookies
    collection = Collection.objects.get()
    html = response.content.decode()
    assert "<script>alert" not in html
    assert "\u202e" not in html
    assert "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;</bdi>" in html
    assert "a volunteer without an account" in html
    assert client.get(f"{collection.get_absolute_url()}change/").status_code == 200


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"name": "", "description": "kept"}, "nothing to read"),
        ({"name": "a" * 81, "description": "kept"}, "it has 81 characters, 80 are allowed"),
        ({}, "nothing to read"),
    ],
)
def test_a_bad_name_is_told_and_what_was_typed_is_kept(client, universe, form, words):
    response = client.post("/collections/", form)
    html = response.content.decode()
    assert response.status_code == 400
    assert words in html
    assert form.get("description", "") in html
    assert Collection.objects.count() == 0


def test_the_owner_changes_and_deletes(client_of, universe, rings):
    client = client_of("volunteer")
    address = rings.get_absolute_url()
    assert "Rings" in client.get(f"{address}change/").content.decode()
    form = {"name": "Loops", "description": "", "is_listed": "yes"}
    assert client.post(f"{address}change/", form)["Location"] == address
    rings.refresh_from_db()
    assert (rings.name, rings.is_listed, rings.description) == ("Loops", True, "")
    response = client.post(f"{address}change/", {**form, "name": " "})
    assert response.status_code == 400
    subject_id = universe.recorded[0].classification.subject_id
    for _ in range(2):
        client.post(f"{address}remove/{subject_id}/")
    assert CollectionMember.objects.count() == 2
    assert client.post(f"{address}delete/")["Location"] == "/collections/"
    assert client.get(address).status_code == 404


@pytest.mark.parametrize("role", [None, "astronomer", "admin"])
def test_nobody_else_changes_it(client_of, universe, rings, role):
    client, address = client_of(role), rings.get_absolute_url()
    assert client.get(f"{address}change/").status_code == 403
    for act in ("change/", "delete/", "remove/1/"):
        assert client.post(f"{address}{act}", {"name": "x"}).status_code == 403
    rings.refresh_from_db()
    assert (rings.name, rings.members.count()) == ("Rings", 3)


def test_deleting_and_removing_are_posts(client_of, universe, rings):
    for act in ("delete/", "remove/1/"):
        response = client_of("volunteer").get(f"{rings.get_absolute_url()}{act}")
        assert response.status_code == 405
    client = Client(enforce_csrf_checks=True)
    client.force_login(universe.volunteer_user)
    assert client.post(f"{rings.get_absolute_url()}delete/").status_code == 403


def test_a_galaxy_is_collected_from_its_page(client_of, universe, rings):
    client, subject = client_of("volunteer"), universe.subjects[-1]
    page = f"/galaxies/{subject.pk}/"
    assert f'<option value="{rings.token}">Rings</option>' in client.get(page).content.decode()
    for form, name in (({"collection": rings.token}, "Rings"), ({"name": "New"}, "New")):
        response = client.post(f"{page}collect/", form, follow=True)
        assert f"Added to “{name}”." in response.content.decode()
        assert Collection.objects.get(name=name).members.filter(subject=subject).exists()


@pytest.mark.parametrize("form", [{}, {"collection": "A" * 22}, {"name": "a" * 81}])
def test_a_collection_that_can_not_be_is_told(client, universe, form):
    subject = universe.subjects[0]
    response = client.post(f"/galaxies/{subject.pk}/collect/", form, follow=True)
    assert "notice-warn" in response.content.decode()
    assert CollectionMember.objects.count() == 0


def test_somebody_elses_collection_takes_nothing(client, universe, rings):
    subject = universe.subjects[-1]
    client.post(f"/galaxies/{subject.pk}/collect/", {"collection": rings.token})
    assert not rings.members.filter(subject=subject).exists()
