"""A volunteer learns: the tutorial, the help beside a question, the field guide."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lenticular.classifications.models import Classification
from tests.browser.desk import ready
from tests.browser.gallery import PAGE

TITLE = "dialog .tutorial-step:not([hidden]) h2"
PHONE = {"width": 320, "height": 640}
SIZES = [PHONE, {"width": 1280, "height": 830}]
FORBIDDEN = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })"
PICTURES = """performance.getEntriesByType('resource')
    .filter((entry) => entry.name.includes('/guide/') && entry.name.endsWith('.webp')).length"""


def check_axe(page):
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def first_visit(open_page, **options):
    page = open_page(PAGE, first_visit=True, **options)
    expect(page.get_by_role("dialog", name="Tutorial")).to_be_visible()
    # The desk listens to keys from now on, once the tutorial has let go of them.
    ready(page)
    return page


def test_the_tutorial_opens_on_the_first_visit_and_never_again(open_page):
    page = first_visit(open_page)
    expect(page.locator(TITLE)).to_have_text("You are about to see galaxies")
    expect(page.locator(TITLE)).to_be_focused()
    page.get_by_role("button", name="Skip").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.reload()
    expect(page.locator("#progress")).not_to_be_empty()
    page.wait_for_load_state("networkidle")
    expect(page.locator("dialog")).to_have_count(0)


def test_the_tutorial_is_opened_again_from_its_link(open_page):
    page = open_page(PAGE)
    expect(page.locator("#progress")).not_to_be_empty()
    expect(page.locator("dialog")).to_have_count(0)
    for _ in range(2):
        page.get_by_role("link", name="Tutorial").click()
        expect(page.locator(TITLE)).to_have_text("You are about to see galaxies")
        page.get_by_role("dialog").get_by_role("button", name="Next").click()
        expect(page.locator(TITLE)).to_have_text("One question at a time")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.get_by_role("link", name="Tutorial")).to_be_focused()


def test_the_tutorial_by_keyboard_alone(open_page):
    page = first_visit(open_page)
    page.keyboard.press("ArrowRight")
    expect(page.locator(TITLE)).to_have_text("One question at a time")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(TITLE)).to_have_text("You are about to see galaxies")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    expect(page.locator(TITLE)).to_have_text("There is no wrong answer")
    for name in ("Skip", "Back", "Start"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("dialog").get_by_role("button", name=name)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("1")
    expect(page.locator("#question")).to_have_text("How rounded is it?")


def test_no_key_answers_the_question_behind_the_tutorial(open_page):
    page = first_visit(open_page)
    before = Classification.objects.count()
    for key in ("1", "1", "1", "Backspace", "?"):
        page.keyboard.press(key)
    expect(page.locator("#question")).to_contain_text("smooth, or does it have features")
    expect(page.locator(TITLE)).to_have_text("You are about to see galaxies")
    assert Classification.objects.count() == before


def test_who_has_begun_to_answer_is_not_interrupted(open_page):
    page = open_page("/", first_visit=True)
    held = []

    def hold(route):
        held.append(route)

    page.route("**/tutorial/", hold)
    page.goto(PAGE)
    expect(page.locator("#progress")).not_to_be_empty()
    page.keyboard.press("1")
    expect(page.locator("#question")).to_have_text("How rounded is it?")
    with page.expect_response("**/tutorial/"):
        held[0].continue_()
    page.wait_for_timeout(200)
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_volunteer_who_has_classified_is_not_taught_again(open_page, sign_in, sky):
    page = open_page(PAGE, first_visit=True)
    page.keyboard.press("Escape")
    sign_in(page, sky.volunteer)
    page.evaluate("localStorage.clear()")
    page.goto(PAGE)
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    for key in ("1", "1", "1"):
        page.keyboard.press(key)
    expect(page.locator("#echo")).to_be_visible()
    page.evaluate("localStorage.removeItem('lenticular.tutorial.drawn')")
    page.reload()
    page.wait_for_load_state("networkidle")
    expect(page.locator("dialog")).to_have_count(0)


def test_a_browser_that_keeps_nothing_is_taught_only_when_it_asks(open_page):
    page = open_page("/", first_visit=True)
    page.add_init_script(FORBIDDEN)
    page.goto(PAGE)
    expect(page.locator("#progress")).not_to_be_empty()
    page.wait_for_load_state("networkidle")
    expect(page.locator("dialog")).to_have_count(0)
    page.get_by_role("link", name="Tutorial").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_tutorial_that_does_not_arrive_blocks_nothing(open_page):
    page = open_page("/", first_visit=True)
    page.route("**/tutorial/", lambda route: route.abort(), times=1)
    page.goto(PAGE)
    page.keyboard.press("1")
    expect(page.locator("#question")).to_have_text("How rounded is it?")
    page.get_by_role("link", name="Tutorial").click()
    expect(page.get_by_role("dialog")).to_be_visible()


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", SIZES)
def test_the_tutorial_fits_and_is_accessible(open_page, size, scheme):
    page = first_visit(open_page, viewport=size, color_scheme=scheme)
    for _ in range(7):
        check_axe(page)
        box = page.get_by_role("dialog").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size["width"]
        assert page.evaluate(
            "(d => d.scrollWidth <= d.clientWidth)(document.querySelector('dialog'))"
        )
        page.locator("[data-move=next]").click()
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_the_tutorial_without_javascript(open_page):
    page = open_page(PAGE, java_script_enabled=False, first_visit=True)
    page.get_by_role("link", name="Tutorial").click()
    expect(page.get_by_role("heading", level=2)).to_have_count(7)
    page.get_by_role("link", name="Start").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("smooth, or does it have features")


def test_help_brings_examples_of_the_question_shown_and_none_before(open_page):
    page = open_page(PAGE)
    expect(page.locator("#progress")).not_to_be_empty()
    page.wait_for_load_state("networkidle")
    assert page.evaluate(PICTURES) == 0
    page.locator("#help summary").click()
    expect(page.locator(".help-answers li")).to_have_text(
        ["Smooth", "Features or disk", "Star or artifact"]
    )
    expect(page.locator(".help-answers img").first).to_have_js_property("complete", value=True)
    check_axe(page)
    page.keyboard.press("1")
    expect(page.locator("#question")).to_have_text("How rounded is it?")
    expect(page.locator(".help-answers")).to_have_count(0)
    page.locator("#help summary").click()
    expect(page.locator(".help-answers li").nth(2)).to_have_text("Cigar-shaped")
    link = page.get_by_role("link", name="More in the field guide")
    with page.context.expect_page() as opened:
        link.click()
    expect(opened.value).to_have_url(re.compile("/guide/#how-rounded$"))


def test_help_without_a_network_leaves_the_link(open_page):
    page = open_page(PAGE)
    page.keyboard.press("2")
    expect(page.locator("#question")).to_have_text("Could this be a disk seen edge-on?")
    page.route("**/guide/**", lambda route: route.abort())
    page.locator("#help summary").click()
    link = page.get_by_role("link", name="See examples")
    expect(link).to_have_attribute("href", re.compile("/guide/disk-edge-on/$"))


def test_help_without_javascript(open_page):
    page = open_page(PAGE, java_script_enabled=False)
    page.get_by_role("radio", name="Smooth").check()
    page.get_by_role("button", name="Next").click()
    page.locator("#help summary").click()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="See examples").click()
    expect(opened.value.get_by_role("heading", name="Cigar-shaped")).to_be_visible()
    assert opened.value.locator(".guide-answer img").count() == 6


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", ["guide/", "guide/bar/", "tutorial/"])
def test_the_pages_fit_and_are_accessible(open_page, place, size, scheme):
    page = open_page(PAGE + place, viewport=size, color_scheme=scheme)
    assert fits(page)
    check_axe(page)
