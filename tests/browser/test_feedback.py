"""After the answer: an expert's view of a galaxy of practice, and the heart."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import path
from playwright.sync_api import expect

from lenticular import urls as site
from lenticular.classify.views import home
from tests.browser.desk import QUESTION, answered, press, ready, stocked, subject_of, votes
from tests.browser.gallery import PAGE

POST = "**/api/v1/classifications/"


def compared(question, yours, expert, text):
    return {
        "question": question,
        "yours": yours,
        "expert": expert,
        "agrees": yours == expert,
        "help": text,
    }


def feedback(page, title, **changes):
    """Return what the server says of a galaxy of practice."""
    steps = [
        compared("Is it smooth?", "Artifact", "Smooth", "Artifacts have hard edges."),
        compared("Is it round?", "Round", "Round", ""),
    ]
    return {
        "agrees": False, "title": title, "text": "An expert sees more here.", "url": "/galaxies/1/",
        "thumb": subject_of(page), "steps": steps, **changes,
    }  # fmt: skip


def practise(page, *titles):
    """Have the server answer each post with the next of these."""
    left = list(titles)

    def answer(route):
        results = route.fetch().json()
        for result in results:
            result.pop("echo", None)
            result["feedback"] = feedback(page, left.pop(0))
        route.fulfill(status=207, json=results)

    page.route(POST, answer)


@pytest.fixture
def desk(open_page):
    page = open_page(PAGE)
    ready(page)
    stocked(page, 4)
    return page


def test_the_card_waits_beside_the_next_galaxy_until_it_is_closed(desk):
    before, first = votes(), subject_of(desk)
    practise(desk, "Almost", "Well seen")
    card = desk.locator("#feedback")
    press(desk, "3", "Enter")
    expect(card).to_contain_text("Almost")
    assert card.get_attribute("role") == "status"
    assert subject_of(desk) != first
    expect(desk.locator(QUESTION)).to_be_focused()
    expect(card.locator("li")).to_have_count(1)
    expect(card).to_contain_text("You said “Artifact”, an expert “Smooth”. Artifacts have hard")
    expect(card.get_by_role("link")).to_have_attribute("href", "/galaxies/1/")
    expect(desk.locator("#echo")).to_be_hidden()
    found = Axe().run(desk)
    assert found.violations_count == 0, found.generate_report()
    press(desk, "2")
    expect(card).to_be_visible()
    press(desk, "Backspace", "3", "Enter")
    expect(card.get_by_role("heading")).to_have_text("Well seen")
    answered(desk, before, count=2)
    press(desk, "Escape")
    expect(card).to_be_hidden()


def test_closing_the_card_gives_the_focus_back_to_the_question(desk):
    practise(desk, "Almost")
    press(desk, "3", "Enter")
    desk.locator("#feedback").get_by_role("button", name="Close").click()
    expect(desk.locator("#feedback")).to_be_hidden()
    expect(desk.locator(QUESTION)).to_be_focused()


def test_without_an_address_for_favourites_there_is_no_heart(desk):
    favourite = json.loads(desk.locator("#page-data").text_content())["favourite"]
    if favourite == "":
        expect(desk.get_by_role("button", name="Favourite")).to_have_count(0)
    else:
        expect(desk.get_by_role("button", name="Favourite")).to_have_count(1)


@pytest.fixture
def hearts(open_page, settings):
    """Open the page of a site that keeps favourites, at an address of the test's own."""
    heart = path("hearts/<int:subject_id>/", home, name="api-favourite")
    settings.ROOT_URLCONF = type("Addresses", (), {"urlpatterns": [heart, *site.urlpatterns]})
    page = open_page(PAGE)
    ready(page)
    stocked(page, 4)
    return page


def test_the_heart_is_filled_at_once_and_stays_with_its_galaxy(hearts):
    asked = []

    def keep(route):
        asked.append((route.request.url.rsplit("/", 2)[1], json.loads(route.request.post_data)))
        route.fulfill(json={"favourite": asked[-1][1]["favourite"]})

    hearts.route("**/hearts/*/", keep)
    heart = hearts.get_by_role("button", name="Favourite")
    heart.click()
    expect(heart).to_have_attribute("aria-pressed", "true")
    subject = json.loads(hearts.locator("#page-data").text_content())["subject"]["id"]
    assert asked == [(str(subject), {"favourite": True})]
    press(hearts, "3")
    expect(heart).to_have_attribute("aria-pressed", "false")
    press(hearts, "u")
    expect(heart).to_have_attribute("aria-pressed", "true")
    press(hearts, "f")
    expect(heart).to_have_attribute("aria-pressed", "false")
    assert asked[-1] == (str(subject), {"favourite": False})


def test_a_heart_that_is_refused_is_emptied_with_a_word(hearts):
    hearts.route("**/hearts/*/", lambda route: route.fulfill(status=500))
    press(hearts, "f")
    expect(hearts.get_by_role("alert")).to_contain_text("The favourite was not kept")
    heart = hearts.get_by_role("button", name="Favourite")
    expect(heart).to_have_attribute("aria-pressed", "false")
