"""Whose an answer is, where the cookie is somebody else's by the time it is sent."""

import json
from uuid import uuid4

import pytest
from django.core import signing
from django.test import Client
from django.urls import reverse

from lenticular.accounts.models import Volunteer
from lenticular.accounts.services import delete_account
from lenticular.accounts.web import COOKIE, COOKIE_SECONDS, NAME_SALT, signed_name
from lenticular.classifications.models import Classification
from lenticular.classify.services import merge_volunteers
from lenticular.selection.services import lease_subjects
from tests.universe import FEATURED, PASSWORD, SMOOTH_ROUND

PAGE = "/classify/shapes/"
NEXT = "/api/v1/workflows/shapes/next/"
POST = "/api/v1/classifications/"


def page_data(response):
    text = response.content.decode().partition('<script id="page-data" type="application/json">')[2]
    return json.loads(text.partition("</script>")[0])


def kept(page, **changes):
    """Return the entry that the browser keeps for the page's galaxy."""
    return {
        "uuid": str(uuid4()),
        "version": page["version"],
        "subject": page["subject"]["id"],
        "annotations": FEATURED,
        "volunteer": page["volunteer"],
        **changes,
    }


def page_of_somebody_else(page):
    """Return what a page of somebody new holds, who was given another galaxy than this page's."""
    while True:
        other = page_data(Client().get(PAGE))
        if other["subject"]["id"] != page["subject"]["id"]:
            return other


def send(client, *entries):
    body = {"classifications": entries}
    response = client.post(POST, body, content_type="application/json")
    assert response.status_code == 207, response.content
    return response.json()


def status_of(client, entry):
    (result,) = send(client, entry)
    return result["status"]


def author(entry):
    return Classification.objects.get(uuid=entry["uuid"]).volunteer


def sign_in(client, user):
    client.post(reverse("sign-in"), {"username": user.username, "password": PASSWORD})
    assert "_auth_user_id" in client.session


def served_to(universe, volunteer):
    """Return what a page holds that was made for `volunteer`."""
    (lease,) = lease_subjects(workflow=universe.workflow, volunteer=volunteer, count=1)
    subject = {"id": lease.subject_id}
    name = sign(volunteer.key)
    return {"version": universe.version.pk, "subject": subject, "volunteer": name}


def sign(key, salt=NAME_SALT):
    return signing.TimestampSigner(salt=salt).sign(str(key))


def test_the_first_visit_in_two_tabs_counts_in_both(quiet_universe):
    one, other, browser = Client(), Client(), Client()
    pages = [each.get(PAGE) for each in (one, other)]
    for page in pages:
        browser.cookies.update(page.cookies)

    entries = [kept(page_data(page)) for page in pages]

    assert [result["status"] for result in send(browser, *entries)] == ["recorded"] * 2
    assert author(entries[0]) != author(entries[1])


def test_an_entry_without_a_name_is_whoever_asks_s_as_it_always_was(client, quiet_universe):
    page = page_data(client.get(PAGE))
    stray, mine = kept(page_of_somebody_else(page)), kept(page)
    del stray["volunteer"], mine["volunteer"]

    stray_result, mine_result = send(client, stray, mine)

    assert stray_result["problem"]["type"] == "urn:lenticular:problem:not-served"
    assert mine_result["status"] == "recorded"


def test_galaxies_that_come_later_bear_the_name_of_whom_they_came_to(client, quiet_universe):
    first = page_data(client.get(PAGE))
    client.cookies.clear()

    response = client.post(NEXT, {"count": 1}, content_type="application/json").json()

    assert response["volunteer"] != first["volunteer"]
    later = kept({**first, "subject": response["subjects"][0], "volunteer": response["volunteer"]})
    assert status_of(Client(), later) == "recorded"


