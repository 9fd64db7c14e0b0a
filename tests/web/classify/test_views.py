"""The volunteer's pages, as anonymous, signed in and expert, without JavaScript."""

import re

import pytest

from lenticular.accounts.models import Volunteer
from lenticular.accounts.web import COOKIE
from lenticular.classifications.models import Classification
from lenticular.selection.models import QueueEntry
from lenticular.workflows.models import Workflow

PAGE = "/classify/shapes/"


def fields(response):
    """Return the form's hidden fields, as a browser would post them."""
    html = response.content.decode()
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html)
    form = {}
    for name, value in found:
        form.setdefault(name, []).append(value)
    return form


def step(client, response, **pressed):
    return client.post(PAGE, {**fields(response), **pressed})


def heading(response):
    return re.search(r'<h1 id="question"[^>]*>([^<]*)<', response.content.decode()).group(1)


def test_home_shows_counts_the_button_and_the_latest_galaxies(client, universe):
    response = client.get("/")
    html = response.content.decode()
    live = response.context["live"]
    assert live["counts"]["classifications"] == 7
    assert f'href="{PAGE}"' in html
    assert html.count("/galaxies/") == len(live["strip"]) > 1


def test_home_without_an_open_workflow_says_so(client, universe):
    Workflow.objects.update(is_open=False)
    assert "No survey is open" in client.get("/").content.decode()


def test_home_of_an_empty_site_opens(client, db):
    assert client.get("/").status_code == 200


def test_about_opens(client, db):
    assert "once" in client.get("/about/").content.decode()


@pytest.mark.parametrize("role", [None, "volunteer", "expert"])
def test_anyone_may_classify(client_of, universe, role):
    response = client_of(role).get(PAGE)
    assert response.status_code == 200
    assert heading(response) == "Is the galaxy smooth?"
    assert (COOKIE in response.cookies) == (role is None)


def test_an_unknown_workflow_is_not_found(client, universe):
    response = client.get("/classify/none/")
    assert response.status_code == 404
    assert "nothing at this address" in response.content.decode()


def test_the_classify_page_is_blind(client, universe):
    QueueEntry.objects.update(top_answer="shape_featured")
    html = client.get(PAGE).content.decode()
    for secret in ("control", "active", "probability", "priority", "prediction", "truth", "agree"):
        assert secret not in html.lower()


def test_a_galaxy_is_classified_one_question_per_post(client, universe):
    first = client.get(PAGE)
    second = step(client, first, answer="smooth", move="next")
    assert heading(second) == "How round is it?"
    assert fields(second)["path"] == ["shape:smooth"]
    assert fields(second)["uuid"] == fields(first)["uuid"]
    done = step(client, second, answer="round", move="next")
    assert done.status_code == 302
    recorded = Classification.objects.get(uuid=fields(first)["uuid"][0])
    assert recorded.annotations == [["shape", "smooth"], ["roundness", "round"]]
    after = client.get(PAGE)
    assert fields(after)["subject"] != fields(first)["subject"]
    assert f"/galaxies/{recorded.subject_id}/" in after.content.decode()


def test_back_keeps_the_answer(client, universe):
    second = step(client, client.get(PAGE), answer="smooth", move="next")
    back = step(client, second, move="back")
    assert heading(back) == "Is the galaxy smooth?"
    assert re.search(r'value="smooth" required checked', back.content.decode())
    assert "path" not in fields(back)


def test_no_answer_asks_the_same_question_again(client, universe):
    assert heading(step(client, client.get(PAGE), move="next")) == "Is the galaxy smooth?"


def test_a_form_sent_twice_counts_once(client, universe):
    first = client.get(PAGE)
    for _ in range(2):
        assert step(client, first, answer="featured", move="next").status_code == 302
    assert Classification.objects.filter(uuid=fields(first)["uuid"][0]).count() == 1


@pytest.mark.parametrize("pressed", ["smooth", "featured"])
def test_a_first_visit_in_two_tabs_loses_no_answer(client, universe, pressed):
    """The cookie is the second tab's volunteer's by the time the first tab is answered."""
    first = client.get(PAGE)
    served_to = Volunteer.objects.latest("id")
    del client.cookies[COOKIE]
    second = client.get(PAGE)
    asking = Volunteer.objects.latest("id")
    assert asking != served_to

    answered = step(client, first, answer=pressed, move="next")
    if pressed == "smooth":
        answered = step(client, answered, answer="round", move="next")
    step(client, second, answer="featured", move="next")

    authors = {
        str(each.uuid): each.volunteer_id
        for each in Classification.objects.filter(volunteer__in=[served_to, asking])
    }
    assert authors == {
        fields(first)["uuid"][0]: served_to.pk,
        fields(second)["uuid"][0]: asking.pk,
    }


