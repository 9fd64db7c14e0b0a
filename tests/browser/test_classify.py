"""A volunteer classifies: by keyboard, by mouse, by touch, without JavaScript, without network."""

import json
import re

import pytest
from playwright.sync_api import expect

from lenticular.classifications.models import Classification
from lenticular.selection.models import QueueEntry
from tests.browser.gallery import PAGE

QUESTION = "#question"
FETCHED = "performance.getEntriesByType('resource').filter((e) => e.name.endsWith('jpg')).length"


def votes():
    return Classification.objects.count()


def wait_until(page, condition, what):
    """Wait for something in the database, which the page cannot tell of."""
    for _ in range(100):
        if condition():
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never came true: {what}")


def answered(page, before, count=1):
    wait_until(page, lambda: votes() == before + count, f"{before + count} votes, are {votes()}")
    page.wait_for_timeout(100)
    assert votes() == before + count


def subject_of(page):
    return page.get_attribute("#galaxy", "src")


def ready(page):
    expect(page.locator("#progress")).not_to_be_empty()


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


def test_back_keeps_answers_and_crumbs_lead_back(open_page):
    page = open_page(PAGE)
    ready(page)
    for key in ("2", "2", "1"):
        page.keyboard.press(key)
    expect(page.locator("#crumbs li")).to_have_text(
        ["Features or disk", "No, something else", "Strong bar"]
    )
    page.keyboard.press("Backspace")
    expect(page.get_by_role("radio", name="Strong bar")).to_be_checked()
    page.get_by_role("button", name="Features or disk").click()
    expect(page.get_by_role("radio", name="Features or disk")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name="No, something else")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name="Strong bar")).to_be_checked()


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


def test_answers_survive_no_network_and_a_reload_and_are_sent_once(open_page):
    page = open_page(PAGE)
    ready(page)
    wait_until(page, lambda: page.evaluate(FETCHED) > 3, "pictures fetched ahead")
    before = votes()
    page.route("**/api/v1/**", lambda route: route.abort())
    for _ in range(2):
        page.keyboard.press("3")
        page.wait_for_timeout(150)
    expect(page.locator("#outbox-state")).to_contain_text("2 to send")
    expect(page.get_by_role("alert")).to_contain_text("saved on this device")
    assert votes() == before
    page.reload()
    expect(page.locator("#outbox-state")).to_contain_text("2 to send")
    page.unroute("**/api/v1/**")
    page.evaluate("dispatchEvent(new Event('online'))")
    answered(page, before, count=2)
    expect(page.locator("#outbox-state")).to_have_text("All sent")
    assert page.evaluate("localStorage.getItem('lenticular.outbox')") == "[]"
    page.reload()
    answered(page, before, count=2)


def test_an_answer_lost_on_the_way_back_is_not_counted_twice(open_page):
    page = open_page(PAGE)
    ready(page)
    before, posts = votes(), []

    def lose_the_first_answer(route):
        posts.append(json.loads(route.request.post_data)["classifications"][0]["uuid"])
        if len(posts) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/api/v1/classifications/", lose_the_first_answer)
    page.keyboard.press("3")
    wait_until(page, lambda: len(posts) == 2, "the second post")
    expect(page.locator("#outbox-state")).to_have_text("All sent")
    assert posts[0] == posts[1]
    assert votes() == before + 1


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
    assert all(set(subject) <= {"id", "external_id", "images", "metadata", "expires_at"}
               for body in bodies for subject in json.loads(body)["subjects"])  # fmt: skip


def test_a_galaxy_invites_before_and_shows_after(open_page):
    page = open_page(PAGE)
    ready(page)
    address = page.evaluate(
        "`/galaxies/${JSON.parse(document.querySelector('#page-data').textContent).subject.id}/`"
    )
    page.goto(address)
    expect(page.get_by_text("once you have classified it yourself")).to_be_visible()
    expect(page.get_by_role("table")).to_have_count(0)
    page.goto(PAGE)
    ready(page)
    page.keyboard.press("3")
    page.get_by_role("link", name="See it").click()
    expect(page).to_have_url(re.compile(address))
    expect(page.get_by_role("table").first).to_contain_text("Star or artifact")


def test_the_tools_change_the_view_only(open_page):
    page = open_page(PAGE)
    ready(page)
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="invert").click()
    expect(page.get_by_role("button", name="invert")).to_have_attribute("aria-pressed", "true")
    style = page.evaluate("document.querySelector('#galaxy').style.cssText")
    assert "scale(1.5)" in style
    assert "invert(1)" in style
    page.keyboard.press("3")
    page.wait_for_timeout(200)
    assert "scale(1)" in page.evaluate("document.querySelector('#galaxy').style.cssText")


def test_the_question_is_asked_in_the_chosen_language(open_page):
    page = open_page(PAGE)
    ready(page)
    page.locator(".site-tools .menu summary").click()
    page.get_by_role("button", name="繁體中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hant")
    ready(page)
    before = page.locator(QUESTION).inner_text()
    page.keyboard.press("1")
    expect(page.locator(QUESTION)).not_to_have_text(before)
    assert re.search(r"[\u4e00-\u9fff]", page.locator(QUESTION).inner_text())