def test_nobody_is_given_a_name_that_opens_an_account(client_of, universe):
    client = client_of("volunteer")

    assert page_data(client.get(PAGE))["volunteer"] is None
    assert client.post(NEXT, {}, content_type="application/json").json()["volunteer"] is None
    assert signed_name(universe.volunteer) is None


def test_what_was_kept_before_signing_in_and_out_waits_for_the_account(client, quiet_universe):
    universe = quiet_universe
    entry = kept(page_data(client.get(PAGE)))
    sign_in(client, universe.volunteer_user)
    client.post(reverse("sign-out"))
    client.get(PAGE)

    (result,) = send(client, entry)

    assert result["status"] == "signed-out"
    assert result["problem"]["type"] == "urn:lenticular:problem:signed-out"
    assert not Classification.objects.exists()
    sign_in(client, universe.expert)
    assert status_of(client, entry) == "signed-out"
    client.post(reverse("sign-out"))
    sign_in(client, universe.volunteer_user)
    assert status_of(client, entry) == "recorded"
    assert author(entry) == universe.volunteer


@pytest.mark.parametrize("is_sent", ["before", "while"])
def test_what_the_account_has_given_does_not_wait_for_it(client, quiet_universe, is_sent):
    """The page was left before it heard that its answer had arrived."""
    universe = quiet_universe
    entry = kept(page_data(client.get(PAGE)))
    if is_sent == "before":
        send(client, entry)
    sign_in(client, universe.volunteer_user)
    if is_sent == "while":
        send(client, entry)
    client.post(reverse("sign-out"))

    assert status_of(client, entry) == "already-recorded"
    assert status_of(client, {**entry, "annotations": SMOOTH_ROUND}) == "refused"
    assert status_of(client, {**entry, "uuid": str(uuid4())}) == "signed-out"
    assert Classification.objects.count() == 1


def test_one_who_waits_does_not_hold_up_the_others(client, quiet_universe):
    universe = quiet_universe
    waiting = kept(page_data(client.get(PAGE)))
    sign_in(client, universe.volunteer_user)
    client.post(reverse("sign-out"))
    mine = kept(page_data(client.get(PAGE)))

    results = send(client, waiting, mine)

    assert [result["status"] for result in results] == ["signed-out", "recorded"]
    assert [result["uuid"] for result in results] == [waiting["uuid"], mine["uuid"]]


def test_who_is_nobody_s_becomes_the_account_s_that_is_signed_in(client, quiet_universe):
    universe = quiet_universe
    entry = kept(page_data(Client().get(PAGE)))
    client.force_login(universe.volunteer_user)

    assert status_of(client, entry) == "recorded"

    assert author(entry) == universe.volunteer
    assert Volunteer.objects.filter(merged_into=universe.volunteer).count() == 1
    assert status_of(client, entry) == "already-recorded"


def test_a_galaxy_that_both_answered_counts_once(client, quiet_universe):
    universe = quiet_universe
    page = served_to(universe, universe.anonymous)
    account = served_to(universe, universe.volunteer)
    client.force_login(universe.volunteer_user)
    lease_subjects(workflow=universe.workflow, volunteer=universe.volunteer, count=12)
    mine = kept({**account, "subject": page["subject"]}, volunteer=None)
    assert status_of(client, mine) == "recorded"

    (result,) = send(client, kept(page))

    assert result["problem"]["type"] == "urn:lenticular:problem:already-classified"


@pytest.mark.parametrize("is_merged", [True, False], ids=["merged", "its own"])
def test_a_name_never_acts_for_an_account_that_is_not_signed_in(client, quiet_universe, is_merged):
    universe = quiet_universe
    if is_merged:
        merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)
    named = universe.anonymous if is_merged else universe.volunteer
    page = {**served_to(universe, universe.volunteer), "volunteer": sign(named.key)}
    client.get(PAGE)

    for each in (client, Client()):
        assert status_of(each, kept(page)) == "signed-out"
    client.force_login(universe.expert)
    assert status_of(client, kept(page)) == "signed-out"
    assert not Classification.objects.exists()