def test_a_form_of_an_account_counts_for_nobody_else(client_of, client, universe):
    form = {**fields(client_of("volunteer").get(PAGE)), "answer": "featured", "move": "next"}
    assert form["volunteer"] == [""]
    client.logout()
    response = client.post(PAGE, form, follow=True)
    assert "could not be used" in response.content.decode()
    assert not Classification.objects.filter(uuid=form["uuid"][0]).exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"uuid": "x"},
        {"volunteer": "forged", "subject": "99999"},
        {"version": "99999"},
        {"version": "-1"},
        {"subject": "99999"},
        {"subject": "9" * 40},
        {"started_at": "2026-13-45T00:00:00Z"},
        {"started_at": "now"},
        {"started_at": "2026-03-01T00:00:00"},
        {"started_at": "0001-01-01T00:00:00+14:00"},
        {"started_at": "9999-12-31T23:59:59-14:00"},
        {"path": "shape"},
        {"path": "roundness:round"},
        {"path": ["shape:smooth"] * 101},
        {"answer": "blue"},
    ],
)
def test_a_form_that_was_tampered_with_is_told_so_and_starts_again(client, universe, changes):
    before = Classification.objects.count()
    form = {**fields(client.get(PAGE)), "answer": "featured", "move": "next", **changes}
    response = client.post(PAGE, form, follow=True)
    assert response.status_code == 200
    assert "safe" in response.content.decode()
    assert Classification.objects.count() == before


def test_a_galaxy_never_served_can_not_be_walked(client, universe):
    form = fields(client.get(PAGE))
    other = next(each.pk for each in universe.subjects if str(each.pk) != form["subject"][0])
    response = client.post(PAGE, {**form, "subject": other, "answer": "smooth"}, follow=True)
    assert "could not be used" in response.content.decode()


def test_when_nothing_is_left_the_volunteer_is_told(client, universe):
    QueueEntry.objects.update(is_retired=True)
    html = client.get(PAGE).content.decode()
    assert "every galaxy that is waiting" in html


def test_a_galaxy_hides_its_votes_until_answered(client, universe):
    subject = universe.recorded[0].classification.subject
    html = client.get(f"/galaxies/{subject.pk}/").content.decode()
    assert "once you have classified it yourself" in html
    assert "<table" not in html
    assert "truth" not in html
    assert "gri" in html


def test_a_galaxy_shows_its_votes_to_who_answered_it(client_of, universe):
    subject = universe.recorded[0].classification.subject
    response = client_of("volunteer").get(f"/galaxies/{subject.pk}/")
    (votes,) = response.context["votes"]
    assert votes.classifications >= 1
    assert sum(answer.votes for answer in votes.questions[0].answers) == votes.questions[0].total
    assert sum(answer.percent for answer in votes.questions[0].answers) == pytest.approx(100)


@pytest.mark.parametrize(
    ("role", "sees"), [("expert", True), ("astronomer", True), ("admin", True)]
)
def test_a_galaxy_shows_its_votes_to_experts(client_of, universe, role, sees):
    subject = universe.recorded[-1].classification.subject
    (votes,) = client_of(role).get(f"/galaxies/{subject.pk}/").context["votes"]
    assert (votes.questions is not None) == sees


def test_an_unknown_galaxy_is_not_found_and_makes_no_volunteer(client, universe):
    before = Volunteer.objects.count()
    assert client.get("/galaxies/99999/").status_code == 404
    assert Volunteer.objects.count() == before


@pytest.mark.parametrize("address", ["/", "/about/", "/galaxies/1/"])
def test_pages_that_only_show_refuse_to_be_posted_to(client, universe, address):
    assert client.post(address).status_code == 405


def test_pages_speak_the_language_that_was_chosen(client, universe):
    client.post("/i18n/setlang/", {"language": "zh-hant", "next": PAGE})
    response = client.get(PAGE)
    assert heading(response) == "這個星系平滑嗎？"
    assert '<html lang="zh-Hant">' in response.content.decode()


def test_pages_allow_no_inline_script_but_the_import_map(client, universe):
    response = client.get(PAGE)
    nonce = re.search(r"'nonce-([^']+)'", response["Content-Security-Policy"]).group(1)
    html = response.content.decode()
    assert re.findall(r"<script(?![^>]*src=)[^>]*>", html) == [
        f'<script type="importmap" nonce="{nonce}">',
        '<script id="page-data" type="application/json">',
    ]
    assert not re.search(r'\sstyle="|\son\w+="', html)


@pytest.mark.parametrize(
    ("language", "words"),
    [("zh-Hant", "這個星系是什麼形狀？"), ("zh-Hans", "这个星系是什么形状？")],
)
def test_the_interface_is_translated(client, universe, language, words):
    html = client.get("/", headers={"Accept-Language": language}).content.decode()
    assert words in html
    assert f'<html lang="{language}">' in html
