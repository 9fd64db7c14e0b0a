"""After the answer: an expert's view of a galaxy of practice, and the heart."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lenticular.community.models import Favourite
from tests.browser.desk import (
    QUESTION,
    answered,
    press,
    ready,
    stocked,
    subject_of,
    votes,
    wait_until,
)
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


def hearts_of(sky):
    """Return the galaxies that somebody likes."""
    return set(Favourite.objects.values_list("subject", flat=True))


def test_the_heart_is_filled_at_once_and_stays_with_its_galaxy(desk, sky):
    heart = desk.get_by_role("button", name="Favourite")
    heart.click()
    expect(heart).to_have_attribute("aria-pressed", "true")
    subject = json.loads(desk.locator("#page-data").text_content())["subject"]["id"]
    wait_until(desk, lambda: hearts_of(sky) == {subject}, "the favourite is kept")
    press(desk, "3")
    expect(heart).to_have_attribute("aria-pressed", "false")
    press(desk, "u")
    expect(heart).to_have_attribute("aria-pressed", "true")
    press(desk, "f")
    expect(heart).to_have_attribute("aria-pressed", "false")
    wait_until(desk, lambda: hearts_of(sky) == set(), "the favourite is given up")


def test_a_heart_that_is_refused_is_emptied_with_a_word(desk, sky):
    desk.route("**/favourite/", lambda route: route.fulfill(status=500))
    press(desk, "f")
    expect(desk.get_by_role("alert")).to_contain_text("The favourite was not kept")
    heart = desk.get_by_role("button", name="Favourite")
    expect(heart).to_have_attribute("aria-pressed", "false")
    assert hearts_of(sky) == set()