def test_a_merged_cookie_is_no_sign_in_that_takes_others_in(client, quiet_universe):
    universe = quiet_universe
    cookie = client.get(PAGE).cookies[COOKIE].value
    sign_in(client, universe.volunteer_user)
    other = Client()
    other.cookies[COOKIE] = cookie

    entry = kept(served_to(universe, universe.anonymous))

    assert status_of(other, entry) == "recorded"
    assert author(entry) == universe.anonymous
    universe.anonymous.refresh_from_db()
    assert universe.anonymous.merged_into is None


def test_the_answers_of_a_deleted_account_count_and_are_nobody_s(client, quiet_universe):
    universe = quiet_universe
    pages = [served_to(universe, universe.anonymous)]
    merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)
    delete_account(user=universe.volunteer_user)
    client.force_login(universe.expert)

    entry = kept(pages[0])

    assert status_of(client, entry) == "recorded"
    assert author(entry) == universe.volunteer
    universe.volunteer.refresh_from_db()
    assert (universe.volunteer.user, universe.volunteer.merged_into) == (None, None)


def of_another(name):
    _, stamp, signature = name.split(":")
    return f"{uuid4()}:{stamp}:{signature}"


def cut(name):
    return name[:-1]


def unsalted(name):
    return sign(name.partition(":")[0], salt="lenticular.volunteer")


@pytest.mark.parametrize("spoil", [of_another, cut, unsalted, lambda _: "nonsense", lambda _: "::"])
def test_a_forged_name_is_as_none(client, quiet_universe, spoil):
    page = page_of_somebody_else(page_data(client.get(PAGE)))

    (result,) = send(client, kept(page, volunteer=spoil(page["volunteer"])))

    assert result["problem"]["type"] == "urn:lenticular:problem:not-served"
    mine = page_data(client.get(PAGE))
    assert status_of(client, kept(mine, volunteer=spoil(mine["volunteer"]))) == "recorded"


def test_a_name_is_no_cookie_and_a_cookie_is_no_name(client, quiet_universe):
    response = Client().get(PAGE)
    page, cookie = page_data(response), response.cookies[COOKIE].value
    client.cookies[COOKIE] = page["volunteer"]

    (result,) = send(client, kept(page, volunteer=cookie))

    assert result["problem"]["type"] == "urn:lenticular:problem:not-served"


def test_a_name_ends_after_a_year_as_the_cookie_does(client, quiet_universe, monkeypatch):
    page = page_data(Client().get(PAGE))
    start = signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: start + COOKIE_SECONDS - 10)
    assert status_of(client, kept(page)) == "recorded"

    other = page_of_somebody_else(page)
    monkeypatch.setattr(signing.time, "time", lambda: start + 2 * COOKIE_SECONDS)

    (result,) = send(client, kept(other))
    assert result["problem"]["type"] == "urn:lenticular:problem:not-served"


def test_the_name_of_a_volunteer_who_is_gone_is_as_none(client, quiet_universe):
    page = page_data(client.get(PAGE))

    assert status_of(client, kept(page, volunteer=sign(uuid4()))) == "recorded"


@pytest.mark.parametrize("name", [{}, [], True, "", "x" * 201, "\ud800", "a\0b"])
def test_what_can_be_no_name_is_a_bad_entry(client, quiet_universe, name):
    (result,) = send(client, kept(page_data(client.get(PAGE)), volunteer=name))

    assert result["status"] == "refused"
    assert "volunteer" in result["problem"]["errors"]


def test_the_common_case_asks_the_database_nothing_more(
    client, quiet_universe, django_assert_num_queries
):
    from lenticular.classify.authors import author_of

    volunteer = quiet_universe.anonymous
    with django_assert_num_queries(0):
        for name in (None, signed_name(volunteer)):
            author = author_of(uuid=uuid4(), name=name, asking=volunteer, is_signed_in=False)
            assert author == volunteer
