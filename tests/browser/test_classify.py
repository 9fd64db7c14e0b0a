"""A volunteer classifies: by keyboard, by mouse, by touch, without JavaScript."""

import json
import re

from playwright.sync_api import expect

from lenticular.classifications.models import Classification
from lenticular.selection.models import QueueEntry
from tests.browser.desk import (
    QUESTION,
    SUBJECT,
    answered,
    press,
    ready,
    subject_of,
    votes,
    wait_until,
)
from tests.browser.gallery import PAGE

BLIND = {"id", "external_id", "images", "renderings", "metadata", "expires_at"}


def test_a_whole_galaxy_by_keyboard(open_page):
    page = open_page(PAGE)
    ready(page)
    before, first = votes(), subject_of(page)
    expect(page.locator(QUESTION)).to_contain_text("smooth, or does it have features")
    page.keyboard.press("1")
    expect(page.locator(QUESTION)).to_have_text("How rounded is it?")
    page.keyboard.press("2")
    expect(page.locator(QUESTION)).to_have_text("Is the galaxy merging, or disturbed?")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    answered(page, before)
    assert Classification.objects.latest("id").annotations == [
        ["smooth-or-featured", "smooth"], ["how-rounded", "in-between"], ["merging", "none"],
    ]  # fmt: skip
    expect(page.locator(QUESTION)).to_contain_text("smooth, or does it have features")
    assert subject_of(page) != first
    expect(page.locator("#echo-link")).to_have_attribute("href", re.compile(r"^/galaxies/\d+/$"))


def test_arrow_keys_choose_and_enter_goes_on(open_page):
    page = open_page(PAGE)
    ready(page)
    page.locator("#answers input").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(QUESTION)).to_contain_text("smooth, or does it have features")
    expect(page.get_by_role("radio", name="Features or disk")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.locator(QUESTION)).to_have_text("Could this be a disk seen edge-on?")


def test_a_whole_galaxy_by_mouse(open_page):
    page = open_page(PAGE)
    ready(page)
    before = votes()
    for name in ("Smooth", "Completely round", "Merger"):
        page.wait_for_timeout(300)
        page.get_by_role("radio", name=name, exact=True).click()
    answered(page, before)
    assert Classification.objects.latest("id").annotations[-1] == ["merging", "merger"]


def test_a_second_click_of_a_double_click_does_not_answer_the_next_question(open_page):
    page = open_page(PAGE)
    ready(page)
    page.wait_for_timeout(300)
    page.get_by_role("radio", name="Smooth", exact=True).dblclick()
    expect(page.locator(QUESTION)).to_have_text("How rounded is it?")
    expect(page.locator("#answers input:checked")).to_have_count(0)


def test_next_without_an_answer_asks_for_one(open_page):
    page = open_page(PAGE)
    ready(page)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("alert")).to_have_text("Choose an answer first.")
    page.keyboard.press("1")
    expect(page.locator("#trouble")).to_be_hidden()


def test_a_reload_shows_the_same_galaxy(open_page):
    page = open_page(PAGE)
    ready(page)
    first = subject_of(page)
    page.reload()
    assert subject_of(page) == first


def test_a_whole_galaxy_without_javascript(open_page):
    page = open_page(PAGE, java_script_enabled=False)
    before, first = votes(), subject_of(page)
    page.get_by_role("radio", name="Smooth", exact=True).check()
    page.get_by_role("button", name="Next").click()
    expect(page.locator(QUESTION)).to_have_text("How rounded is it?")
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_role("radio", name="Smooth", exact=True)).to_be_checked()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("radio", name="Cigar-shaped").check()
    page.keyboard.press("Enter")
    expect(page.locator(QUESTION)).to_have_text("Is the galaxy merging, or disturbed?")
    page.get_by_role("radio", name="Neither").check()
    page.get_by_role("button", name="Next").click()
    expect(page.locator(QUESTION)).to_contain_text("smooth, or does it have features")
    assert votes() == before + 1
    assert subject_of(page) != first
    expect(page.locator("#echo")).to_be_visible()


def test_the_last_galaxy_ends_kindly(open_page, sky):
    left = sky.subjects[:2]
    QueueEntry.objects.exclude(subject__in=left).update(is_retired=True)
    page = open_page(PAGE)
    ready(page)
    before = votes()
    for _ in left:
        page.keyboard.press("3")
        page.wait_for_timeout(300)
    expect(page.get_by_role("heading", name="You have seen every galaxy")).to_be_visible()
    answered(page, before, count=2)
    page.reload()
    expect(page.get_by_role("heading", name="You have seen every galaxy")).to_be_visible()


def test_neither_page_nor_api_tells_before_the_answer(open_page):
    QueueEntry.objects.update(top_answer="smooth-or-featured_smooth")
    bodies = []
    page = open_page("/")
    page.on("response", lambda response: "/api/" in response.url and bodies.append(response.text()))
    page.goto(PAGE)
    ready(page)
    wait_until(page, lambda: bodies, "an answer of the API")
    for text in (page.content(), *bodies):
        for secret in (
            "control",
            '"active"',
            "probability",
            "priority",
            "predict",
            "agree",
            "truth",
        ):
            assert secret not in text.lower()
    assert all(set(subject) <= BLIND
               for body in bodies for subject in json.loads(body)["subjects"])  # fmt: skip


def test_a_galaxy_invites_before_and_shows_after(open_page):
    page = open_page(PAGE)
    ready(page)
    address = f"/galaxies/{page.evaluate(SUBJECT)}/"
    page.goto(address)
    expect(page.get_by_text("once you have classified it yourself")).to_be_visible()
    expect(page.get_by_role("table")).to_have_count(0)
    page.goto(PAGE)
    ready(page)
    press(page, "3", "Enter")
    page.get_by_role("link", name="See it").click()
    expect(page).to_have_url(re.compile(address))
    expect(page.get_by_role("table").first).to_contain_text("Star or artifact")


def test_the_question_is_asked_in_the_chosen_language(open_page):
    page = open_page(PAGE)
    ready(page)
    page.locator(".site-tools .menu summary").click()
    page.get_by_role("button", name="繁體中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hant")
    ready(page)
    before = page.locator(QUESTION).inner_text()
    page.keyboard.press("1")
    expect(page.locator(QUESTION)).not_to_have_text(before)
    assert re.search(r"[\u4e00-\u9fff]", page.locator(QUESTION).inner_text())
