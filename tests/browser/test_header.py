"""The header keeps to one line, and what does not fit waits under "More"."""

import pytest
from playwright.sync_api import expect

from lenticular.accounts.services import change_display_name

LINKS = ("Rounds", "Review", "Moderation", "Releases", "About")


@pytest.mark.parametrize("width", [801, 820, 1024, 1200, 1201, 1280])
def test_one_line_holds_all_that_an_admin_may_do(open_page, sign_in, sky, width):
    change_display_name(user=sky.admin, display_name="Cecilia Payne-Gaposchkin")
    page = open_page("/", viewport={"width": width, "height": 900})
    sign_in(page, sky.admin)
    header = page.get_by_role("banner")
    assert header.bounding_box()["height"] <= 60
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width <= 1200:
        header.get_by_text("More", exact=True).click()
    for name in LINKS:
        expect(header.get_by_role("link", name=name, exact=True)).to_be_visible()


def test_more_works_without_javascript_and_by_keyboard(open_page, sky):
    page = open_page("/", java_script_enabled=False, viewport={"width": 320, "height": 640})
    page.get_by_role("banner").get_by_text("More", exact=True).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Releases")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Releases", level=1)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
