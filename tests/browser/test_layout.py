"""Pages fit the screens that people have, and pass axe in both themes."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.conftest import PHONE
from tests.browser.gallery import PAGE

FIVE_ANSWERS = ("2", "2", "1", "2")
"""Leads to the question about the bulge, which has five answers."""


def bottom(page, selector):
    return page.evaluate(f"document.querySelector('{selector}').getBoundingClientRect().bottom")


@pytest.mark.parametrize("keys", [(), FIVE_ANSWERS], ids=["first", "five-answers"])
def test_a_phone_shows_galaxy_and_answers_without_scrolling(open_page, keys):
    page = open_page(PAGE, viewport=PHONE, has_touch=True)
    for key in keys:
        page.keyboard.press(key)
    if keys:
        expect(page.locator("#answers label")).to_have_count(5)
    assert page.evaluate("document.documentElement.scrollHeight") <= PHONE["height"]
    assert bottom(page, "#next") <= PHONE["height"]
    box = page.locator("#viewer").bounding_box()
    assert (box["x"], box["width"]) == (0, PHONE["width"])
    assert box["height"] >= 0.95 * box["width"]


@pytest.mark.parametrize("address", ["/", PAGE, "/about/", "galaxy"])
def test_nothing_is_cut_off_sideways(open_page, sky, address):
    page = open_page(_address(sky, address))
    for width in (320, 360, 768, 1024, 1280):
        page.set_viewport_size({"width": width, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_answer_is_large_enough_for_a_thumb(open_page):
    page = open_page(PAGE, viewport=PHONE, has_touch=True)
    for key in FIVE_ANSWERS:
        page.keyboard.press(key)
    for answer in page.locator("#answers label").all():
        box = answer.bounding_box()
        assert min(box["width"], box["height"]) >= 44


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("address", ["/", PAGE, "galaxy", "/about/", "/accounts/sign-in/"])
def test_axe_finds_nothing(open_page, sky, address, scheme):
    page = open_page(_address(sky, address), color_scheme=scheme, reduced_motion="reduce")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_midway_and_after(open_page, scheme):
    page = open_page(PAGE, color_scheme=scheme, reduced_motion="reduce")
    for key in ("3", "2", "2"):
        page.keyboard.press(key)
        page.wait_for_timeout(150)
    page.locator("#help summary").click()
    expect(page.locator("#echo")).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.locator("#echo-link").click()
    expect(page.get_by_role("table").first).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_focus_is_seen(open_page):
    page = open_page(PAGE)
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


def test_nothing_moves_where_less_motion_is_asked_for(open_page):
    page = open_page(PAGE, reduced_motion="reduce")
    duration = page.evaluate(
        "getComputedStyle(document.querySelector('.answer')).transitionDuration"
    )
    assert set(duration.replace(" ", "").split(",")) == {"0s"}


def _address(sky, address):
    return f"/galaxies/{sky.subjects[0].pk}/" if address == "galaxy" else address
